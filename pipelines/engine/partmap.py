"""The one way to work on parts."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import apache_beam as beam

from corpus.errors import UserError
from corpus.steps.spill import GroupedPartition
from pipelines.engine.pool import PartsFailed, Task, one_line, run_parts
from pipelines.engine.runner import Runner
from pipelines.engine.software import OnWorkers

__all__ = ["PartMap", "PartsFailed", "each_part", "part_failed", "spread"]

T = TypeVar("T", bound=Task)
R = TypeVar("R")

log = logging.getLogger(__name__)


class PartMap(beam.PTransform):
    """Tasks, each with `.part` and a `str` that names it -> the results of `function`, which should be small.

    `function` must be picklable by name and live in a module that does not import Beam. With a pool it runs there
    (`pipelines.engine.pool.run_parts`); else tasks are spread over the runner's workers, a log line a part, a worker
    that has another `corpus` ends the job, and the runner's own retries apply. Partitions from an `Exchange` are not
    spread again: they are where their blocks are.

    Raises (when the pipeline runs):
        PartsFailed: naming every failed part (with a pool), or the first (on a cluster).
    """

    def __init__(self, function: Callable[[T], R], runner: Runner, label: str) -> None:
        super().__init__()
        self._function = function
        self._runner = runner
        self._label = label

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        if self._runner.has_pool:
            return (
                tasks
                | "Gather" >> beam.combiners.ToList()
                | "Work" >> beam.FlatMap(_Pool(self._function, self._runner.workers, self._label, self._runner.quiet))
            )
        return spread(tasks) | "Work" >> beam.Map(OnWorkers(_Logged(self._function, self._label)))


def spread(tasks: beam.PCollection) -> beam.PCollection:
    """Tasks spread evenly over a cluster's workers; grouped partitions as they are."""
    return tasks if tasks.element_type is GroupedPartition else tasks | "Spread" >> beam.Reshuffle()


@contextmanager
def each_part(label: str, task: Task) -> Iterator[None]:
    """Around the work on one part on a cluster: a log line before and after.

    Raises:
        PartsFailed: naming the part, whatever the work raised.
    """
    log.info("%s: %s started", label, task)
    started = time.monotonic()
    try:
        yield
    except Exception as error:
        raise part_failed(label, task, error) from error
    log.info("%s: %s done in %.1f s", label, task, time.monotonic() - started)


def part_failed(label: str, task: Task, error: Exception) -> PartsFailed:
    """What a cluster is told of a part that failed, once the log has the traceback of a bug."""
    if not isinstance(error, UserError):
        log.error("%s: %s failed", label, task, exc_info=error)
    return PartsFailed(f"{label}: {task} failed: {one_line(error)}")


@dataclass(frozen=True)
class _Pool:
    """All tasks at once, in the driver's own process. (Beam checks annotations at run time, and cannot check a Protocol
    as `Task` is one: hence Any here and below.)"""

    function: Callable[[Any], Any]
    workers: int
    label: str
    quiet: bool

    def __call__(self, tasks: list[Any]) -> list[Any]:
        # The order in which Beam gathers is its own business; the order of work and results is the parts'.
        tasks = sorted(tasks, key=lambda task: task.part)
        return run_parts(self.function, tasks, self.workers, self.label, self.quiet)


@dataclass(frozen=True)
class _Logged:
    function: Callable[[Any], Any]
    label: str

    def __call__(self, task: Any) -> Any:
        with each_part(self.label, task):
            return self.function(task)
