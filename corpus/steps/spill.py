"""Spill files: one part's blocks for every partition of a regrouping, in one file with an index (docs/format.md).

Layout, little-endian: the header (8 bytes magic, u32 format, u32 number of partitions); for each partition that got
a block, in order, one Arrow IPC stream of one batch; the index, for each partition (u64 offset, u64 length, u64
XXH3-64 of these bytes), zeros where it got none; the trailer (u64 XXH3-64 of header and index, 8 bytes magic). A
reader of one partition touches its own entry and its own bytes only.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from corpus.errors import DamagedFile
from corpus.rules import Block
from corpus.schema import FORMAT
from corpus.storage import commit, exists, join, open_read

_MAGIC = b"crpspill"
_HEADER = struct.Struct("<8sII")
_ENTRY = struct.Struct("<QQQ")
_TRAILER = struct.Struct("<Q8s")


class _Task(Protocol):
    @property
    def part(self) -> int: ...


T_contra = TypeVar("T_contra", bound=_Task, contravariant=True)


class Produce(Protocol[T_contra]):
    """A picklable function from a task to its blocks, each with the partition it is for."""

    def __call__(self, task: T_contra, /) -> Iterator[Block]: ...


def gather(blocks: Iterator[Block], partitions: int) -> Iterator[Block]:
    """The blocks of one task combined: one for each partition that got a row, in order of partition.

    Raises:
        ValueError: a block is for a partition that does not exist.
    """
    held: dict[int, list[pa.RecordBatch]] = {}
    for partition, block in blocks:
        if not 0 <= partition < partitions:
            raise ValueError(f"a block is for partition {partition}, and there are {partitions}")
        if block.num_rows:
            held.setdefault(int(partition), []).append(block)
    for partition in sorted(held):
        some = held.pop(partition)
        yield partition, some[0] if len(some) == 1 else pa.concat_batches(some)


def encode_block(block: pa.RecordBatch) -> pa.Buffer:
    """The batch as an Arrow IPC stream. A slice is cut out of its parent's buffers (pickle writes all of them)."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, block.schema) as writer:
        writer.write_batch(block)
    return sink.getvalue()


def decode_block(data: bytes | pa.Buffer) -> pa.RecordBatch:
    """The batch of an encoded block, over the bytes given."""
    return pa.ipc.open_stream(data).read_next_batch()


@dataclass(frozen=True)
class Spilled:
    """What one task spilled: counts only.

    Attributes:
        size: bytes of its file.
        filled: which partitions got a block, one bit each (numpy.packbits).
        reused: the file was there, whole, from a run before.
    """

    part: int
    size: int
    filled: bytes
    reused: bool = False


@dataclass(frozen=True)
class WriteSpill:
    """Runs `produce` on a task and commits its spill file below `folder`; a whole file already there is kept."""

    produce: Produce[Any]
    partitions: int
    folder: str

    def __call__(self, task: _Task) -> Spilled:
        path = spill_path(self.folder, task.part)
        reused = _whole(path, self.partitions)
        if not reused:
            commit(path, lambda sink: _write(sink, gather(self.produce(task), self.partitions), self.partitions))
        with open_read(path) as file:
            index, size = _read_index(file, path)
        return Spilled(task.part, size, np.packbits(index[:, 1] > 0).tobytes(), reused)


@dataclass(frozen=True)
class SpilledPartition:
    """One partition of a regrouping whose blocks lie in spill files.

    Attributes:
        part: number of the partition.
        parts: the tasks that spilled, as ranges of their part numbers.
    """

    part: int
    folder: str
    parts: tuple[range, ...]

    def __str__(self) -> str:
        return f"partition {self.part:05d}"

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """The blocks of the partition, in order of the parts they come from, each read when it is asked for.

        Raises:
            DamagedFile: a spill file is cut short, altered, or of a format this version does not know.
        """
        found = (read_slice(spill_path(self.folder, part), self.part) for some in self.parts for part in some)
        return (block for block in found if block is not None)


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


