"""Lines of which the first copy stays: who has which line, and who keeps it.

What goes from a part to a partition is one row: its distinct lines there by hash, and of each its first document in the
part. Of a part of an index it is the hashes alone: of all documents it comes first, and nothing goes from it any more.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dedup.blocks import columns, group_starts, keyed, lists_by_partition, record_batch
from corpus.rules import Block, PartRef
from corpus.text.hashing import Hashes

NOWHERE = np.uint32(0xFFFFFFFF)
"""In place of the row of the document that keeps a line, where that is in another part."""

LISTS = ("hashes", "id_hash", "row", "twice")
"""Columns with a list of the lines; `twice`: several documents of the part have it."""


def sign_lines(
    part: PartRef, hashes: Hashes, rows: npt.NDArray[np.uint32], id_hashes: Hashes, partitions: int
) -> Iterator[Block]:
    """The lines of a part, 20 bytes and a bit for each distinct one.

    Args:
        hashes, rows: of each line, once for each document that has it.
        id_hashes: of each row of the part; the lowest comes first.
    """
    rank = np.empty(len(id_hashes), np.uint32)
    rank[np.argsort(id_hashes, kind="stable")] = np.arange(len(id_hashes), dtype=np.uint32)
    order = np.lexsort((rank[rows], hashes))
    starts = np.flatnonzero(group_starts(hashes[order]))
    distinct, first = hashes[order[starts]], rows[order[starts]]
    twice = np.diff(starts, append=len(order)) > 1
    yield from _by_partition(part, distinct, partitions, id_hashes[first], first, twice)


def sign_kept_lines(part: PartRef, hashes: Hashes, partitions: int) -> Iterator[Block]:
    """The lines of a part of an index, 8 bytes each; `hashes` are distinct and sorted."""
    nothing = np.empty(0, np.uint64), np.empty(0, np.uint32), np.empty(0, np.bool_)
    yield from _by_partition(part, hashes, partitions, *nothing)


def _by_partition(part: PartRef, hashes: Hashes, partitions: int, *beside: npt.NDArray[Any]) -> Iterator[Block]:
    scalars = {"part": np.int32(part.index), "priority": np.int32(part.priority)}
    yield from lists_by_partition(hashes, partitions, scalars, dict(zip(LISTS, (hashes, *beside), strict=True)))


def decide_lines(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """For each part those of its lines that other documents have too: `hash`, and `row` of the document that keeps the
    line, or `NOWHERE`."""
    batch = pa.concat_batches(blocks)
    counts, own = (batch.column(name).value_lengths().to_numpy() for name in ("hashes", "row"))
    hashes, id_hash, row, twice = (batch.column(name).flatten().to_numpy(zero_copy_only=False) for name in LISTS)
    from_documents = np.repeat(own > 0, counts)
    id_hash, row, twice = (_spread(values, from_documents) for values in (id_hash, row, twice))
    place = columns([batch.select(["part", "priority"])])
    part, priority = (np.repeat(place[name], counts) for name in ("part", "priority"))
    order = np.lexsort((part, id_hash, priority, hashes))
    first = group_starts(hashes[order])
    told = order[(~first | twice[order]) & from_documents[order]]
    row[order[~first]] = NOWHERE
    yield from keyed(part[told], record_batch({"hash": hashes[told], "row": row[told]}))


def _spread(values: npt.NDArray[Any], where: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """The values where it is true, zeros elsewhere."""
    out = np.zeros(len(where), values.dtype)
    out[where] = values
    return out
