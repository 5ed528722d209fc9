"""Beam's Java job server for Spark and Flink: its jar, its Java, and one process of it that ends with ours."""

import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any, Literal

import grpc
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    SparkRunnerOptions,
)
from apache_beam.portability.api import beam_job_api_pb2_grpc
from apache_beam.runners.portability.flink_runner import FlinkJarJobServer, FlinkRunner
from apache_beam.runners.portability.job_server import JobServer
from apache_beam.runners.portability.spark_runner import SparkJarJobServer
from apache_beam.utils.subprocess_server import JavaJarServer

from corpus.errors import UserError
from corpus.lifeline import kill_with, lifeline
from pipelines.engine import beam_options, spark_master
from pipelines.engine.engine_log import EngineLog, engine_log

Engine = Literal["spark", "flink"]

JAVA: dict[Engine, tuple[int, ...]] = {"spark": (11, 17), "flink": (11, 17)}
"""Versions of Java that an engine runs on, of those that Beam does: by the overview of Spark 3.5's documentation and
the page "Java compatibility" of Flink 1.19's."""

START_SECONDS = 300
"""A Java machine needs some on a busy machine; what has not answered by then never will."""
CONNECT_SECONDS = 10
END_SECONDS = 20
"""For Spark and Flink to take leave of their cluster."""

PARALLELISM = "spark.default.parallelism"

_CHANNEL = (
    ("grpc.max_receive_message_length", -1),  # the state and metrics of a large job
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_timeout_ms", 600_000),
    ("grpc.http2.max_pings_without_data", 0),
)
"""As Beam's own client of a job server has it."""


class JavaJobServer(JobServer):
    """One process of the job server, started when it is first needed and again where it has died.

    It is in a process group of its own, so that Ctrl-C in a terminal leaves it alive for as long as it takes to cancel
    a job, and it is killed when this process ends, however that happens (on Linux).

    Raises:
        UserError: there is no Java for it, or no jar.
    """

    def __init__(self, engine: Engine, options: PipelineOptions, log: EngineLog) -> None:
        java_launcher(engine, options)
        self._engine = engine
        self._options = options
        self._jar = jar_of(engine, options)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()
        self._stub: Any = None

    def start(self) -> Any:
        """A client of the running job server.

        Raises:
            UserError: it does not start; why, and where its output is.
        """
        if self._process is None or self._process.poll() is not None:
            self.stop()
            try:
                self._start()
            except BaseException:
                self.stop()
                raise
            atexit.register(self.stop)
        return self._stub

    def stop(self) -> None:
        """Ends the process; nothing happens where there is none."""
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._held.close()

    def _start(self) -> None:
        server = self._options.view_as(JobServerOptions)
        if not server.artifacts_dir:
            server.artifacts_dir = tempfile.mkdtemp(prefix="corpus-job-server-")
            self._held.callback(self._forget_artifacts, server.artifacts_dir)
        if self._engine == "spark":
            beams, self._options.view_as(SparkRunnerOptions).spark_job_server_jar = SparkJarJobServer, self._jar
        else:
            beams, self._options.view_as(FlinkRunnerOptions).flink_job_server_jar = FlinkJarJobServer, self._jar
        command, endpoint = beams(self._options).subprocess_cmd_and_endpoint()
        alive = self._held.enter_context(lifeline())
        with open(self._log.path, "ab") as output:
            begin = output.tell()
            self._process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                pass_fds=(alive,), process_group=0,
            )  # fmt: skip
        kill_with(alive, self._process.pid)
        channel = self._held.enter_context(grpc.insecure_channel(endpoint, options=_CHANNEL))
        ready = grpc.channel_ready_future(channel)
        for _ in range(10 * START_SECONDS):
            with suppress(grpc.FutureTimeoutError):
                ready.result(timeout=0.1)
                self._stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
                return
            if self._process.poll() is not None:
                break
        ready.cancel()
        self._log.write("")
        how = f"ended with exit code {self._process.poll()}"
        if self._process.poll() is None:
            how = f"has not answered in {START_SECONDS} s"
        raise UserError(
            f"{self._engine}'s job server {self._jar} {how} ({self._complaint(begin)}): is it "
            f"Beam's job server for {self._engine}? Its whole output is in {self._log.path}"
        )

    def _forget_artifacts(self, folder: str) -> None:
        self._options.view_as(JobServerOptions).artifacts_dir = None
        shutil.rmtree(folder, ignore_errors=True)

    def _complaint(self, begin: int) -> str:
        """The line of its output that says most: the first of an error, or the last."""
        with open(self._log.path, "rb") as file:
            file.seek(begin)
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
        return next((line for line in lines if re.search(r"Error|Exception", line)), (lines or ["no output"])[-1])


_servers: dict[tuple[str, ...], JavaJobServer] = {}
"""By the engine and the options that the process takes."""


def job_server(engine: Engine, flags: tuple[str, ...], quiet: bool = False) -> JavaJobServer:
    """The job server of this process for an engine and Beam's options: one for all jobs with the same ones for it. A
    cluster of Spark is asked first how wide it is.

    Raises:
        UserError: there is no Java for it, no jar, or the cluster has no worker.
    """
    options = beam_options.parse(flags)
    key = (engine, *(str(options.view_as(kind)) for kind in (SparkRunnerOptions, FlinkRunnerOptions, JobServerOptions)))
    found = _servers.get(key)
    if found is None:
        log = engine_log(engine)
        if engine == "flink":
            flink = options.view_as(FlinkRunnerOptions)
            flink.flink_master = FlinkRunner.add_http_scheme(flink.flink_master)
        found = JavaJobServer(engine, options, log)
        if engine == "spark":
            widen(options, quiet)
        _servers[key] = found
        if not quiet:
            print(f"{engine}: what its job server and Beam say goes to {log.path}", file=sys.stderr)
    return found


