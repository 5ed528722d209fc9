"""Where a pipeline runs: this machine, Spark, Flink or Dataflow."""

import importlib.util
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal

import apache_beam as beam
from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions, SparkRunnerOptions
from apache_beam.runners.portability.flink_runner import FlinkRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.portability.spark_runner import SparkRunner
from apache_beam.runners.runner import PipelineResult, PipelineState

from corpus.errors import UserError
from corpus.storage import commit, exists, join, parent, remove
from pipelines.engine import beam_options
from pipelines.engine.engine_log import engine_log
from pipelines.engine.failures import in_one_line, user_error
from pipelines.engine.job_server import Engine, job_server, require_job_server, stop_servers
from pipelines.engine.pool import interrupt, one_line

RunnerName = Literal["local", "spark", "flink", "dataflow"]

CANCEL_SECONDS = 20
"""That a cancelled job is waited for; then its job server is ended with it."""


def _cores() -> int:
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Runner:
    """A Beam runner and what it needs to know.

    Attributes:
        workers: processes of the local pool. 0 = no pool: the cluster's graph, in this process; for tests, and for
            stepping through a stage with a debugger.
        options: Beam pipeline options as on a command line, for example `--spark_master_url=spark://host:7077`.
            Without any, spark and flink run an embedded cluster on this machine.
        quiet: no progress on standard error.
    """

    name: RunnerName = "local"
    workers: int = field(default_factory=_cores)
    options: tuple[str, ...] = ()
    quiet: bool = False

    def __post_init__(self) -> None:
        """Raises UserError: an option by which nothing would be run; before anything is written into a run."""
        beam_options.parse(self.options)

    @property
    def is_local(self) -> bool:
        return self.name == "local"

    @property
    def has_pool(self) -> bool:
        """Whether parts go to this machine's process pool, and not through the graph."""
        return self.is_local and self.workers > 0

    def run(self, build: Callable[[beam.Pipeline], object], folder: str) -> None:
        """Builds a pipeline, runs it, and returns when it is done.

        A runner's word for that is not enough: whatever a stage commits next rests on it. A worker leaves a file in
        `folder`, which gets the pipeline's results, and it must be there in the end.

        Raises:
            UserError: the runner cannot be started here (no Java, no job server, no `apache-beam[gcp]`), it did not run
                the pipeline, its workers write into another folder, or a user's mistake stopped a function.
            PartsFailed: parts could not be done.
        """
        if self.workers < 0:
            raise UserError(f"workers is {self.workers}: give 1 or more processes, or 0 to run without a pool")
        if self.is_local:
            return self._run(build, folder, self._finish)
        with in_one_line(self.name, engine_log(self.name)):
            return self._run(build, folder, self._finish_job)

    def _run(
        self, build: Callable[[beam.Pipeline], object], folder: str, finish: Callable[[beam.Pipeline], Any]
    ) -> None:
        pipeline = self._pipeline()
        build(pipeline)
        mark = join(folder, f".ran-{uuid.uuid4().hex}.tmp")  # of a killed run: `clear_attempts` removes it
        pipeline | "Begin" >> beam.Create([mark]) | "Leave a mark" >> beam.Map(_leave)
        try:
            state = finish(pipeline)
            marked = exists(mark)
            if state != PipelineState.DONE or not marked:
                ended = f"in state {state}" + ("" if marked else f" and no worker has left a mark in {folder}")
                raise UserError(
                    f"{self.name} ended {ended}: either the job was "
                    "not run, or its workers have another folder of this name; nothing is committed. Give a folder "
                    "that this machine and all workers share (`corpus doctor` tries it)"
                )
        finally:
            with suppress(Exception):  # of a folder that cannot be written; what went wrong before is told
                remove(mark)

    def _finish(self, pipeline: beam.Pipeline) -> Any:
        """Runs a pipeline in this process; the state that it ends in."""
        with _quiet_user_errors():
            try:
                return pipeline.run().wait_until_finish()
            except KeyboardInterrupt:
                interrupt()
                raise
            except (UserError, RuntimeError) as error:
                if str(error).startswith(_CTRL_C):
                    interrupt()
                    raise KeyboardInterrupt from None
                # The error itself arrives, with the name of Beam's step added; or a report of it.
                cause = user_error("".join(traceback.format_exception_only(error)))
                if cause is None:
                    raise
                raise cause from None

    def _finish_job(self, pipeline: beam.Pipeline) -> Any:
        """Runs a pipeline as a job of an engine; the state that it ends in. Nothing of it is left running where this
        process is told to end: by Ctrl-C, SIGTERM or SIGHUP."""
        require_job_server(pipeline.options)
        result = None
        try:
            with _signals_raise():
                result = pipeline.run()
                return result.wait_until_finish()
        except (KeyboardInterrupt, SystemExit):
            if result is not None:
                self._cancel(result)
            stop_servers()
            raise

    def _cancel(self, result: PipelineResult) -> None:
        print(f"{self.name}: cancels the job", file=sys.stderr)
        with suppress(Exception):
            result.cancel()
            deadline = time.monotonic() + CANCEL_SECONDS
            while not PipelineState.is_terminal(result.state) and time.monotonic() < deadline:
                time.sleep(0.2)

    def _pipeline(self) -> beam.Pipeline:
        # Without the first flag Beam runs `pip download` for what it takes to be requirements.
        flags = ("--requirements_cache=skip", *self.options)
        options = beam_options.parse(flags)
        if self.name in ("local", "dataflow"):  # the others' job server knows more of them
            beam_options.refuse_unknown(options)
        match self.name:
            case "local":
                # Named, since "DirectRunner" first tries to download Prism, a binary, at run time.
                return beam.Pipeline(FnApiRunner(), options)
            case "spark":
                flags = ("--spark_master_url=local[*]", *flags)
                options = beam_options.parse(flags)
                uber = options.view_as(SparkRunnerOptions).spark_submit_uber_jar
                return beam.Pipeline(self._with_server(SparkRunner(), flags, uber), options)
            case "flink":
                uber = options.view_as(FlinkRunnerOptions).flink_submit_uber_jar
                return beam.Pipeline(self._with_server(FlinkRunner(), flags, uber), options)
            case "dataflow":
                if importlib.util.find_spec("apitools") is None:
                    raise UserError(
                        "dataflow needs Google's libraries: pip install '.[dataflow]' in the project's folder"
                    )
                return beam.Pipeline("DataflowRunner", options)

    def _with_server(self, runner: PortableRunner, flags: tuple[str, ...], uber: bool) -> PortableRunner:
        """Beam's runner, with our job server for the one that it would start, and options that the engine knows. An
        `uber` jar is sent to the cluster itself, without a job server."""
        assert self.name in ("spark", "flink")
        engine: Engine = self.name
        handle = runner.create_job_service_handle

        def checked_handle(service: Any, options: PipelineOptions) -> Any:
            beam_options.refuse_unknown(options, service)
            return handle(service, options)

        runner.create_job_service_handle = checked_handle
        if not uber:
            runner.default_job_server = lambda options: job_server(engine, flags, self.quiet)
        return runner


def _leave(mark: str) -> None:
    try:
        commit(mark, lambda sink: sink.write(b""))
    except Exception as error:
        where = f"a worker on {socket.gethostname()} cannot write into {parent(mark)} ({one_line(error)})"
        raise UserError(f"{where}: check the path, its permissions and the free space there") from None


_CTRL_C = "KeyboardInterrupt [while running"  # what Beam makes of Ctrl-C in a function of the pipeline


@contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGTERM and SIGHUP end this process as an exception does, so that something can be done about a job."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _quiet_user_errors() -> Iterator[None]:
    """Keeps Beam from logging the traceback of an error, or of Ctrl-C, that is told in one line in the end."""

    def keep(record: logging.LogRecord) -> bool:
        return not isinstance(record.msg, UserError) and not str(record.msg).startswith(_CTRL_C)

    logger = logging.getLogger("apache_beam.runners.common")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
