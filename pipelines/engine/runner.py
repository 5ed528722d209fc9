"""Where a pipeline runs: this machine, Spark, Flink or Dataflow."""

import importlib.util
import logging
import os
import re
import shutil
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    SparkRunnerOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineState
from apache_beam.utils.subprocess_server import JavaJarServer

from corpus.errors import DamagedFile, UserError
from corpus.storage import commit, exists, join, remove
from pipelines.engine import beam_options
from pipelines.engine.pool import PartsFailed, interrupt

RunnerName = Literal["local", "spark", "flink", "dataflow"]


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
        pipeline = self._pipeline()
        build(pipeline)
        mark = join(folder, f".ran-{uuid.uuid4().hex}.tmp")  # of a killed run: `clear_attempts` removes it
        pipeline | "Begin" >> beam.Create([mark]) | "Leave a mark" >> beam.Map(_leave)
        try:
            state = self._finish(pipeline)
            if state != PipelineState.DONE or not exists(mark):
                raise UserError(
                    f"{self.name} ended in state {state} and no worker has left a mark in {folder}: either the job was "
                    "not run, or its workers have another folder of this name; nothing is committed. Give a folder "
                    "that this machine and all workers share (`corpus doctor` tries it)"
                )
        finally:
            remove(mark)

    def _finish(self, pipeline: beam.Pipeline) -> Any:
        """Runs a pipeline; the state that it ends in."""
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
                # In this process the error itself arrives, with the name of Beam's step added; else a report of it.
                cause = _user_error("".join(traceback.format_exception_only(error)))
                if cause is None:
                    raise
                raise cause from None

    def _pipeline(self) -> beam.Pipeline:
        # Without this flag Beam runs `pip download` for what it takes to be requirements.
        flags = ["--requirements_cache=skip", *self.options]
        match self.name:
            case "local":
                # Named, since "DirectRunner" first tries to download Prism, a binary, at run time.
                return beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(flags))
            case "spark":
                options = PipelineOptions(["--spark_master_url=local[*]", *flags])
                if not options.view_as(PortableOptions).job_endpoint:
                    spark = options.view_as(SparkRunnerOptions)
                    spark.spark_job_server_jar = _job_server("spark", "3", spark.spark_job_server_jar, options)
                return beam.Pipeline(runner="SparkRunner", options=options)
            case "flink":
                options = PipelineOptions(flags)
                if not options.view_as(PortableOptions).job_endpoint:
                    flink = options.view_as(FlinkRunnerOptions)
                    flink.flink_job_server_jar = _job_server(
                        "flink", flink.flink_version, flink.flink_job_server_jar, options
                    )
                return beam.Pipeline(runner="FlinkRunner", options=options)
            case "dataflow":
                if importlib.util.find_spec("apitools") is None:
                    raise UserError(
                        "dataflow needs Google's libraries: pip install '.[dataflow]' in the project's folder"
                    )
                return beam.Pipeline(runner="DataflowRunner", options=PipelineOptions(flags))


def _job_server(engine: str, version: str, given: str | None, options: PipelineOptions) -> str:
    """The job server's jar, once it is known that Java can start it: the one given by an option or by the
    environment, else the installed Beam's own, from Beam's cache or Maven Central.

    Raises:
        UserError: there is no Java, or no jar.
    """
    server = options.view_as(JobServerOptions)
    if shutil.which(server.job_server_java_launcher) is None:
        raise UserError(
            f"cannot find {server.job_server_java_launcher!r}: the {engine} runner starts a Java job server; install "
            "Java 17, name its binary with --job_server_java_launcher, or a running job server with --job_endpoint"
        )
    variable = f"CORPUS_{engine.upper()}_JOB_SERVER_JAR"
    given = given or os.environ.get(variable)
    url = given or JavaJarServer.path_to_beam_jar(f":runners:{engine}:{version}:job-server:shadowJar")
    if given and not os.path.exists(given) and "://" not in given:
        raise UserError(
            f"{engine} job server {given} does not exist: mend --{engine}_job_server_jar or the variable {variable}"
        )
    try:
        return str(JavaJarServer.local_jar(url, server.jar_cache_dir))
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"cannot fetch {engine}'s job server ({reason}): download {url} yourself and name the file with "
            f"--{engine}_job_server_jar or the variable {variable}"
        ) from None


def _leave(mark: str) -> None:
    commit(mark, lambda sink: sink.write(b""))


_CTRL_C = "KeyboardInterrupt [while running"  # what Beam makes of Ctrl-C in a function of the pipeline
_USER_ERRORS = {f"{kind.__module__}.{kind.__name__}": kind for kind in (UserError, DamagedFile, PartsFailed)}
_USER_ERROR_LINE = re.compile(
    rf"\b({'|'.join(map(re.escape, _USER_ERRORS))}): (.+?)(?: \[while running '.*)?$", re.MULTILINE
)


def _user_error(trace: str) -> UserError | None:
    """The user's mistake that a report ends in, without the name of Beam's step."""
    found = _USER_ERROR_LINE.findall(trace)
    return _USER_ERRORS[found[-1][0]](found[-1][1]) if found else None


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
