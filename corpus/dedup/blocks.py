"""What the dedups share: cutting columns into blocks, and rows to drop."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.rules import Block, Cleaned, PartRef
from corpus.text.buffers import text_buffers
from corpus.text.hashing import Hashes, hash_rows

Ints = npt.NDArray[np.int64]

HOLD_BYTES = 64 << 20
"""Signatures of one part held before they are cut by partition: fewer, longer blocks for this much memory."""


def document_columns(part: PartRef, batch: pa.RecordBatch, first_row: int) -> dict[str, Any]:
    """The columns of `corpus.rules.Winner` for each row: priority, id_hash, part, row."""
    rows = batch.num_rows
    return {
        "priority": np.full(rows, part.priority, np.int32),
        "id_hash": hash_rows(*text_buffers(batch.column("id"))),
        "part": np.full(rows, part.index, np.int32),
        "row": np.arange(first_row, first_row + rows, dtype=np.uint32),
    }


def numbered(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Each batch with the number of its first row in the part."""
    row = 0
    for batch in batches:
        yield row, batch
        row += batch.num_rows


def partition_of(hashes: Hashes, partitions: int) -> Ints:
    """Partition of each 64-bit hash: equal ranges of the upper 32 bits, so that it rises with the hash."""
    return (((hashes >> np.uint64(32)) * np.uint64(partitions)) >> np.uint64(32)).astype(np.int64)


def cut(keys: npt.NDArray[Any], batch: pa.RecordBatch) -> Iterator[Block]:
    """One block for each distinct key, with its rows in their order."""
    if not len(keys):
        return
    if keys.max() < 1 << 16:
        keys = keys.astype(np.uint16)  # a radix sort
    order = np.argsort(keys, kind="stable")
    keys, batch = keys[order], batch.take(pa.array(order))
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    for start, end in zip(starts, np.r_[starts[1:], len(keys)], strict=True):
        yield int(keys[start]), batch.slice(int(start), int(end - start))


def partitioned(signatures: Iterable[tuple[Hashes, pa.RecordBatch]], partitions: int) -> Iterator[Block]:
    """Blocks by the partition of the hash that stands beside each row, about `HOLD_BYTES` of them at a time."""
    held: list[tuple[Hashes, pa.RecordBatch]] = []
    size = 0
    for hashes, batch in signatures:
        held.append((hashes, batch))
        size += batch.nbytes
        if size >= HOLD_BYTES:
            yield from _cut_held(held, partitions)
            held, size = [], 0
    if held:
        yield from _cut_held(held, partitions)


def _cut_held(held: list[tuple[Hashes, pa.RecordBatch]], partitions: int) -> Iterator[Block]:
    keys = partition_of(np.concatenate([hashes for hashes, _ in held]), partitions)
    yield from cut(keys, pa.concat_batches([batch for _, batch in held]))


def columns(blocks: Sequence[pa.RecordBatch]) -> dict[str, npt.NDArray[Any]]:
    """Columns of numbers, or of true and false, of all blocks together."""
    batch = pa.concat_batches(blocks)
    return {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}


def record_batch(values: Mapping[str, Any]) -> pa.RecordBatch:
    """Arrays by name as a batch."""
    return pa.RecordBatch.from_arrays([pa.array(column) for column in values.values()], names=list(values))


def group_starts(*keys: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """True where a row of sorted columns differs from the row before it in any of them; True in the first row."""
    new = np.ones(len(keys[0]), np.bool_)
    if len(new):
        new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return new


def drops(part: npt.NDArray[np.int32], row: npt.NDArray[np.uint32]) -> Iterator[Block]:
    """Decisions that drop these rows, by part."""
    yield from cut(part, record_batch({"row": row}))


def drop_rows(batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None, reason: str) -> Cleaned:
    """`apply` of a dedup of whole documents: the rows that `drops` named go, the text of the others stays."""
    gone = np.zeros(batch.num_rows, np.bool_)
    if decisions is not None:
        rows = decisions.column("row").to_numpy().astype(np.int64) - first_row
        gone[rows[(rows >= 0) & (rows < batch.num_rows)]] = True
    return Cleaned(batch.column("text"), pa.array([None, reason], pa.string()).take(pa.array(gone.astype(np.int8))))
