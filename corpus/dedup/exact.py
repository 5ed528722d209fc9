"""Exact duplicates of documents."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import StringConstraints

from corpus.dedup.blocks import (
    columns,
    document_columns,
    drop_rows,
    drops,
    gone_rows,
    group_starts,
    numbered,
    partitioned,
    record_batch,
)
from corpus.rules import Block, Cleaned, Dedup, Memory, PartRef, Round
from corpus.text.buffers import text_buffers
from corpus.text.hashing import Hashes, hash_rows

KEPT = pa.schema([pa.field("low", pa.uint64()), pa.field("high", pa.uint64())])
"""What an index keeps: 128 bits of each text, or URL, that stayed."""


On = Annotated[str, StringConstraints(pattern=r"^(text|normalized|id|url|metadata\..+)$")]
"""What is compared."""


class Exact(Dedup):
    """Keeps one of the documents that are equal in their text, or in what `on` says: the first in the order of
    `corpus.rules.Winner`.

    Equality is that of 128 bits of XXH64 (seeds 0 and 1): among 10^10 documents the chance of a false match is
    below 10^-18; it is not proof against an adversary. Reason: `duplicate`.

    Attributes:
        on: `text`, byte for byte. `normalized`: the text in lower case, composed (Unicode's NFC), without punctuation,
            white space and control characters. `url` (C4 keeps one page for each URL: `c4.py` of TensorFlow Datasets),
            `id`, or `metadata.KEY`, what stands under a key of the metadata. A document that has nothing of it has no
            duplicates.
    """

    version: ClassVar[int] = 1
    keeps: ClassVar[float] = 0.7  # assumed, of code
    reasons: ClassVar[tuple[str, ...]] = ("duplicate",)
    spills: ClassVar[str] = "36 B x documents"

    on: On = "text"

    def estimate(self, documents: int, text_bytes: int) -> int:
        return documents * 36  # two hashes, id hash: 8 bytes each; priority, part, row: 4

    def sign(self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        yield from partitioned(self._signatures(part, batches), partitions)

    def _signatures(self, part: PartRef, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[Hashes, pa.RecordBatch]]:
        for first_row, batch in numbered(batches):
            hashes, present = self._hashes(batch)
            body = record_batch({**hashes, **document_columns(part, batch, first_row)})
            yield hashes["low"][present.to_numpy(zero_copy_only=False)], body.filter(present)

    def _hashes(self, batch: pa.RecordBatch) -> tuple[dict[str, Hashes], pa.Array]:
        """Hashes of what is compared, and which documents have it."""
        compared = _compared(batch, self.on)
        buffers = text_buffers(compared)
        return {"low": hash_rows(*buffers, seed=0), "high": hash_rows(*buffers, seed=1)}, compared.is_valid()

    def memory(self) -> Memory:
        return Memory(KEPT, (_column(self.on),), self._keep, _sign_kept)

    def _keep(
        self, part: PartRef, batches: Iterator[pa.RecordBatch], decisions: pa.Table | None
    ) -> Iterator[pa.RecordBatch]:
        for first_row, batch in numbered(batches):
            hashes, present = self._hashes(batch)
            stays = pa.array(~gone_rows(batch, first_row, decisions))
            yield record_batch(hashes).filter(pc.and_(stays, present))

    def rounds(self) -> Sequence[Round]:
        return [Round(_decide)]

    def apply(self, batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> Cleaned:
        return drop_rows(batch, first_row, decisions, "duplicate")


def _column(on: On) -> str:
    """The document column that is looked at."""
    return "text" if on == "normalized" else on.partition(".")[0]


def _compared(batch: pa.RecordBatch, on: On) -> pa.Array:
    """What is compared of each document, a string or large_string; null where it has nothing of it."""
    column = batch.column(_column(on))
    if on == "normalized":
        lower = pc.utf8_lower(pc.utf8_normalize(column, form="NFC"))
        bare = pc.replace_substring_regex(lower, pattern=r"[\s\pP\pZ\pC]+", replacement="")
        return pc.if_else(pc.equal(bare, ""), None, bare)
    if on.startswith("metadata."):
        key = on.removeprefix("metadata.")
        found = [json.loads(metadata).get(key) if metadata else None for metadata in column.to_pylist()]
        # As JSON, so that 1 and "1" are not equal.
        return pa.array([None if value is None else json.dumps(value, sort_keys=True) for value in found], pa.string())
    return column


def _sign_kept(part: PartRef, kept: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """As documents of an earlier source; no two of them are equal, so that their ids do not matter."""
    for first_row, batch in numbered(kept):
        rows = batch.num_rows
        place = {
            "priority": np.full(rows, part.priority, np.int32),
            "id_hash": np.zeros(rows, np.uint64),
            "part": np.full(rows, part.index, np.int32),
            "row": np.arange(first_row, first_row + rows, dtype=np.uint32),
        }
        yield from partitioned(
            [(batch.column("low").to_numpy(), record_batch({**columns([batch]), **place}))], partitions
        )


def _decide(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    entries = columns(blocks)
    order = np.lexsort([entries[key] for key in ("row", "part", "id_hash", "priority", "high", "low")])
    low, high = entries["low"][order], entries["high"][order]
    loser = order[~group_starts(low, high)]
    yield from drops(entries["part"][loser], entries["row"][loser])
