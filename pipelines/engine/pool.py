"""Parts on the cores of one machine: a pool of worker processes that steals work and names what fails.

No Beam here: workers import this module, and start fast.
"""

import atexit
import errno
import multiprocessing
import os
import pickle
import queue
import signal
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from ctypes import c_bool
from dataclasses import dataclass
from functools import cache, lru_cache
from multiprocessing.context import BaseContext
from typing import Any, Protocol, TypeVar

from pebble import ProcessExpired, ProcessPool

from corpus import compiling
from corpus.errors import UserError
from corpus.lifeline import end_with
from corpus.steps.grouping import Group
from corpus.steps.spill import GroupFailed
from pipelines.engine.progress import Progress

PRELOADED = ("numba", "numpy", "pyarrow.compute", "pyarrow.parquet", "fsspec.implementations.local")
"""Imported once in the process that workers are forked from; none of them starts a thread."""


class Task(Protocol):
    """One part's work: small and picklable; `str` names the part for a person."""

    @property
    def part(self) -> int: ...


TICK_SECONDS = 0.5
"""Between two looks at the clock while no part ends."""

LISTED = 20
"""Failed parts that the last line names; every one has had a line of its own before."""

_OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOTDIR}
"""Errors that a traceback does not explain: a full disk, a quota, a file system or folder that cannot be written, a
file where a folder should be."""

_interrupts = 0
_kept: dict[int, tuple[str, ProcessPool]] = {}

T = TypeVar("T", bound=Task)
R = TypeVar("R")


class PartsFailed(UserError):
    """Parts that could not be done, each with why, in one line. All others are finished."""


@dataclass(frozen=True)
class Done:
    """What a worker sends for a part that is done: the pickled result."""

    result: bytes


@dataclass(frozen=True)
class Failed:
    """What a worker sends for a part whose function raised.

    Attributes:
        name: of the part.
        reason: one line.
        trace: the traceback, or "" where the user's mistake needs none.
        parts: how many failed of it, where a whole task was lost that stands for several.
    """

    name: str
    reason: str
    trace: str = ""
    parts: int = 1


def run_parts(function: Callable[[T], R], tasks: Sequence[T], workers: int, label: str, quiet: bool = False) -> list[R]:
    """`function` of every task, in the order of the tasks.

    The function must be picklable by name (a function of a module, or an instance of a class of one). A worker that
    dies is reported at once with the part it held, which is tried once more, alone in a new process. Workers stay for
    the next call, with the modules, kernels and models they have loaded. A task may be a group of
    several parts: then those of them that fail are told apart (`GroupFailed`).

    Raises:
        PartsFailed: after all other parts are finished.
    """
    if not tasks:
        return []
    interrupts = _interrupts
    payload = pickle.dumps(function)
    results: dict[int, R] = {}
    failed: dict[int, list[Failed]] = {}
    parts = [task.parts if isinstance(task, Group) else 1 for task in tasks]
    ended: queue.SimpleQueue[tuple[int, Future[Done | list[Failed]], bool]] = queue.SimpleQueue()
    pool = _kept_pool(workers)
    # Pebble's pools start their processes when the first task comes: without a death this one has none.
    alone = _pool(1, tasks_per_worker=1)
    whole = False

    def start(number: int, second: bool) -> None:
        future = (alone if second else pool).schedule(_work, (payload, pickle.dumps(tasks[number])))
        future.add_done_callback(lambda done: ended.put((number, done, second)))

    try:
        with Progress(label, sum(parts), quiet) as progress:
            for number in range(len(tasks)):
                start(number, second=False)
            while len(results) + len(failed) < len(tasks):
                if _compiles().value:
                    compiling.say()
                try:
                    number, future, second = ended.get(timeout=TICK_SECONDS)
                except queue.Empty:
                    progress.tick()
                    if _interrupts != interrupts:
                        raise KeyboardInterrupt from None
                    continue
                error = future.exception()
                if isinstance(error, ProcessExpired) and not second:
                    progress.say(f"{label}: {death(error)} while it held {tasks[number]}; trying it once more, alone")
                    start(number, second=True)
                    continue
                if error is None:
                    outcome = future.result()
                    if isinstance(outcome, Done):
                        results[number] = pickle.loads(outcome.result)
                        progress.add(results[number], parts[number])
                        continue
                    failed[number] = outcome
                    progress.add(None, parts[number] - len(outcome))
                else:
                    reason = f"{death(error)}, twice" if isinstance(error, ProcessExpired) else one_line(error)
                    failed[number] = [Failed(str(tasks[number]), reason, parts=parts[number])]
                for one in failed[number]:
                    if one.trace:
                        progress.say(one.trace.rstrip())
                    progress.say(f"{label}: {one.name} failed: {one.reason}")
                    progress.fail(one.parts)
        whole = True
    finally:
        if not whole:
            # On Ctrl-C: stop() drops what waits, ends the workers, and does not wait for their parts.
            _drop_pool(workers)
        alone.stop()
        alone.join()
    if failed:
        told = [one for number in sorted(failed) for one in failed[number]]
        listed = "; ".join(f"{one.name}: {one.reason}" for one in told[:LISTED])
        more = f"; and {len(told) - LISTED} more" if len(told) > LISTED else ""
        raise PartsFailed(
            f"{label}: {sum(one.parts for one in told)} of {sum(parts)} parts failed, the others are finished; "
            f"mend the cause and run again to do only what is missing: {listed}{more}"
        )
    return [results[number] for number in range(len(tasks))]


