"""Which tasks of an exchange share a run, and how fine it is cut: a pure function of counts and bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt
from typing import Any

RUN_BYTES = 64 << 20
"""Of blocks that a run holds, and that a worker holds before it cuts them."""
SLICE_BYTES = 48 << 10
"""Runs are cut into slices of as much at least, where there are many: an Arrow IPC stream has 500 to 1,000 bytes beside
its columns, which is 1 to 2% of that; and to write and to read a slice costs about as much time as a second pass over
half of these bytes."""
LEAST_GROUPS = 256
"""Groups of tasks, if there are so many tasks, however few bytes they give: so many workers find work at once."""
FEW_SLICES = 4096
"""So many in all may be thin: they take a fraction of a second."""
FRAMING = 800
"""Bytes of a slice beside its columns: about what a block of a dedup has."""


@dataclass(frozen=True)
class Group:
    """Tasks whose blocks one worker gathers, in order of their parts."""

    tasks: tuple[Any, ...]

    @property
    def part(self) -> int:
        return int(self.tasks[0].part)

    @property
    def parts(self) -> int:
        return len(self.tasks)

    def __str__(self) -> str:
        more = f" and the {self.parts - 1} after it" if self.parts > 1 else ""
        return f"{self.tasks[0]}{more}"


@dataclass(frozen=True)
class Grouping:
    """How an exchange gathers and cuts.

    Attributes:
        tasks: how many there are, or may be.
        partitions: of the exchange.
        size: bytes of all blocks, estimated; 0 = not known.
    """

    tasks: int
    partitions: int
    size: int = 0

    @property
    def groups(self) -> int:
        return min(self.tasks, max(LEAST_GROUPS, ceil(self.size / RUN_BYTES)))

    @property
    def runs(self) -> int:
        """That the tasks give, about."""
        return max(self.groups, ceil(self.size / RUN_BYTES))

    @property
    def width(self) -> int:
        """Neighbouring partitions that share a slice of a run: 1 where so many slices are thick, or few; else so many
        that they are, and at least about the root of all, which a second pass cuts apart."""
        enough = max(self.size // (self.runs * SLICE_BYTES), FEW_SLICES // self.runs, 1)
        if self.partitions <= enough:
            return 1
        root = ceil(sqrt(self.partitions))
        return ceil(self.partitions / min(root, enough)) if self.size else root

    @property
    def slices(self) -> int:
        """Of one run."""
        return ceil(self.partitions / self.width)

    @property
    def runs_of_a_slice(self) -> int:
        """That the second pass makes of the slices of one number in all runs, at least."""
        return max(1, ceil(self.size / self.slices / RUN_BYTES))

    def group_of(self, part: int) -> int:
        """The group of a task, where tasks are numbered from 0."""
        return part * self.groups // self.tasks

    def bucket_of(self, part: int) -> int:
        """Which of `runs_of_a_slice` the blocks of a task go to, where tasks are numbered from 0."""
        return part * self.runs_of_a_slice // self.tasks

    @property
    def passes(self) -> int:
        return 1 if self.width == 1 else 2

    @property
    def reads(self) -> int:
        """Slices that are read, each by opening its file once."""
        again = self.partitions * self.runs_of_a_slice if self.passes == 2 else 0
        return self.runs * self.slices + again

    @property
    def framing(self) -> int:
        """Bytes beside those of the columns."""
        return self.reads * FRAMING

    @property
    def disk(self) -> int:
        """Bytes of all run files: those of the first pass stay until the exchange is over."""
        return self.size * self.passes + self.framing

    def __str__(self) -> str:
        passes = " in two passes" if self.passes == 2 else ""
        noun = "partition" if self.partitions == 1 else "partitions"
        return f"{self.partitions:,} {noun}{passes}, {self.reads:,} reads"


def groups_of(tasks: Sequence[Any], grouping: Grouping) -> list[Group]:
    """The tasks in groups of neighbours, as equal in number as can be."""
    ends = [number * len(tasks) // grouping.groups for number in range(grouping.groups + 1)]
    return [Group(tuple(tasks[start:end])) for start, end in pairwise(ends)]
