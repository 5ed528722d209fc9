"""Exact duplicates of documents."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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


class Exact(Dedup):
    """Keeps one of the documents that are equal byte for byte: the first in the order of `corpus.rules.Winner`.

    Equality is that of 128 bits of XXH64 (seeds 0 and 1): among 10^10 documents the chance of a false match is
    below 10^-18; it is not proof against an adversary. Reason: `duplicate`.

    Attributes:
        on: compare the text, or the URL (C4 keeps one page for each URL: `c4.py` of TensorFlow Datasets). A document
            without a URL has no duplicates by URL.
    """

    version: ClassVar[int] = 1
    keeps: ClassVar[float] = 0.7  # assumed, of code
    reasons: ClassVar[tuple[str, ...]] = ("duplicate",)
    spills: ClassVar[str] = "36 B x documents"

    on: Literal["text", "url"] = "text"

    def estimate(self, documents: int, text_bytes: int) -> int:
        return documents * 36  # two hashes, id hash: 8 bytes each; priority, part, row: 4

    def sign(self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        yield from partitioned(self._signatures(part, batches), partitions)

    def _signatures(self, part: PartRef, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[Hashes, pa.RecordBatch]]:
        for first_row, batch in numbered(batches):
            hashes = self._hashes(batch)
            present = batch.column(self.on).is_valid()
            body = record_batch({**hashes, **document_columns(part, batch, first_row)})
            yield hashes["low"][present.to_numpy(zero_copy_only=False)], body.filter(present)

    def _hashes(self, batch: pa.RecordBatch) -> dict[str, Hashes]:
        buffers = text_buffers(batch.column(self.on))
        return {"low": hash_rows(*buffers, seed=0), "high": hash_rows(*buffers, seed=1)}

    def memory(self) -> Memory:
        return Memory(KEPT, (self.on,), self._keep, _sign_kept)

    def _keep(
        self, part: PartRef, batches: Iterator[pa.RecordBatch], decisions: pa.Table | None
    ) -> Iterator[pa.RecordBatch]:
        for first_row, batch in numbered(batches):
            stays = pa.array(~gone_rows(batch, first_row, decisions))
            present = batch.column(self.on).is_valid()
            yield record_batch(self._hashes(batch)).filter(pc.and_(stays, present))

    def rounds(self) -> Sequence[Round]:
        return [Round(_decide)]

    def apply(self, batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> Cleaned:
        return drop_rows(batch, first_row, decisions, "duplicate")


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
