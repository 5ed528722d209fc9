"""Run files: what some tasks give for every partition, in one file with an index (docs/format.md).

Layout, little-endian: slices, in order and back to back, each of so many neighbouring partitions (`width`); the index,
for each slice (u64 where it ends, u64 XXH3-64 of its bytes); the u64 number of each task; the trailer (u32 format,
u32 partitions, u32 width, u32 tasks, u32 pieces, u64 XXH3-64 of these five, u64 XXH3-64 of the index and all after it
up to here, 8 bytes magic). A reader of one slice reads the trailer, its own entry and its own bytes.

A task that gives more than a run may hold has several files: its pieces, numbered, and last the run, which says how
many pieces come before it. So a task is there when its run is there.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import xxhash

from corpus.errors import DamagedFile
from corpus.schema import FORMAT
from corpus.storage import commit, exists, join, open_read

_MAGIC = b"corpsrun"
_HEAD = struct.Struct("<5I")
_TRAILER = struct.Struct("<20sQQ8s")
_ENTRY = 16


@dataclass(frozen=True)
class Head:
    """What a run file says of itself.

    Attributes:
        partitions: of the exchange.
        width: neighbouring partitions that share a slice.
        parts: numbers of the tasks whose blocks it holds.
        pieces: how many files before it hold blocks of the same task.
    """

    partitions: int
    width: int
    parts: tuple[int, ...]
    pieces: int = 0

    @property
    def slices(self) -> int:
        return -(-self.partitions // self.width)


@dataclass(frozen=True)
class Run:
    """A run file that is there, with the pieces before it.

    Attributes:
        filled: which slices have bytes in any of them; bool, (slices,).
        size: bytes of all of them.
    """

    head: Head
    filled: npt.NDArray[np.bool_]
    size: int


def run_path(folder: str, part: int) -> str:
    """The run whose first task is `part`."""
    return join(folder, f"part-{part:05d}.spill")


def piece_path(folder: str, part: int, number: int) -> str:
    """A piece of task `part`, which one run could not hold."""
    return join(folder, f"part-{part:05d}.{number}.spill")


def run_paths(folder: str, part: int, pieces: int) -> list[str]:
    """All files of a run, in order."""
    return [*(piece_path(folder, part, number) for number in range(pieces)), run_path(folder, part)]


def write_run(path: str, head: Head, slices: Iterable[tuple[int, bytes]]) -> tuple[npt.NDArray[np.bool_], int]:
    """Commits a run file; `slices` are numbers, ascending, with bytes. Returns which slices have any, and its size."""
    index = np.zeros((head.slices, 2), "<u8")
    lengths = np.zeros(head.slices, np.uint64)

    def write(sink: Any) -> None:
        index[:, 1] = xxhash.xxh3_64_intdigest(b"")
        lengths[:] = 0
        for number, data in slices:
            lengths[number], index[number, 1] = len(data), xxhash.xxh3_64_intdigest(data)
            sink.write(data)
        index[:, 0] = np.cumsum(lengths)
        sink.write(_tail(index, head))

    commit(path, write)
    return lengths > 0, int(lengths.sum()) + len(_tail(index, head))


def read_run(folder: str, part: int) -> Run | None:
    """The run whose first task is `part`, where its file and all pieces before it are there and their indexes sound."""
    last = _whole(run_path(folder, part))
    if last is None:
        return None
    head, filled, size = last
    for number in range(head.pieces):
        piece = _whole(piece_path(folder, part, number))
        if piece is None or piece[0] != Head(head.partitions, head.width, head.parts, number):
            return None
        filled, size = filled | piece[1], size + piece[2]
    return Run(head, filled, size)


def read_slice(path: str, number: int) -> bytes | None:
    """The bytes of one slice, or None where it has none.

    Raises:
        DamagedFile: the file is cut short, altered, or of a format this version does not know.
    """
    with open_read(path) as file:
        head, index_at, _ = _read_trailer(file, path)
        if not 0 <= number < head.slices:
            raise ValueError(f"{path} has {head.slices} slices, not {number}")
        first = max(0, number - 1)
        file.seek(index_at + first * _ENTRY)
        entries = np.frombuffer(file.read((number + 1 - first) * _ENTRY), "<u8").reshape(-1, 2)
        start, end, checksum = int(entries[0, 0]) if number else 0, int(entries[-1, 0]), int(entries[-1, 1])
        if not start <= end <= index_at:
            raise _damaged(path, f"slice {number} ends where none can")
        file.seek(start)
        data = file.read(end - start)
    if xxhash.xxh3_64_intdigest(data) != checksum:
        raise _damaged(path, f"the bytes of slice {number} do not match their checksum")
    return data or None


def _tail(index: npt.NDArray[np.uint64], head: Head) -> bytes:
    """All that comes after the slices."""
    body = index.tobytes() + np.array(head.parts, "<u8").tobytes()
    own = _HEAD.pack(FORMAT, head.partitions, head.width, len(head.parts), head.pieces)
    return body + _TRAILER.pack(own, xxhash.xxh3_64_intdigest(own), xxhash.xxh3_64_intdigest(body + own), _MAGIC)


def _whole(path: str) -> tuple[Head, npt.NDArray[np.bool_], int] | None:
    """A file's own head, which of its slices have bytes, and its size; None where it is not there or not whole."""
    if not exists(path):
        return None
    try:
        with open_read(path) as file:
            head, index_at, size = _read_trailer(file, path)
            file.seek(index_at)
            tail = file.read(size - index_at)
    except DamagedFile:
        return None
    parts_at = head.slices * _ENTRY
    index = np.frombuffer(tail[:parts_at], "<u8").reshape(-1, 2)
    parts = np.frombuffer(tail[parts_at : parts_at + 8 * len(head.parts)], "<u8")
    head = Head(head.partitions, head.width, tuple(parts.tolist()), head.pieces)
    if tail != _tail(index, head):
        return None
    return head, np.diff(index[:, 0], prepend=np.uint64(0)) > 0, size


def _read_trailer(file: IO[bytes], path: str) -> tuple[Head, int, int]:
    """The head without the numbers of its tasks, where the index starts, and the size of the file."""
    size = file.seek(0, 2)
    if size < _TRAILER.size:
        raise _damaged(path, "it is cut short")
    file.seek(size - _TRAILER.size)
    own, checksum, _, magic = _TRAILER.unpack(file.read(_TRAILER.size))
    if magic != _MAGIC:
        raise _damaged(path, "it is cut short, or not a run file")
    if xxhash.xxh3_64_intdigest(own) != checksum:
        raise _damaged(path, "its trailer does not match its checksum")
    number, partitions, width, parts, pieces = _HEAD.unpack(own)
    if number != FORMAT:
        raise _damaged(path, f"it has format {number}, and this version reads format {FORMAT}")
    head = Head(partitions, width, (0,) * parts, pieces)
    index_at = size - _TRAILER.size - 8 * parts - _ENTRY * head.slices
    if index_at < 0:
        raise _damaged(path, "it is cut short")
    return head, index_at, size


def _damaged(path: str, what: str) -> DamagedFile:
    return DamagedFile(f"{path} is damaged, {what}: remove it and run the step again")
