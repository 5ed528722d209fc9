"""Regrouping through run files: the blocks of many tasks are gathered, cut by partition, and read by partition."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.rules import Block
from corpus.steps.grouping import RUN_BYTES, Group
from corpus.steps.runfile import Head, Run, piece_path, read_run, read_slice, run_path, run_paths, write_run

Counts = npt.NDArray[np.int64]

_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"  # of Arrow IPC: a message of no bytes


class _Task(Protocol):
    @property
    def part(self) -> int: ...


T_contra = TypeVar("T_contra", bound=_Task, contravariant=True)


class Produce(Protocol[T_contra]):
    """A picklable function from a task to its blocks, each with the partition it is for, or that of each row."""

    def __call__(self, task: T_contra, /) -> Iterator[Block]: ...


class GroupFailed(Exception):
    """Tasks of a group that failed, each with its error; the runs of all others are there."""

    def __init__(self, failures: list[tuple[str, Exception]]) -> None:
        super().__init__("; ".join(f"{name}: {error}" for name, error in failures))
        self.failures = failures


@dataclass(frozen=True)
class Gathered:
    """Blocks that make one run file.

    Attributes:
        parts: the tasks that they are of.
        pieces: files before this one that hold blocks of the same task.
        last: whether the tasks end with it.
    """

    parts: tuple[int, ...]
    pieces: int
    last: bool
    blocks: list[Block]


def gathered(
    tasks: Iterable[_Task], produce: Produce[Any], partitions: int, failed: Callable[[_Task, Exception], None]
) -> Iterator[Gathered]:
    """The blocks of all tasks, `RUN_BYTES` of them at a time and of whole tasks, or of a piece of one that gives more.
    A task that raises is told to `failed`, and the next ones are gathered without it.

    Raises:
        ValueError (to `failed`): a block is for a partition that does not exist.
    """
    parts: list[int] = []
    held: list[Block] = []
    size = 0
    for task in tasks:
        own: list[Block] = []
        own_size, pieces = 0, 0
        try:
            for block in produce(task):
                if not block[1].num_rows:
                    continue
                _check(block, partitions)
                own.append(block)
                own_size += block[1].nbytes
                if parts and size + own_size > RUN_BYTES:
                    yield Gathered(tuple(parts), 0, True, held)
                    parts, held, size = [], [], 0
                if own_size > RUN_BYTES:
                    yield Gathered((task.part,), pieces, False, own)
                    pieces += 1
                    own, own_size = [], 0
        except Exception as error:
            failed(task, error)
            if parts:  # a run is of neighbours: the next ones are not to be told from a group without this one
                yield Gathered(tuple(parts), 0, True, held)
                parts, held, size = [], [], 0
            continue
        if pieces:
            yield Gathered((task.part,), pieces, True, own)
        else:
            parts.append(task.part)
            held += own
            size += own_size
    if parts:
        yield Gathered(tuple(parts), 0, True, held)


def _check(block: Block, partitions: int) -> None:
    for partition in (np.min(block[0]), np.max(block[0])):
        if not 0 <= partition < partitions:
            raise ValueError(f"a block is for partition {partition}, and there are {partitions}")


def sort_rows(blocks: list[Block], partitions: int) -> tuple[pa.RecordBatch, Counts]:
    """All rows by partition, those of one partition as they came; and how many each has, shape (partitions,). Empties
    the list, so that the rows do not stay in memory twice."""
    rows = [batch.num_rows for _, batch in blocks]
    if all(np.ndim(key) == 0 for key, _ in blocks):
        keys = np.array([key for key, _ in blocks], np.int64)
        counts = np.bincount(keys, rows, partitions).astype(np.int64)
        batch = pa.concat_batches([blocks[i][1] for i in np.argsort(keys, kind="stable")])
        blocks.clear()
        return batch, counts
    keys = np.concatenate([np.broadcast_to(key, count) for (key, _), count in zip(blocks, rows, strict=True)])
    keys = keys.astype(np.int64, copy=False)
    batch = pa.concat_batches([batch for _, batch in blocks])
    blocks.clear()
    if (keys[1:] < keys[:-1]).any():
        batch = batch.take(pa.array(_order(keys)))
    return batch, np.bincount(keys, minlength=partitions)


def _order(keys: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """What sorts numbers below 2^32, equal ones as they came: NumPy's radix sort takes 16 bits."""
    order = np.argsort((keys & 0xFFFF).astype(np.uint16), kind="stable")
    if keys.max() < 1 << 16:
        return order
    return order[np.argsort((keys[order] >> 16).astype(np.uint16), kind="stable")]


