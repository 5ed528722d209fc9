"""The sequences of a run in the order of training."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.errors import DamagedFile, UserError
from corpus.storage import exists, join, local_path
from tokenizer.concatenation import Concatenation, OpenShards, windows
from tokenizer.index import TokenIndex, read_index
from tokenizer.mixture import Mixture, available_sequences, materialised_folder, read_manifest
from tokenizer.readahead import ReadAhead

Batch = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """Tokens of one sequence that come from one document.

    Attributes:
        start, stop: in the sequence.
        shard: path of the shard.
        position: of the first of them in the shard.
        part, row: of the document, in the dataset that was tokenised.
        offset: of the first of them in the document's tokens.
    """

    start: int
    stop: int
    shard: str
    position: int
    part: int
    row: int
    offset: int


@dataclass(frozen=True)
class Trace:
    """Where one training sequence comes from.

    Attributes:
        source: name.
        epoch: from 0.
        sequence: number in the source.
        dataset: digest of the step whose documents were tokenised.
        spans: in order; they cover all of its sequence_length + 1 tokens.
    """

    source: str
    epoch: int
    sequence: int
    dataset: str
    spans: tuple[Span, ...]


class TokenReader:
    """Reads a run's sequences by their number. Nothing but the number is state.

    Where the sequences were materialised they are read from there, front to back; else each from its place in the
    shards of its source. On a local disk shards are memory-mapped, on an object store fetched by ranges and, where
    reads go on in even steps, ahead of them. Batches are the same. For one thread at a time.

    Attributes:
        manifest: the path it was opened with.
        mixture: the order.
        sources: names, sorted.
        sequences: in the run.
        seq_len: tokens predicted in one sequence; a sequence has one more.
        tokenizer: SHA-256 of the SentencePiece model.
        vocab_size: of the tokenizer.
        bos: the id that begins each document of every source, or None.
        fingerprint: of all that the order and the tokens depend on (`Mixture.fingerprint`).

    Raises:
        UserError, DamagedFile: from here on where a manifest or a shard is missing, altered, or of another tokenizer.
    """

    def __init__(self, manifest: str) -> None:
        """`manifest`: path or URL of a mixture's manifest.json."""
        self.manifest = manifest
        self.mixture = mixture = read_manifest(manifest)
        self.sources = tuple(source.name for source in mixture.sources)
        self.sequences = mixture.sequences
        self.seq_len = mixture.sequence_length
        self.tokenizer = mixture.sources[0].index.header.tokenizer
        self.vocab_size = mixture.sources[0].index.header.vocab_size
        starts = {source.index.header.bos for source in mixture.sources}
        self.bos = starts.pop() if len(starts) == 1 and -1 not in starts else None
        self.fingerprint = mixture.fingerprint
        self._opened = OpenShards()
        self._tokens = [
            Concatenation(source.folder, source.index.header, source.index.shards, self._opened, scattered=True)
            for source in mixture.sources
        ]
        self._materialised: Concatenation | ReadAhead | None = None
        if found := _materialised(manifest, mixture):
            folder, index = found
            local = local_path(folder) is not None
            # What the thread of `ReadAhead` opens is its own.
            tokens = Concatenation(folder, index.header, index.shards, self._opened if local else OpenShards())
            self._materialised = tokens if local else ReadAhead(tokens)
        elif away := [source.folder for source in mixture.sources if local_path(source.folder) is None]:
            raise UserError(
                f"{away[0]} is not on a local disk, where each sequence would take a request of its own: run "
                "`corpus mix RECIPE --materialize`, or copy the run's folder to a disk"
            )

    def batch(self, first: int, count: int) -> Batch:
        """Sequences `first` to `first` + `count` - 1 of the run: int64, shape (count, sequence_length + 1).

        The global batch of step t of B sequences is `batch(t * B, B)`, and each of its shares a slice of that.

        Raises:
            IndexError: the run has fewer sequences.
        """
        length = self.seq_len + 1
        if self._materialised is not None:
            self.mixture.check(first, first + count - 1)
            tokens = self._materialised.read(first * length, count * length)
            return tokens.reshape(count, length).astype(np.int64)
        sources, _, sequences = self.mixture.locate(np.arange(first, first + count))
        out = np.empty((count, length), np.int64)
        for row, source, sequence in zip(out, sources, sequences, strict=True):
            tokens = self._tokens[source]
            filled = 0
            for number, start, stop in tokens.pieces(int(sequence) * self.seq_len, length):
                row[filled : filled + stop - start] = tokens.shard(number).tokens[start:stop]
                filled += stop - start
        return out

    def trace(self, k: int) -> Trace:
        """The documents that the k-th sequence of the run is made of.

        Raises:
            IndexError: the run has fewer sequences.
        """
        sources, epochs, sequences = (int(x[0]) for x in self.mixture.locate(np.array([k])))
        spans: list[Span] = []
        start = 0
        tokens = self._tokens[sources]
        for number, position, stop in tokens.pieces(sequences * self.seq_len, self.seq_len + 1):
            shard = tokens.shard(number)
            while position < stop:
                found = shard.locate(position)
                taken = min(stop, int(shard.document_offsets[found.document + 1])) - position
                spans.append(Span(start, start + taken, shard.path, position, found.part, found.row, found.offset))
                start += taken
                position += taken
        source = self.mixture.sources[sources]
        return Trace(source.name, epochs, sequences, source.index.header.dataset, tuple(spans))

    def heldout(self, source: str, limit: int | None = None) -> Batch:
        """The held-out sequences of a source, in order, the first `limit` of them: int64, shape (n, seq_len + 1).

        Cut like training sequences; n is 0 where the held-out documents do not fill one.

        Raises:
            UserError: the mixture has no such source.
        """
        if source not in self.sources:
            raise UserError(f"the mixture has no source {source}: it has {', '.join(self.sources)}")
        held = self.mixture.sources[self.sources.index(source)]
        tokens = Concatenation(held.folder, held.index.header, held.index.heldout, self._opened)
        count = available_sequences(tokens.tokens, self.seq_len)
        count = count if limit is None else min(count, limit)
        if not count:
            return np.empty((0, self.seq_len + 1), np.int64)
        return windows(tokens.read(0, count * self.seq_len + 1), self.seq_len).astype(np.int64)


def _materialised(manifest: str, mixture: Mixture) -> tuple[str, TokenIndex] | None:
    """The folder of the run's sequences in the order of training and its index, or None where there is none."""
    folder = materialised_folder(manifest)
    if not exists(join(folder, "index.json")):
        return None
    index = read_index(folder)
    if index.header != mixture.materialised_header or index.documents != mixture.sequences:
        raise DamagedFile(f"{folder} holds another run than {manifest}: remove it and run mix --materialize again")
    return folder, index
