"""Token sequences in training order, from memory-mapped shards."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.errors import DamagedFile, UserError
from corpus.storage import join
from tokenizer.index import IndexedShard
from tokenizer.mixture import MixtureSource, available_sequences, read_manifest
from tokenizer.shards import Shard

MAX_OPEN = 256
"""Shards held open at once, well below the usual limit of 1,024 files a process."""

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

    Shards are opened when they are first needed, at most `MAX_OPEN` at once. For one thread at a time.

    Attributes:
        manifest: the path it was opened with.
        mixture: the order.
        sources: names, sorted.
        sequences: in the run.
        seq_len: tokens predicted in one sequence; a sequence has one more.
        tokenizer: SHA-256 of the SentencePiece model.
        vocab_size: of the tokenizer.
        bos: the id that begins each document, or None.
        fingerprint: of all that the order and the tokens depend on (`Mixture.fingerprint`).

    Raises:
        UserError, DamagedFile: from here on where a manifest or a shard is missing, altered, or of another tokenizer.
    """

    def __init__(self, manifest: str) -> None:
        """`manifest`: local path of a mixture's manifest.json."""
        self.manifest = manifest
        self.mixture = mixture = read_manifest(manifest)
        self.sources = tuple(source.name for source in mixture.sources)
        self.sequences = mixture.sequences
        self.seq_len = mixture.sequence_length
        self.tokenizer = mixture.sources[0].index.header.tokenizer
        self.vocab_size = mixture.sources[0].index.header.vocab_size
        bos = mixture.sources[0].index.header.bos
        self.bos = None if bos < 0 else bos
        self.fingerprint = mixture.fingerprint
        self._open: OrderedDict[str, Shard] = OrderedDict()
        self._shards = [_Shards(source, source.index.shards) for source in self.mixture.sources]

    def batch(self, first: int, count: int) -> Batch:
        """Sequences `first` to `first` + `count` - 1 of the run: int64, shape (count, sequence_length + 1).

        The global batch of step t of B sequences is `batch(t * B, B)`, and each of its shares a slice of that.

        Raises:
            IndexError: the run has fewer sequences.
        """
        sources, _, sequences = self.mixture.locate(np.arange(first, first + count))
        out = np.empty((count, self.seq_len + 1), np.int64)
        for row, source, sequence in zip(out, sources, sequences, strict=True):
            self._fill(row, self._shards[source], int(sequence) * self.seq_len)
        return out

    def trace(self, k: int) -> Trace:
        """The documents that the k-th sequence of the run is made of.

        Raises:
            IndexError: the run has fewer sequences.
        """
        sources, epochs, sequences = (int(x[0]) for x in self.mixture.locate(np.array([k])))
        spans: list[Span] = []
        start = 0
        for shard, position, stop in self._pieces(self._shards[sources], sequences * self.seq_len, self.seq_len + 1):
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
        of = self.mixture.sources[self.sources.index(source)]
        shards = _Shards(of, of.index.heldout)
        count = available_sequences(shards.tokens, self.seq_len)
        out = np.empty((count if limit is None else min(count, limit), self.seq_len + 1), np.int64)
        for sequence, row in enumerate(out):
            self._fill(row, shards, sequence * self.seq_len)
        return out

    def _fill(self, out: Batch, shards: "_Shards", position: int) -> None:
        filled = 0
        for shard, start, stop in self._pieces(shards, position, len(out)):
            out[filled : filled + stop - start] = shard.tokens[start:stop]
            filled += stop - start

    def _pieces(self, shards: "_Shards", position: int, count: int) -> Iterator[tuple[Shard, int, int]]:
        """(shard, start, stop) of the tokens [position, position + count) of a concatenation."""
        number = int(np.searchsorted(shards.ends, position, side="right"))
        while count:
            start = position - (int(shards.ends[number - 1]) if number else 0)
            taken = min(count, int(shards.ends[number]) - position)
            if taken:  # an empty shard is passed over
                yield self._shard(shards, number), start, start + taken
            position += taken
            count -= taken
            number += 1

    def _shard(self, shards: "_Shards", number: int) -> Shard:
        entry = shards.entries[number]
        path = join(shards.source.folder, entry.name)
        shard = self._open.get(path)
        if shard is None:
            shard = Shard(path, shards.source.index.header.tokenizer)
            if shard.counts.tokens != entry.tokens:
                raise DamagedFile(
                    f"{path} has {shard.counts.tokens} tokens and the order was made for {entry.tokens}: "
                    "run mix again, or bring back the shards it was made for"
                )
            if len(self._open) == MAX_OPEN:
                self._open.popitem(last=False)
            self._open[path] = shard
        self._open.move_to_end(path)
        return shard


class _Shards:
    """A concatenation of shards: `ends[i]` is where shard i ends in it."""

    def __init__(self, source: MixtureSource, entries: Sequence[IndexedShard]) -> None:
        self.source = source
        self.entries = entries
        self.ends = np.cumsum([entry.tokens for entry in entries], dtype=np.int64)
        self.tokens = int(self.ends[-1]) if len(entries) else 0