def gather(blocks: Iterable[Block], partitions: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Blocks combined: one for each partition that got a row, in order of partition.

    Raises:
        ValueError: a block is for a partition that does not exist.
    """
    some = [block for block in blocks if block[1].num_rows]
    for block in some:
        _check(block, partitions)
    for partition, batch, _ in cut(some, partitions, 1):
        yield partition, batch


def cut(blocks: list[Block], partitions: int, width: int) -> Iterator[tuple[int, pa.RecordBatch, Counts]]:
    """(number, rows, how many of them are of each of its partitions) of each slice that has rows: partitions number x
    width up to, and without, (number + 1) x width. Empties the list, as `sort_rows` does."""
    if not blocks:
        return
    batch, counts = sort_rows(blocks, partitions)
    ends = np.concatenate([[0], np.cumsum(counts)])
    bounds = np.append(ends[::width], ends[-1]) if partitions % width else ends[::width]
    for number in np.flatnonzero(np.diff(bounds)):
        start, end = int(bounds[number]), int(bounds[number + 1])
        yield int(number), batch.slice(start, end - start), counts[number * width : (number + 1) * width]


def encode_block(block: pa.RecordBatch) -> bytes:
    """The batch as an Arrow IPC stream. A slice is cut out of its parent's buffers (pickle writes all of them)."""
    return b"".join([block.schema.serialize(), block.serialize(), _END_OF_STREAM])


def decode_block(data: bytes) -> pa.RecordBatch:
    """The batch of an encoded block, over the bytes given."""
    return pa.ipc.open_stream(data).read_next_batch()


def encode_slice(batch: pa.RecordBatch, counts: Counts) -> bytes:
    """A slice of a run: the block, and where it is of several partitions the u32 count of rows of each of them."""
    block = encode_block(batch)
    return block if len(counts) == 1 else block + counts.astype("<u4").tobytes()


def decode_counts(data: bytes, count: int) -> Counts:
    """How many rows each of the `count` partitions of an encoded slice has."""
    return np.frombuffer(data[len(data) - 4 * count :], "<u4").astype(np.int64)


@dataclass(frozen=True)
class Spilled:
    """What a group spilled: counts only.

    Attributes:
        reused: how many tasks whose run was there, whole, from before.
        runs: (first task, pieces before the last file) of each run.
        size: bytes of all files.
        filled: which slices got a row, one bit each (numpy.packbits).
    """

    part: int
    reused: int
    runs: tuple[tuple[int, int], ...]
    size: int
    filled: bytes

    @property
    def files(self) -> int:
        return sum(1 + pieces for _, pieces in self.runs)


@dataclass(frozen=True)
class WriteSpill:
    """Runs `produce` on the tasks of a group and commits their runs below `folder`; whole ones already there are kept.

    Attributes:
        width: neighbouring partitions that share a slice.
    """

    produce: Produce[Any]
    partitions: int
    folder: str
    width: int = 1

    def __call__(self, group: Group) -> Spilled:
        """Raises GroupFailed after the runs of all other tasks are written."""
        runs: list[Run] = []
        failures: list[tuple[str, Exception]] = []
        missing: list[_Task] = []
        reused = at = 0
        while at < group.parts:
            there = self._there(group.tasks[at:])
            if there is None:
                missing.append(group.tasks[at])
                at += 1
                continue
            runs += [*self._write(missing, failures), there]
            missing = []
            reused += len(there.head.parts)
            at += len(there.head.parts)
        runs += self._write(missing, failures)
        if failures:
            raise GroupFailed(failures)
        return Spilled(
            group.part,
            reused,
            tuple((run.head.parts[0], run.head.pieces) for run in runs),
            sum(run.size for run in runs),
            np.packbits(np.logical_or.reduce([run.filled for run in runs])).tobytes(),
        )

    def _there(self, tasks: Sequence[_Task]) -> Run | None:
        """The run that holds the first of the tasks, where it holds these alone and is cut as it would be now."""
        run = read_run(self.folder, tasks[0].part)
        parts = tuple(task.part for task in tasks[: len(run.head.parts)]) if run else ()
        return run if run and run.head == Head(self.partitions, self.width, parts, run.head.pieces) else None

    def _write(self, tasks: Sequence[_Task], failures: list[tuple[str, Exception]]) -> Iterator[Run]:
        def failed(task: _Task, error: Exception) -> None:
            failures.append((str(task), error))

        filled = np.zeros(-(-self.partitions // self.width), np.bool_)
        size = 0
        for some in gathered(tasks, self.produce, self.partitions, failed):
            head = Head(self.partitions, self.width, some.parts, some.pieces)
            first = some.parts[0]
            path = run_path(self.folder, first) if some.last else piece_path(self.folder, first, some.pieces)
            slices = cut(some.blocks, self.partitions, self.width)
            own, own_size = write_run(path, head, ((number, encode_slice(*of)) for number, *of in slices))
            filled, size = filled | own, size + own_size
            if some.last:
                yield Run(head, filled, size)
                filled, size = np.zeros_like(filled), 0


@dataclass(frozen=True)
class SpilledPartition:
    """Partitions of a regrouping whose blocks lie in run files.

    Attributes:
        part: number of the partition; of a slice of several, of the slice.
        slice: its number in the files.
        runs: (first task, pieces before the last file) of each run.
        width: partitions in the slice.
    """

    part: int
    folder: str
    slice: int
    runs: tuple[tuple[int, int], ...]
    width: int = 1

    def __str__(self) -> str:
        if self.width == 1:
            return f"partition {self.part:05d}"
        return f"partitions {self.part * self.width:05d} to {(self.part + 1) * self.width - 1:05d}"

    def encoded(self) -> Iterator[bytes]:
        """The bytes of the slice in each run, in order of the tasks they come from, each read when it is asked for.

        Raises:
            DamagedFile: a run file is cut short, altered, or of a format this version does not know.
        """
        for part, pieces in self.runs:
            for path in run_paths(self.folder, part, pieces):
                if (data := read_slice(path, self.slice)) is not None:
                    yield data

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """The blocks of the partition, in order of the tasks they come from; raises as `encoded` does."""
        return map(decode_block, self.encoded())


@dataclass(frozen=True)
class CutAgain:
    """Blocks of the partitions of a slice: the second pass, where slices of single partitions would be thin.

    Attributes:
        partitions: of the whole exchange.
        width: partitions in a slice.
    """

    partitions: int
    width: int

    def __call__(self, slices: SpilledPartition) -> Iterator[Block]:
        for data in slices.encoded():
            yield self.block(slices.part, data)

    def block(self, number: int, data: bytes) -> Block:
        """The rows of slice `number`, each with the partition it is for, counted from the first of the slice."""
        block = decode_block(data)
        count = min(self.width, self.partitions - number * self.width)
        # The last slice of a number of partitions that the width does not divide may be of one alone.
        counts = decode_counts(data, count) if count > 1 else [block.num_rows]
        return np.repeat(np.arange(count), counts), block


@dataclass(frozen=True)
class GroupedPartition:
    """One partition of a regrouping whose encoded blocks a runner's GroupByKey has brought together."""

    part: int
    encoded: tuple[bytes, ...]

    def __str__(self) -> str:
        return f"partition {self.part:05d}"

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """The blocks of the partition, in no particular order."""
        return (decode_block(data) for data in self.encoded)


def spilled_partitions(
    spills: Sequence[Spilled], folder: str, partitions: int, width: int = 1
) -> Iterator[SpilledPartition]:
    """The partitions, or slices of `width` of them, that got a block, in order."""
    runs = tuple(sorted(run for spill in spills for run in spill.runs))
    for number in _filled(spills, -(-partitions // width)):
        yield SpilledPartition(number, folder, number, runs, width)


def cut_partitions(spills: Sequence[Spilled], folder: str, partitions: int, width: int) -> Iterator[SpilledPartition]:
    """The partitions that got a block, in order, from runs that `CutAgain` made of one slice each."""
    for spill in sorted(spills, key=lambda spill: spill.part):
        for number in _filled([spill], width):
            yield SpilledPartition(spill.part * width + number, folder, number, spill.runs)


def _filled(spills: Sequence[Spilled], slices: int) -> list[int]:
    filled = np.zeros(-(-slices // 8), np.uint8)
    for spill in spills:
        filled |= np.frombuffer(spill.filled, np.uint8)
    return np.flatnonzero(np.unpackbits(filled, count=slices)).tolist()