def require_job_server(options: PipelineOptions) -> None:
    """Raises UserError where --job_endpoint names one that is not there: Beam waits five minutes for it."""
    endpoint = options.view_as(PortableOptions).job_endpoint
    if endpoint and endpoint != "embed" and not answers(endpoint):  # "embed" is Beam's own, in this process, for tests
        raise UserError(f"no job server answers at --job_endpoint {endpoint}: start it, or mend the address")


def answers(address: str) -> bool:
    """Whether something listens at HOST:PORT."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def stop_servers() -> None:
    """Ends those of this process."""
    for server in _servers.values():
        server.stop()


def widen(options: PipelineOptions, quiet: bool = False) -> None:
    """Sets `spark.default.parallelism` by the cores of a standalone cluster: without it Beam's runner cuts every stage
    into two tasks, whatever the cluster.

    Raises:
        UserError: the cluster has no master, or no worker: Spark would wait for one, and say nothing.
    """
    url = options.view_as(SparkRunnerOptions).spark_master_url
    if not url.startswith(spark_master.SCHEME):
        return
    server = options.view_as(JobServerOptions)
    given = any(PARALLELISM in flag for flag in server.job_server_jvm_properties)
    master = spark_master.master(url)
    if master is None and not any(map(answers, url.removeprefix(spark_master.SCHEME).split(","))):
        raise UserError(f"no Spark master answers at {url}: start it, or mend --spark_master_url")
    if master is not None and not master.workers:
        raise UserError(
            f"the Spark master {url} has no worker that is alive ({master.page}): start workers with "
            f"`sbin/start-worker.sh {url}`"
        )
    if given:
        return
    if master is None:
        line = (
            f"WARNING: {' and '.join(spark_master.pages(url))} cannot be read, so every stage has 2 tasks: set "
            f"$SPARK_MASTER_WEBUI_PORT, or give --beam-option=--job_server_jvm_properties=-D{PARALLELISM}=TASKS"
        )
    else:
        tasks = master.cores * spark_master.TASKS_OF_A_CORE
        server.job_server_jvm_properties = [*server.job_server_jvm_properties, f"-D{PARALLELISM}={tasks}"]
        line = f"{master.cores} cores on {master.workers} workers: {tasks} tasks a stage ({PARALLELISM})"
    if not quiet:
        print(f"spark: {line}", file=sys.stderr)


def java_launcher(engine: Engine, options: PipelineOptions) -> str:
    """The program that starts Java.

    Raises:
        UserError: there is none, or it is of a version that the engine does not run on.
    """
    launcher = str(options.view_as(JobServerOptions).job_server_java_launcher)
    remedy = f"install Java {JAVA[engine][-1]}, name its binary with --job_server_java_launcher, or a running job "
    remedy += "server with --job_endpoint"
    if shutil.which(launcher) is None:
        raise UserError(f"cannot find {launcher!r}: the {engine} runner starts a Java job server; {remedy}")
    version = java_version(launcher)
    if version not in JAVA[engine]:
        known = " or ".join(map(str, JAVA[engine]))
        raise UserError(f"{launcher} is Java {version or 'of no known version'}, {engine} runs on {known}; {remedy}")
    return launcher


def java_version(launcher: str) -> int | None:
    """The major version of a Java, by what it says itself: 8 of "1.8.0_402", 17 of "17.0.15"."""
    try:
        done = subprocess.run([launcher, "-version"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(found[1]) if found else None


def jar_of(engine: Engine, options: PipelineOptions) -> str:
    """The job server's jar: the one given by an option or by the environment, else the installed Beam's own, from
    Beam's cache or Maven Central.

    Raises:
        UserError: there is none.
    """
    if engine == "spark":
        version, given = "3", options.view_as(SparkRunnerOptions).spark_job_server_jar
    else:
        flink = options.view_as(FlinkRunnerOptions)
        version, given = flink.flink_version, flink.flink_job_server_jar
    variable = f"CORPUS_{engine.upper()}_JOB_SERVER_JAR"
    given = given or os.environ.get(variable)
    url = given or JavaJarServer.path_to_beam_jar(f":runners:{engine}:{version}:job-server:shadowJar")
    if given and not os.path.exists(given) and "://" not in given:
        raise UserError(
            f"{engine} job server {given} does not exist: mend --{engine}_job_server_jar or the variable {variable}"
        )
    try:
        return str(JavaJarServer.local_jar(url, options.view_as(JobServerOptions).jar_cache_dir))
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise UserError(
            f"cannot fetch {engine}'s job server ({reason}): download {url} yourself and name the file with "
            f"--{engine}_job_server_jar or the variable {variable}"
        ) from None


def property_in_jar(jar: str, file: str, key: str) -> str | None:
    """A value of a properties file in a jar, or in one of the jars that its class path names."""
    for path in _with_class_path(jar):
        with suppress(OSError, zipfile.BadZipFile, KeyError), zipfile.ZipFile(path) as archive:
            found = re.search(rf"^{re.escape(key)}\s*=\s*(.*?)\s*$", archive.read(file).decode(), re.MULTILINE)
            if found:
                return found[1]
    return None


def _with_class_path(jar: str) -> Iterator[str]:
    yield jar
    with suppress(OSError, zipfile.BadZipFile, KeyError), zipfile.ZipFile(jar) as archive:
        manifest = re.sub(r"\r?\n ", "", archive.read("META-INF/MANIFEST.MF").decode())
        found = re.search(r"^Class-Path: (.*)$", manifest, re.MULTILINE)
        for name in found[1].split() if found else ():
            yield os.path.join(os.path.dirname(jar), name)
