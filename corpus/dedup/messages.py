"""Tables of several kinds that a part sends to others in one regrouping.

All blocks of an exchange have one schema; a message is a row with the number of the part that sent it and a column for
each kind of table, a list of that table's rows. So the number of the sender, and a table that stays empty, cost nothing
beside the rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dedup.blocks import Ints, record_batch
from corpus.rules import Block

SENDER = "sender"

Table = dict[str, Any]
"""Columns of equal length by name."""

Columns = Mapping[str, Any]
"""The columns of a kind of table, with their dtypes."""


def empty(kind: Columns) -> Table:
    """A table without rows."""
    return {name: np.empty(0, dtype) for name, dtype in kind.items()}


def rows_of(table: Table, kind: Columns) -> pa.RecordBatch:
    """A table as it is sent."""
    return record_batch({name: np.asarray(table[name], dtype) for name, dtype in kind.items()})


def send(sender: int, tables: Mapping[str, tuple[npt.NDArray[Any], pa.RecordBatch]]) -> Iterator[Block]:
    """A message for each partition that a row is for. Every call for one exchange must name the same tables.

    Args:
        sender: number of the part; of a round, which is no part, -1.
        tables: for each kind the partition that each row is for, and the rows.
    """
    partitions = np.unique(np.concatenate([np.asarray(to, np.int64) for to, _ in tables.values()]))
    if not len(partitions):
        return
    columns = [pa.array(np.full(len(partitions), sender, np.int32))]
    for to, rows in tables.values():
        place = np.searchsorted(partitions, to)
        order = np.argsort(place.astype(np.uint16) if len(partitions) < 1 << 16 else place, kind="stable")
        ends = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=len(partitions)))])
        columns.append(pa.LargeListArray.from_arrays(ends, rows.take(pa.array(order)).to_struct_array()))
    batch = pa.RecordBatch.from_arrays(columns, names=[SENDER, *tables])
    yield partitions, batch


def receive(blocks: Sequence[pa.RecordBatch], kind: str) -> Table:
    """The rows of one kind in all messages, by column: numbers as NumPy arrays, else Arrow's; and `SENDER` of each."""
    batch = pa.concat_batches(blocks)
    lists = batch.column(kind)
    table = pa.RecordBatch.from_struct_array(lists.flatten())
    found: Table = {
        name: column.to_numpy(zero_copy_only=False) if pa.types.is_primitive(column.type) else column
        for name, column in zip(table.schema.names, table.columns, strict=True)
    }
    senders: Ints = batch.column(SENDER).to_numpy().astype(np.int64)
    return found | {SENDER: np.repeat(senders, lists.value_lengths().to_numpy())}
