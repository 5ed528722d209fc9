"""What the dedups share: columns as blocks, and rows to drop."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.rules import Block, Cleaned, PartRef
from corpus.text.buffers import text_buffers
from corpus.text.hashing import Hashes, hash_rows

Ints = npt.NDArray[np.int64]


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


def keyed(keys: npt.NDArray[Any], batch: pa.RecordBatch) -> Iterator[Block]:
    """The rows with the partition of each, as one block; none where there is no row."""
    if len(keys):
        yield keys, batch


def partitioned(signatures: Iterable[tuple[Hashes, pa.RecordBatch]], partitions: int) -> Iterator[Block]:
    """Blocks by the partition of the hash that stands beside each row."""
    for hashes, batch in signatures:
        yield from keyed(partition_of(hashes, partitions), batch)


def lists_by_partition(
    hashes: Hashes, partitions: int, scalars: Mapping[str, Any], lists: Mapping[str, npt.NDArray[Any]]
) -> Iterator[Block]:
    """One row for each partition that sorted hashes are of, so that what is the same in all of them costs little.

    Args:
        scalars: columns with one value, of NumPy's types.
        lists: columns with a list of the values that stand beside the hashes, or of nothing.
    """
    bounds = np.searchsorted(partition_of(hashes, partitions), np.arange(partitions + 1))
    filled = np.flatnonzero(np.diff(bounds))
    ends = np.append(bounds[filled], len(hashes))
    body = {name: pa.array(np.full(len(filled), value)) for name, value in scalars.items()}
    for name, values in lists.items():
        where = ends if len(values) else np.zeros_like(ends)
        body[name] = pa.LargeListArray.from_arrays(pa.array(where, pa.int64()), pa.array(values))
    yield from keyed(filled, pa.RecordBatch.from_arrays(list(body.values()), names=list(body)))


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


def among(values: npt.NDArray[Any], ordered: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which of the values a sorted array has."""
    if not len(ordered):
        return np.zeros(len(values), np.bool_)
    return np.asarray(ordered[np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)] == values)


def drops(part: npt.NDArray[np.int32], row: npt.NDArray[np.uint32]) -> Iterator[Block]:
    """Decisions that drop these rows, by part."""
    yield from keyed(part, record_batch({"row": row}))


def gone_rows(batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> npt.NDArray[np.bool_]:
    """Which rows `drops` named, in what was decided for their part; bool, (rows,)."""
    gone = np.zeros(batch.num_rows, np.bool_)
    if decisions is not None:
        rows = decisions.column("row").to_numpy().astype(np.int64) - first_row
        gone[rows[(rows >= 0) & (rows < batch.num_rows)]] = True
    return gone


def drop_rows(batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None, reason: str) -> Cleaned:
    """`apply` of a dedup of whole documents: the rows that `drops` named go, the text of the others stays."""
    gone = gone_rows(batch, first_row, decisions)
    return Cleaned(batch.column("text"), pa.array([None, reason], pa.string()).take(pa.array(gone.astype(np.int8))))
