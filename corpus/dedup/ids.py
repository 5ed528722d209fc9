"""A second document with an id that was seen before: found at the end of extract."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from corpus.dedup.blocks import columns, group_starts, keyed, numbered, partitioned, record_batch
from corpus.rules import Block
from corpus.text.buffers import text_buffers
from corpus.text.hashing import Hashes, hash_rows

BYTES_PER_DOCUMENT = 24  # two hashes: 8 bytes each; part, row: 4


def sign_ids(part: int, batches: Iterator[pa.RecordBatch], partitions: int, and_text: bool = False) -> Iterator[Block]:
    """Blocks of (low, high, part, row): 128 bits of hash of each id, so that equal means equal. With `and_text` also 64
    bits of hash of the text."""
    yield from partitioned(_signatures(part, batches, and_text), partitions)


def _signatures(
    part: int, batches: Iterator[pa.RecordBatch], and_text: bool
) -> Iterator[tuple[Hashes, pa.RecordBatch]]:
    for first_row, batch in numbered(batches):
        buffers = text_buffers(batch.column("id"))
        low, rows = hash_rows(*buffers, seed=0), batch.num_rows
        body = {
            "low": low,
            "high": hash_rows(*buffers, seed=1),
            "part": np.full(rows, part, np.int32),
            "row": np.arange(first_row, first_row + rows, dtype=np.uint32),
        }
        if and_text:
            body["text"] = hash_rows(*text_buffers(batch.column("text")))
        yield low, record_batch(body)


def decide_ids(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """(row, drop) by part, of the documents whose id an earlier one has: of equal ids the first in order of the raw
    bytes stays, so a rerun decides the same. Where the texts are signed too, `drop` is false where no earlier one has
    the same id and text."""
    entries = columns(blocks)
    text = entries.get("text", np.zeros(len(entries["low"]), np.uint64))
    order = np.lexsort([entries["row"], entries["part"], text, entries["high"], entries["low"]])
    entries = {name: column[order] for name, column in entries.items()}
    text = text[order]
    drop = ~group_starts(entries["low"], entries["high"], text)
    # The first of an id, by place and not by the hash of its text.
    by_place = np.lexsort([entries["row"], entries["part"], entries["high"], entries["low"]])
    first = np.zeros(len(drop), np.bool_)
    first[by_place] = group_starts(entries["low"][by_place], entries["high"][by_place])
    again = np.flatnonzero(~first)
    yield from keyed(entries["part"][again], record_batch({"row": entries["row"][again], "drop": drop[again]}))
