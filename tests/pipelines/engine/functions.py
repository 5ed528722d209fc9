"""Functions that tests give to worker processes, which import them by name from this module."""

import ctypes
import errno
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numba
import numpy as np
import pyarrow as pa

from corpus.errors import UserError
from corpus.kernel import kernel
from corpus.rules import Block
from corpus.steps.dedupe import Partition


@dataclass(frozen=True)
class Job:
    """A task: `part`, and where it may leave marks for the test."""

    part: int
    folder: str = ""

    def __str__(self) -> str:
        return f"part-{self.part:05d}"


@dataclass(frozen=True)
class Counted:
    part: int
    total: int
    bytes_in: int = 1000
    documents_in: int = 10
    documents_out: int = 7


def double(job: Job) -> int:
    return job.part * 2


def counted(job: Job) -> Counted:
    return Counted(job.part, job.part)


@kernel
def _tripled(n: int) -> int:
    return 3 * n


def tripled(job: Job) -> int:
    """By a kernel, whose machine code is kept in the job's folder."""
    with patch.object(numba.config, "CACHE_DIR", job.folder):
        return _tripled(job.part)


def process_id(job: Job) -> int:
    return os.getpid()


def working_folder(job: Job) -> str:
    return os.getcwd()


def skewed(job: Job) -> tuple[int, int]:
    """Part 0 waits until every other part has left its mark: it ends only where the others pass it by."""
    marks = Path(job.folder)
    if job.part == 0:
        deadline = time.monotonic() + 60
        while len(list(marks.iterdir())) < 7:
            if time.monotonic() > deadline:
                raise TimeoutError("the other parts waited behind part 0")
            time.sleep(0.01)
    else:
        (marks / str(job.part)).touch()
    return job.part, os.getpid()


def killed_once(job: Job) -> int:
    """Part 3's worker is killed in its first attempt."""
    mark = Path(job.folder) / "attempted"
    if job.part == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return job.part


def killed_always(job: Job) -> int:
    (Path(job.folder) / f"{job.part}-{os.getpid()}").touch()
    if job.part == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if job.part == 5:
        os._exit(7)
    return job.part


class Unpicklable(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one}\n{two}")


def failing(job: Job) -> int:
    (Path(job.folder) / str(job.part)).touch()
    if job.part == 1:
        raise UserError("config.yaml has no key `x`: add it")
    if job.part == 2:
        raise Unpicklable("two", "lines")
    return job.part


def disk_full(job: Job) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"part-{job.part:05d}.parquet")


def lambda_result(job: Job) -> object:
    return lambda: job.part


def long(job: Job) -> None:
    (Path(job.folder) / str(os.getpid())).touch()
    time.sleep(600)


def stuck(job: Job) -> None:
    """In a C function that keeps the interpreter's lock: no thread and no signal handler of Python runs."""
    (Path(job.folder) / str(os.getpid())).touch()
    ctypes.PyDLL(None).sleep(600)


@dataclass(frozen=True)
class Numbers:
    """Part n gives the numbers n * rows .. (n + 1) * rows - 1, each to the partition of its value, in slices of one big
    batch, as a signer does that sorts by partition."""

    rows: int
    partitions: int
    skip: int = -1

    def __call__(self, task: Job) -> Iterator[Block]:
        values = np.arange(task.part * self.rows, (task.part + 1) * self.rows, dtype=np.uint64)
        partition = (values % np.uint64(self.partitions)).astype(np.int64)
        order = np.argsort(partition, kind="stable")
        batch = pa.record_batch({"hash": values[order] << np.uint64(32), "part": pa.array([task.part] * self.rows)})
        ends = np.searchsorted(partition[order], np.arange(self.partitions + 1))
        for p in range(self.partitions):
            if p == self.skip:
                continue
            middle = (ends[p] + ends[p + 1]) // 2
            yield p, batch.slice(ends[p], middle - ends[p])
            yield p, batch.slice(middle, ends[p + 1] - middle)


@dataclass(frozen=True)
class Marked:
    """`Numbers`, that leave a mark in the job's folder for each attempt, and of some parts fail or are killed once."""

    numbers: Numbers
    failing: tuple[int, ...] = ()
    killed: int = -1

    def __call__(self, task: Job) -> Iterator[Block]:
        first = not list(Path(task.folder).glob(f"{task.part}-*"))
        (Path(task.folder) / f"{task.part}-{time.monotonic_ns()}").touch()
        yield from self.numbers(task)
        if first and task.part in self.failing:
            raise Unpicklable("of part", str(task.part))
        if first and task.part == self.killed:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Again:
    """A partition's numbers, sent back to the part that they came from."""

    def __call__(self, partition: Partition) -> Iterator[Block]:
        for block in partition.blocks():
            parts = np.asarray(block.column("part"))
            for part in np.unique(parts):
                yield int(part), block.filter(pa.array(parts == part))


@dataclass(frozen=True)
class SumUp:
    """Writes (partition, rows, sum) to a file, and gives the count of blocks."""

    folder: str

    def __call__(self, partition: Partition) -> int:
        blocks = list(partition.blocks())
        values = np.sort(np.concatenate([np.asarray(block.column("hash")) for block in blocks]))
        (Path(self.folder) / f"{partition.part}.npy").write_bytes(values.tobytes())
        return len(blocks)


@dataclass(frozen=True)
class BadPartition:
    def __call__(self, task: Job) -> Iterator[Block]:
        yield 99, pa.record_batch({"x": [1]})
