"""From parts of documents to a folder of packed shards: the work of one shard."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dataset import StepFolder, group_parts
from corpus.errors import DamagedFile
from corpus.parts import read_part
from corpus.recipe.sections import TokenizerSection
from corpus.steps.result import PartResult
from corpus.storage import commit, digest_of, exists, join, read_json, write_json
from corpus.text.buffers import Offsets, text_buffers
from corpus.text.hashing import hash_rows
from tokenizer.encode import Encoder, Tokens
from tokenizer.index import IndexedShard, heldout_name, shard_name, sidecar_path
from tokenizer.shards import ShardCounts, ShardHeader, ShardWriter

SHARD_TEXT_BYTES = 2 << 30
"""Text for one shard: about 1 GB of tokens, at the 3.6 to 4 bytes a token of LLaMA's vocabulary."""


@dataclass(frozen=True)
class TokenPart:
    """One part to tokenise.

    Attributes:
        digest: SHA-256 of the Parquet file.
        documents: in it, as the manifest of its step says.
    """

    number: int
    path: str
    digest: str
    documents: int


@dataclass(frozen=True)
class TokenizeTask:
    """One shard of one source.

    The LLaMA paper does not say what stands between documents, and Meta's `Tokenizer.encode` leaves both to its
    caller. Here each document gets a BOS, which is what the released models expect in front of a prompt, and an EOS,
    without which a model never learns to stop.

    Attributes:
        part: number of the shard, from 0.
        parts: consecutive parts, in order.
        output: the token folder.
        model: local path of the SentencePiece model.
        dataset: digest (SHA-256) of the step the parts belong to, hexadecimal.
        heldout: documents with xxh64(id) mod `heldout` = 0 are held out: one in so many.
    """

    part: int
    parts: tuple[TokenPart, ...]
    output: str
    model: str
    dataset: str
    bos: bool = True
    eos: bool = True
    heldout: int = 1000

    def __str__(self) -> str:
        return join(self.output, shard_name(self.part))


@dataclass(frozen=True)
class TokenizeResult(PartResult):
    """Counts of one shard. `documents_out` counts the held-out ones too: nothing is lost here."""

    tokens: int = 0
    heldout_documents: int = 0
    heldout_tokens: int = 0

    def __str__(self) -> str:
        return shard_name(self.part)


@dataclass(frozen=True)
class TokenizeTasks:
    """Reads the manifest of the documents into one task for each shard."""

    output: str
    model: str
    settings: TokenizerSection

    def __call__(self, documents: StepFolder) -> Iterator[TokenizeTask]:
        dataset = documents.manifest()["digest"]
        settings = self.settings
        for number, group in enumerate(group_parts(documents.parts(), SHARD_TEXT_BYTES)):
            parts = tuple(
                TokenPart(part.number, documents.data(part.number), part.digest, part.documents) for part in group
            )
            yield TokenizeTask(
                number, parts, self.output, self.model, dataset, settings.bos, settings.eos, settings.held_out
            )


def tokenize_parts(task: TokenizeTask) -> TokenizeResult:
    """Writes one shard, its held-out shard, and last its sidecar. A shard that is finished is left.

    Raises:
        UserError: the tokenizer cannot be read.
        DamagedFile: a part cannot be read, or has not as many documents as its manifest says.
    """
    encoder = Encoder(task.model)
    header = ShardHeader(
        encoder.vocab_size,
        encoder.sha256,
        task.dataset,
        encoder.bos_id if task.bos else -1,
        encoder.eos_id if task.eos else -1,
    )
    identity = digest_of(
        {
            "header": asdict(header),
            "heldout": task.heldout,
            "parts": [[part.number, part.digest] for part in task.parts],
        }
    )
    name, held_name = shard_name(task.part), heldout_name(task.part)
    sidecar = sidecar_path(task.output, task.part)
    if exists(sidecar):
        done = read_json(sidecar)
        if done["identity"] == identity and all(exists(join(task.output, n)) for n in (name, held_name)):
            return _result(task.part, done, reused=True)

    counts: dict[str, ShardCounts] = {}
    digests: dict[str, str] = {}

    def write(sink: Any) -> None:
        def write_held(held_sink: Any) -> None:
            writer, held_writer = ShardWriter(sink, header), ShardWriter(held_sink, header)
            for part in task.parts:
                for rows, held, sizes, texts in _documents(part, task.heldout):
                    tokens, offsets = encoder.encode_batch(texts, task.bos, task.eos)
                    for into, which in ((writer, ~held), (held_writer, held)):
                        into.write(part.number, rows[which], *_chosen(which, tokens, offsets), int(sizes[which].sum()))
            counts[name], counts[held_name] = writer.close(), held_writer.close()

        digests[held_name] = commit(join(task.output, held_name), write_held)

    digests[name] = commit(join(task.output, name), write)

    def entry(file: str) -> dict[str, Any]:
        c = counts[file]
        return asdict(IndexedShard(file, c.tokens, c.documents, c.text_bytes, digests[file]))

    body = {
        "identity": identity,
        "part": task.part,
        "parts": [part.number for part in task.parts],
        "header": asdict(header),
        "heldout_one_in": task.heldout,
        "shard": entry(name),
        "heldout": entry(held_name),
    }
    write_json(sidecar, body)
    return _result(task.part, body, reused=False)


def _result(part: int, body: dict[str, Any], reused: bool) -> TokenizeResult:
    kept, held = body["shard"], body["heldout"]
    return TokenizeResult(
        part=part,
        documents_in=kept["documents"] + held["documents"],
        documents_out=kept["documents"] + held["documents"],
        bytes_in=kept["text_bytes"] + held["text_bytes"],
        reused=reused,
        tokens=kept["tokens"],
        heldout_documents=held["documents"],
        heldout_tokens=held["tokens"],
    )


def _chosen(which: npt.NDArray[np.bool_], tokens: Tokens, offsets: Offsets) -> tuple[Tokens, Offsets]:
    """The tokens of some documents, as `Encoder.encode_batch` would give them."""
    if which.all():
        return tokens, offsets
    lengths = np.diff(offsets)
    return tokens[np.repeat(which, lengths)], np.append(0, np.cumsum(lengths[which]))


def _documents(part: TokenPart, heldout: int) -> Iterator[tuple[Any, Any, Any, pa.Array]]:
    """(row numbers, which are held out, bytes of text, texts) of a part, batch after batch."""
    first = 0
    for batch in read_part(part.path, columns=["id", "text"]):
        try:
            batch.validate(full=True)
            ids, texts = batch.column("id"), batch.column("text")
            if ids.null_count or texts.null_count:
                raise ValueError("an id or a text is null")
            held = hash_rows(*text_buffers(ids)) % np.uint64(heldout) == 0
            sizes = np.diff(text_buffers(texts)[1])
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedFile(f"{part.path} from row {first} on: {error}: run the step that wrote it again") from None
        yield np.arange(first, first + batch.num_rows, dtype=np.uint32), held, sizes, texts
        first += batch.num_rows
    if first != part.documents:
        raise DamagedFile(
            f"{part.path} has {first} documents and its manifest says {part.documents}: "
            "run the step that wrote it again"
        )
