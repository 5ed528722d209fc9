"""Exact duplicates of documents."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from corpus.dedup.blocks import (
    columns,
    document_columns,
    drop_rows,
    drops,
    group_starts,
    numbered,
    partitioned,
    record_batch,
)
from corpus.rules import Block, Cleaned, Dedup, PartRef, Round
from corpus.text.buffers import text_buffers
from corpus.text.hashing import Hashes, hash_rows


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
            column = batch.column(self.on)
            buffers = text_buffers(column)
            hashes = hash_rows(*buffers, seed=0)
            body = {"low": hashes, "high": hash_rows(*buffers, seed=1), **document_columns(part, batch, first_row)}
            present = column.is_valid()
            yield hashes[present.to_numpy(zero_copy_only=False)], record_batch(body).filter(present)

    def rounds(self) -> Sequence[Round]:
        return [Round(_decide)]

    def apply(self, batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> Cleaned:
        return drop_rows(batch, first_row, decisions, "duplicate")


def _decide(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    entries = columns(blocks)
    order = np.lexsort([entries[key] for key in ("row", "part", "id_hash", "priority", "high", "low")])
    low, high = entries["low"][order], entries["high"][order]
    loser = order[~group_starts(low, high)]
    yield from drops(entries["part"][loser], entries["row"][loser])
