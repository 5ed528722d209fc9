"""The one way to regroup: blocks keyed by partition, brought together by partition."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from corpus.rules import Block
from corpus.steps.grouping import LEAST_GROUPS, Group, Grouping, groups_of
from corpus.steps.spill import (
    CutAgain,
    GroupedPartition,
    Produce,
    SpilledPartition,
    WriteSpill,
    cut,
    cut_partitions,
    encode_slice,
    gathered,
    spilled_partitions,
)
from corpus.storage import join
from pipelines.engine.partmap import each_part, part_failed
from pipelines.engine.pool import PartsFailed, run_parts
from pipelines.engine.runner import Runner
from pipelines.engine.software import OnWorkers


class Exchange(beam.PTransform):
    """Tasks -> the partitions that got a block, each with `.part` and `.blocks()`, so that it is itself a task.

    `produce` gives a task's blocks, each with the partition it is for; like every function that works on parts it
    is picklable by name and its module does not import Beam. The blocks of neighbouring tasks are gathered and cut
    together, so that what an exchange costs follows the bytes, not the number of tasks times that of partitions
    (`corpus.steps.grouping`); where slices would still be thin, they are cut in two passes.

    With a pool they go through run files below `work` and only counts cross Beam: the driver's memory does not grow
    with the data, and whole run files left by a killed run are used again. On a cluster they go through a GroupByKey
    as Arrow IPC bytes, one value for each run and partition; tasks that are partitions of an exchange before are not
    gathered there, they stay where their blocks are.

    Args:
        partitions: how many; the same number must be given after a restart.
        work: folder of this exchange alone (any fsspec path that the workers share), removed by the caller.
        size: bytes of all blocks, estimated: how tasks are gathered follows from it, not from the number of workers.
        tasks: how many there are at most, numbered from 0; 0 = not known, and then a cluster gathers none of them.
    """

    def __init__(
        self,
        produce: Produce[Any],
        partitions: int,
        work: str,
        runner: Runner,
        label: str,
        size: int = 0,
        tasks: int = 0,
    ) -> None:
        super().__init__()
        self._produce = produce
        self._partitions = partitions
        self._work = work
        self._runner = runner
        self._label = label
        self._size = size
        self._tasks = tasks

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        if self._runner.has_pool:
            return (
                tasks
                | "All tasks" >> beam.combiners.ToList()
                | "Spill"
                >> beam.FlatMap(
                    _Spill(self._produce, self._partitions, self._work, self._runner, self._label, self._size)
                ).with_output_types(SpilledPartition)
            )
        grouping = Grouping(self._tasks or LEAST_GROUPS, self._partitions, self._size)
        slices = self._groups(tasks, grouping) | "Cut" >> beam.FlatMap(
            OnWorkers(_Cut(self._produce, grouping, self._label))
        ).with_output_types(tuple[tuple[int, int], bytes])
        if grouping.width > 1:
            slices = (
                slices
                | "Group slices" >> beam.GroupByKey()
                | "Cut again"
                >> beam.FlatMap(OnWorkers(_CutAgain(grouping))).with_output_types(tuple[tuple[int, int], bytes])
            )
        return (
            slices
            | "By partition" >> beam.Map(_by_partition).with_output_types(tuple[int, bytes])
            | "Group" >> beam.GroupByKey()
            | "Partition" >> beam.Map(_grouped).with_output_types(GroupedPartition)
        )

    def _groups(self, tasks: beam.PCollection, grouping: Grouping) -> beam.PCollection:
        if tasks.element_type is GroupedPartition:
            return tasks | "Alone" >> beam.Map(_alone)
        if not self._tasks:
            return tasks | "Spread" >> beam.Reshuffle() | "Alone" >> beam.Map(_alone)
        return (
            tasks
            | "Key" >> beam.Map(_keyed, grouping).with_output_types(tuple[int, Any])
            | "Gather" >> beam.GroupByKey()
            | "In order" >> beam.Map(_in_order)
        )


@dataclass(frozen=True)
class _Spill:
    """All tasks at once, in the driver's own process: groups of them spill in the pool, and come back as counts."""

    produce: Produce[Any]
    partitions: int
    work: str
    runner: Runner
    label: str
    size: int

    def __call__(self, tasks: list[Any]) -> Iterator[SpilledPartition]:
        if not tasks:
            return
        # The order in which Beam gathers is its own business; the order of work and of blocks is the parts'.
        tasks = sorted(tasks, key=lambda task: task.part)
        grouping = Grouping(len(tasks), self.partitions, self.size)
        width = grouping.width
        write = WriteSpill(self.produce, self.partitions, self.work, width)
        spills = self._run(write, groups_of(tasks, grouping), self.label)
        slices = spilled_partitions(spills, self.work, self.partitions, width)
        if width == 1:
            yield from slices
            return
        folder = join(self.work, f"{self.partitions}-by-{width}")
        write = WriteSpill(CutAgain(self.partitions, width), width, folder)
        again = self._run(write, [Group((some,)) for some in slices], f"{self.label}, cut again")
        yield from cut_partitions(again, folder, self.partitions, width)

    def _run(self, write: WriteSpill, groups: list[Group], label: str) -> list[Any]:
        spills = run_parts(write, groups, self.runner.workers, label, self.runner.quiet)
        if not self.runner.quiet:
            size, files = sum(spill.size for spill in spills), sum(spill.files for spill in spills)
            print(f"{label}: spilled {size} bytes in {files} files", file=sys.stderr)
        return spills


@dataclass(frozen=True)
class _Cut:
    """A group's blocks -> ((slice, bucket), bytes): of each run one value for each slice that it fills."""

    produce: Produce[Any]
    grouping: Grouping
    label: str

    def __call__(self, group: Group) -> Iterator[tuple[tuple[int, int], bytes]]:
        partitions, width = self.grouping.partitions, self.grouping.width
        for some in gathered(group.tasks, self._logged, partitions, self._stop):
            bucket = self.grouping.bucket_of(some.parts[0])
            for number, *rows in cut(some.blocks, partitions, width):
                yield (number, bucket), encode_slice(*rows)

    def _logged(self, task: Any) -> Iterator[Block]:
        with each_part(self.label, task):
            yield from self.produce(task)

    def _stop(self, task: Any, error: Exception) -> None:
        raise error if isinstance(error, PartsFailed) else part_failed(self.label, task, error)


@dataclass(frozen=True)
class _CutAgain:
    """The values of a slice and bucket -> those of its partitions."""

    grouping: Grouping

    def __call__(self, keyed: tuple[tuple[int, int], Iterable[bytes]]) -> Iterator[tuple[tuple[int, int], bytes]]:
        (number, bucket), encoded = keyed
        width = self.grouping.width
        again = CutAgain(self.grouping.partitions, width)
        blocks = [again.block(number, data) for data in encoded]
        for partition, *rows in cut(blocks, width, 1):
            yield (number * width + partition, bucket), encode_slice(*rows)


def _alone(task: Any) -> Group:
    return Group((task,))


def _keyed(task: Any, grouping: Grouping) -> tuple[int, Any]:
    return grouping.group_of(task.part), task


def _in_order(keyed: tuple[int, Iterable[Any]]) -> Group:
    return Group(tuple(sorted(keyed[1], key=lambda task: task.part)))


def _by_partition(keyed: tuple[tuple[int, int], bytes]) -> tuple[int, bytes]:
    (partition, _), encoded = keyed
    return partition, encoded


def _grouped(keyed: tuple[int, Iterable[bytes]]) -> GroupedPartition:
    partition, encoded = keyed
    return GroupedPartition(partition, tuple(encoded))