def interrupt() -> None:
    """Makes every running `run_parts` end its workers and raise KeyboardInterrupt (Beam runs it in another thread than
    the one that Ctrl-C reaches)."""
    global _interrupts
    _interrupts += 1


def one_line(error: BaseException) -> str:
    """What went wrong in one line: a user's mistake in its own words, anything else with its type."""
    text = " ".join(str(error).split())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


def death(error: ProcessExpired) -> str:
    """How a worker died, in words."""
    code = error.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"a worker process was ended by {name}{hint}"
    return f"a worker process ended with exit code {code}"


def _kept_pool(workers: int) -> ProcessPool:
    """The pool of this size from an earlier call, or a new one. Workers keep the folder they started in: in another one
    relative paths would lead them elsewhere than the caller means."""
    folder = os.getcwd()
    started_in, pool = _kept.get(workers, ("", None))
    if pool is None or not pool.active or started_in != folder:
        _drop_pool(workers)
        pool = _pool(workers)
        _kept[workers] = folder, pool
    return pool


def _drop_pool(workers: int) -> None:
    _, pool = _kept.pop(workers, ("", None))
    if pool is not None:
        pool.stop()
        pool.join()


@atexit.register
def _drop_all() -> None:
    for workers in list(_kept):
        _drop_pool(workers)


def _pool(workers: int, tasks_per_worker: int = 0) -> ProcessPool:
    return ProcessPool(
        max_workers=workers,
        max_tasks=tasks_per_worker,
        initializer=_start_worker,
        initargs=(_compiles(),),
        context=_context(),
    )


@cache
def _compiles() -> Any:
    """A truth value that a worker sets when it has to compile a kernel; without a lock, which a killed worker would
    hold for ever."""
    return _context().RawValue(c_bool)


def _context() -> BaseContext:
    """Workers fork from a clean server process: forking this one would copy locks that its threads hold."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def _start_worker(compiles: Any) -> None:
    compiling.ask(lambda: setattr(compiles, "value", True))
    driver = multiprocessing.parent_process()
    assert driver is not None
    end_with(driver.sentinel)
    # Pebble's handler is Python code, which would wait for the end of a C function; nothing here needs cleaning up.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # One part keeps one core busy; Arrow's own threads would only compete with the other workers.
    import pyarrow

    pyarrow.set_cpu_count(1)


def _work(function: bytes, pickled: bytes) -> Done | list[Failed]:
    """Runs in a worker. Only bytes and text go back, so that an error that cannot be pickled stops nothing."""
    task: Any = "a part that cannot be unpickled"
    try:
        task = pickle.loads(pickled)
        return Done(pickle.dumps(_function(function)(task)))
    except GroupFailed as group:
        return [_failed(name, error) for name, error in group.failures]
    except Exception as error:
        return [_failed(str(task), error)]


def _failed(name: str, error: Exception) -> Failed:
    own = isinstance(error, UserError) or (isinstance(error, OSError) and error.errno in _OF_THE_MACHINE)
    return Failed(name, one_line(error), "" if own else "".join(traceback.format_exception(error)))


@lru_cache(maxsize=1)
def _function(pickled: bytes) -> Callable[[Any], Any]:
    """Unpickled once for all the parts of a call: it may hold the settings of a whole step."""
    function: Callable[[Any], Any] = pickle.loads(pickled)
    return function
