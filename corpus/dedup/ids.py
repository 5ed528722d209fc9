"""A second document with an id that was seen before: found at the end of extract."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from corpus.rules import Block
from corpus.text.buffers import text_buffers
from corpus.text.hashing import hash_rows

BYTES_PER_DOCUMENT = 32


def sign_ids(part: int, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """Blocks of (hash, second hash, part, row): two 64-bit hashes of each id, so that equal means equal."""
    row = 0
    for batch in batches:
        data, offsets = text_buffers(batch.column("id"))
        first, second = hash_rows(data, offsets, 0), hash_rows(data, offsets, 1)
        rows = np.arange(row, row + batch.num_rows, dtype=np.uint32)
        row += batch.num_rows
        owner = first % np.uint64(partitions)
        for partition in np.unique(owner):
            chosen = owner == partition
            yield (
                int(partition),
                pa.RecordBatch.from_pydict(
                    {
                        "hash": first[chosen],
                        "second": second[chosen],
                        "part": np.full(int(chosen.sum()), part, np.uint32),
                        "row": rows[chosen],
                    }
                ),
            )


def decide_ids(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """Rows to drop, by part: of equal ids the first in order of the raw bytes stays, so a rerun decides the same."""
    table = pa.Table.from_batches(blocks)
    first, second, part, row = (table.column(name).to_numpy() for name in ("hash", "second", "part", "row"))
    order = np.lexsort((row, part, second, first))
    first, second, part, row = first[order], second[order], part[order], row[order]
    again = np.zeros(len(first), bool)
    again[1:] = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
    for number in np.unique(part[again]):
        yield int(number), pa.RecordBatch.from_pydict({"row": row[again & (part == number)]})
