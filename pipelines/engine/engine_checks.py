"""What can be seen of Spark or Flink from the machine that submits, before a job is sent: for `corpus doctor`."""

import json
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple
from urllib.request import urlopen

from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
    SparkRunnerOptions,
)
from apache_beam.version import __version__ as beam_version

from corpus.errors import UserError
from pipelines.engine import beam_options, spark_master
from pipelines.engine.engine_log import engine_log
from pipelines.engine.job_server import Engine, answers, jar_of, java_launcher, java_version, property_in_jar

FLINK_SECONDS = 10


class Finding(NamedTuple):
    """`note` is not wrong, and worth to know."""

    state: Literal["ok", "note", "failed"]
    line: str


def engine_findings(engine: Engine, flags: tuple[str, ...]) -> Iterator[Finding]:
    engine_log(engine)  # takes what Beam says of a jar that it cannot fetch
    options = beam_options.parse(("--spark_master_url=local[*]", *flags))
    jar = None
    endpoint = options.view_as(PortableOptions).job_endpoint
    if endpoint:
        if endpoint != "embed":
            yield _answering(f"job server {endpoint}", endpoint, "start it, or mend --job_endpoint")
    else:
        try:
            launcher = java_launcher(engine, options)
            yield Finding("ok", f"Java {java_version(launcher)} ({launcher})")
        except UserError as error:
            yield Finding("failed", str(error))
        try:
            jar = jar_of(engine, options)
            yield _job_server_jar(jar)
        except UserError as error:
            yield Finding("failed", str(error))
    if engine == "spark":
        master = options.view_as(SparkRunnerOptions).spark_master_url
        workers = 0 if master.startswith("local") or endpoint else 1
        if master.startswith(spark_master.SCHEME):
            found = spark_master.master(master)
            workers = found.workers if found else workers
            yield from _spark(master, found, jar, options)
    else:
        master = options.view_as(FlinkRunnerOptions).flink_master
        workers = 0 if master.startswith("[") or endpoint else 1
        if workers:
            workers, findings = _flink(master, options.view_as(FlinkRunnerOptions).flink_version)
            yield from findings
    yield from _environment(options.view_as(PortableOptions), workers, cluster=workers > 0 or bool(endpoint))


def _job_server_jar(jar: str) -> Finding:
    found = property_in_jar(jar, "org/apache/beam/sdk/sdk.properties", "version")
    if found is None:
        return Finding("failed", f"job server {jar} has no Beam in it: give Beam's job server")
    if found != beam_version:
        return Finding("note", f"job server {jar} is of Beam {found}, this Python has {beam_version}: take the same")
    return Finding("ok", f"job server {jar}, Beam {found}")


def _answering(what: str, address: str, remedy: str) -> Finding:
    return Finding("ok", f"{what} answers") if answers(address) else Finding("failed", f"{what} is not there: {remedy}")


def _spark(url: str, found: spark_master.Master | None, jar: str | None, options: PipelineOptions) -> Iterator[Finding]:
    addresses = url.removeprefix(spark_master.SCHEME).split(",")
    if not any(map(answers, addresses)):
        yield Finding("failed", f"no Spark master answers at {url}: start it, or mend --spark_master_url")
        return
    if found is None:
        pages = " and ".join(spark_master.pages(url))
        yield Finding("note", f"the page {pages} cannot be read: set $SPARK_MASTER_WEBUI_PORT; workers are not known")
        return
    if not found.workers:
        yield Finding("failed", f"{found.page} has no worker alive: start some with `sbin/start-worker.sh {url}`")
    elif not found.free_cores:
        yield Finding("failed", f"all {found.cores} cores of {found.page} are taken: the job would wait; end another")
    else:
        yield Finding(
            "ok",
            f"Spark master {found.page} is {found.status}: {found.workers} workers, "
            f"{found.free_cores} of {found.cores} cores and {found.free_memory} of {found.memory} MiB free",
        )
    ours = property_in_jar(jar, "spark-version-info.properties", "version") if jar else None
    if ours and found.version and ours != found.version:
        yield Finding(
            "failed",
            f"the cluster is Spark {found.version} and the job server's jar has {ours}: run exactly {ours} there, or "
            "another job server",
        )
    elif ours and found.version:
        yield Finding("ok", f"Spark {ours} on both sides")
    else:
        yield Finding("note", f"Spark's version: cluster {found.version or 'unknown'}, job server {ours or 'unknown'}")


def _flink(master: str, version: str) -> tuple[int, list[Finding]]:
    """The task managers of a cluster, and what its REST interface says."""
    page = master if "://" in master else f"http://{master}"
    try:
        overview = _json(f"{page}/overview")
        config = {entry["key"]: entry["value"] for entry in _json(f"{page}/jobmanager/config")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = " ".join(str(error).split())
        return 1, [Finding("failed", f"Flink's REST interface {page} does not answer ({said}): mend --flink_master")]
    findings = []
    managers, free = int(overview["taskmanagers"]), int(overview["slots-available"])
    if not free:
        findings.append(Finding("failed", f"{page} has no free slot on {managers} task managers: start some, or wait"))
    else:
        findings.append(Finding("ok", f"Flink {page}: {managers} task managers, {free} free slots"))
    found = str(overview["flink-version"])
    if not found.startswith(f"{version}."):
        findings.append(
            Finding("failed", f"the cluster is Flink {found}: give --flink_version={found.rpartition('.')[0]}")
        )
    strategy = config.get("restart-strategy.type") or config.get("restart-strategy") or "none"
    if strategy in ("none", "off", "disable", "disabled"):
        findings.append(
            Finding(
                "note", "Flink gives a job up at its first failure: set `restart-strategy.type` in its configuration"
            )
        )
    return managers, findings


def _json(url: str) -> Any:
    with urlopen(url, timeout=FLINK_SECONDS) as answer:
        return json.load(answer)


def _environment(portable: PortableOptions, workers: int, cluster: bool) -> Iterator[Finding]:
    """Where Python runs on the workers: ways that are known to hang or to kill."""
    kind, config = portable.environment_type or "", portable.environment_config or ""
    if not cluster:
        return
    if kind in ("", "DOCKER") and not config:
        yield Finding(
            "failed",
            "workers would be Beam's own image, which has no corpus: build one (docs/runners.md) and give "
            "--environment_type=DOCKER --environment_config=IMAGE",
        )
    elif kind == "EXTERNAL":
        host = config.removeprefix("http://").rpartition(":")[0]
        if workers and re.fullmatch(r"localhost|127\.[\d.]+|\[?::1\]?", host):
            yield Finding(
                "failed",
                f"the pool {config} is asked for on every node under the name localhost, and hangs (beam#23932): use "
                "PROCESS or DOCKER",
            )
        elif workers > 1:
            yield Finding(
                "failed",
                f"{workers} workers would share the pool {config}: both ask it for worker 1-1, and the first to end "
                "kills the other's: use PROCESS or DOCKER",
            )
        else:
            yield _answering(f"pool of workers {config}", config, "start it, or mend --environment_config")
    elif kind == "PROCESS":
        try:
            command = json.loads(config)["command"]
        except (ValueError, KeyError, TypeError):
            yield Finding("failed", 'PROCESS needs --environment_config={"command":"PROGRAM"}: give it in this form')
        else:
            yield Finding("ok", f"workers start {command}")
    else:
        yield Finding("ok", f"workers: {kind} {config}")