def spilled_partitions(spills: list[Spilled], folder: str, partitions: int) -> Iterator[SpilledPartition]:
    """The partitions that got a block, in order."""
    filled = np.zeros(-(-partitions // 8), np.uint8)
    for spill in spills:
        filled |= np.frombuffer(spill.filled, np.uint8)
    parts = _ranges(sorted(spill.part for spill in spills))
    for partition in np.flatnonzero(np.unpackbits(filled, count=partitions)):
        yield SpilledPartition(int(partition), folder, parts)


def spill_path(folder: str, part: int) -> str:
    return join(folder, f"part-{part:05d}.spill")


def read_slice(path: str, partition: int) -> pa.RecordBatch | None:
    """The block of one partition in a spill file, or None when it got none.

    Raises:
        DamagedFile: the file is cut short, altered, or of a format this version does not know.
    """
    with open_read(path) as file:
        start, partitions = _check_ends(file, path)
        if not 0 <= partition < partitions:
            raise ValueError(f"{path} has {partitions} partitions, not {partition}")
        file.seek(start + partition * _ENTRY.size)
        offset, length, checksum = _ENTRY.unpack(file.read(_ENTRY.size))
        if not length:
            return None
        file.seek(offset)
        data = file.read(length) if offset + length <= start else b""
    if xxhash.xxh3_64_intdigest(data) != checksum:
        raise _damaged(path, f"the bytes of partition {partition} do not match their checksum")
    return decode_block(data)


def _write(sink: Any, blocks: Iterator[Block], partitions: int) -> None:
    header = _HEADER.pack(_MAGIC, FORMAT, partitions)
    sink.write(header)
    index = np.zeros((partitions, 3), "<u8")
    offset = len(header)
    for partition, block in blocks:
        data = encode_block(block)
        index[partition] = offset, data.size, xxhash.xxh3_64_intdigest(data)
        sink.write(data)
        offset += data.size
    body = index.tobytes()
    sink.write(body)
    sink.write(_TRAILER.pack(xxhash.xxh3_64_intdigest(header + body), _MAGIC))


def _whole(path: str, partitions: int) -> bool:
    """Whether a spill file of so many partitions is there, with both ends and a sound index."""
    if not exists(path):
        return False
    try:
        with open_read(path) as file:
            index, _ = _read_index(file, path)
    except DamagedFile:
        return False
    return len(index) == partitions


def _read_index(file: IO[bytes], path: str) -> tuple[npt.NDArray[np.uint64], int]:
    """The whole index, shape (partitions, 3), and the size of the file."""
    start, partitions = _check_ends(file, path)
    file.seek(start)
    body = file.read(partitions * _ENTRY.size)
    checksum, _ = _TRAILER.unpack(file.read(_TRAILER.size))
    if xxhash.xxh3_64_intdigest(_HEADER.pack(_MAGIC, FORMAT, partitions) + body) != checksum:
        raise _damaged(path, "its index does not match its checksum")
    return np.frombuffer(body, "<u8").reshape(partitions, 3), start + len(body) + _TRAILER.size


def _check_ends(file: IO[bytes], path: str) -> tuple[int, int]:
    """Where the index starts, and the number of partitions."""
    size = file.seek(0, 2)
    if size < _HEADER.size + _TRAILER.size:
        raise _damaged(path, "it is cut short")
    file.seek(0)
    magic, number, partitions = _HEADER.unpack(file.read(_HEADER.size))
    if magic != _MAGIC:
        raise _damaged(path, "it is not a spill file")
    if number != FORMAT:
        raise _damaged(path, f"it has format {number}, and this version reads format {FORMAT}")
    file.seek(size - _TRAILER.size)
    _, magic = _TRAILER.unpack(file.read(_TRAILER.size))
    start = size - _TRAILER.size - partitions * _ENTRY.size
    if magic != _MAGIC or start < _HEADER.size:
        raise _damaged(path, "it is cut short")
    return start, partitions


def _damaged(path: str, what: str) -> DamagedFile:
    return DamagedFile(f"{path} is damaged, {what}: remove it and run the step again")


def _ranges(numbers: list[int]) -> tuple[range, ...]:
    """Sorted numbers as runs, so that a partition of thousands of files stays a few bytes."""
    runs: list[range] = []
    for number in numbers:
        if runs and runs[-1].stop == number:
            runs[-1] = range(runs[-1].start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return tuple(runs)
