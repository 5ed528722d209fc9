"""A second document with an id that was seen before: found at the end of extract."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from corpus.dedup.blocks import columns, drops, group_starts, numbered, partitioned, record_batch
from corpus.rules import Block
from corpus.text.buffers import text_buffers
from corpus.text.hashing import Hashes, hash_rows

BYTES_PER_DOCUMENT = 24  # two hashes: 8 bytes each; part, row: 4


def sign_ids(part: int, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """Blocks of (low, high, part, row): 128 bits of hash of each id, so that equal means equal."""
    yield from partitioned(_signatures(part, batches), partitions)


def _signatures(part: int, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[Hashes, pa.RecordBatch]]:
    for first_row, batch in numbered(batches):
        buffers = text_buffers(batch.column("id"))
        low, rows = hash_rows(*buffers, seed=0), batch.num_rows
        body = {
            "low": low,
            "high": hash_rows(*buffers, seed=1),
            "part": np.full(rows, part, np.int32),
            "row": np.arange(first_row, first_row + rows, dtype=np.uint32),
        }
        yield low, record_batch(body)


def decide_ids(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """Rows to drop, by part: of equal ids the first in order of the raw bytes stays, so a rerun decides the same."""
    entries = columns(blocks)
    order = np.lexsort([entries[key] for key in ("row", "part", "high", "low")])
    again = order[~group_starts(entries["low"][order], entries["high"][order])]
    yield from drops(entries["part"][again], entries["row"][again])
