"""The one way to regroup: blocks keyed by partition, brought together by partition."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from corpus.steps.spill import (
    GroupedPartition,
    Produce,
    Spilled,
    SpilledPartition,
    WriteSpill,
    encode_block,
    gather,
    spilled_partitions,
)
from pipelines.engine.partmap import PartMap, each_part, spread
from pipelines.engine.runner import Runner


class Exchange(beam.PTransform):
    """Tasks -> the partitions that got a block, each with `.part` and `.blocks()`, so that it is itself a task.

    `produce` gives a task's blocks, each with the partition it is for; like every function that works on parts it
    is picklable by name and its module does not import Beam. With a pool the blocks go through spill files below
    `work` and only counts cross Beam: the driver's memory does not grow with the data, and a whole spill file left by
    a killed run is used again. On a cluster they go through a GroupByKey as Arrow IPC bytes, one value for each
    task and partition.

    Args:
        partitions: how many; the same number must be given after a restart.
        work: folder of this exchange alone (any fsspec path that the workers share), removed by the caller.
    """

    def __init__(self, produce: Produce[Any], partitions: int, work: str, runner: Runner, label: str) -> None:
        super().__init__()
        self._produce = produce
        self._partitions = partitions
        self._work = work
        self._runner = runner
        self._label = label

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        if self._runner.has_pool:
            write = WriteSpill(self._produce, self._partitions, self._work)
            return (
                tasks
                | "Spill" >> PartMap(write, self._runner, self._label)
                | "All spilled" >> beam.combiners.ToList()
                | "Partitions"
                >> beam.FlatMap(
                    _Partitions(self._work, self._partitions, self._label, self._runner.quiet)
                ).with_output_types(SpilledPartition)
            )
        return (
            spread(tasks)
            | "Blocks"
            >> beam.FlatMap(_Blocks(self._produce, self._partitions, self._label)).with_output_types(tuple[int, bytes])
            | "Group" >> beam.GroupByKey()
            | "Partition" >> beam.Map(_grouped).with_output_types(GroupedPartition)
        )


@dataclass(frozen=True)
class _Partitions:
    """The barrier: counts of every spill file -> partitions that know where their slices lie."""

    work: str
    partitions: int
    label: str
    quiet: bool

    def __call__(self, spills: list[Spilled]) -> Iterator[SpilledPartition]:
        if not self.quiet:
            size = sum(spill.size for spill in spills)
            print(f"{self.label}: spilled {size} bytes in {len(spills)} files", file=sys.stderr)
        yield from spilled_partitions(spills, self.work, self.partitions)


@dataclass(frozen=True)
class _Blocks:
    produce: Produce[Any]
    partitions: int
    label: str

    def __call__(self, task: Any) -> list[tuple[int, bytes]]:
        return each_part(
            self.label,
            task,
            lambda: [
                (partition, encode_block(block).to_pybytes())
                for partition, block in gather(self.produce(task), self.partitions)
            ],
        )


def _grouped(keyed: tuple[int, Iterable[bytes]]) -> GroupedPartition:
    partition, encoded = keyed
    return GroupedPartition(partition, tuple(encoded))
