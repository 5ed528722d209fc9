"""Tries a runner before a run: everything that is known to go wrong, each a line with its remedy."""

import importlib.util
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace

import apache_beam as beam
from apache_beam.options.pipeline_options import TestOptions
from apache_beam.version import __version__ as beam_version

from corpus.errors import UserError
from corpus.storage import exists, join, names, remove
from pipelines.engine import beam_options
from pipelines.engine.engine_checks import Finding, engine_findings
from pipelines.engine.engine_log import engine_log
from pipelines.engine.failures import in_one_line
from pipelines.engine.job_server import stop_servers
from pipelines.engine.partmap import PartMap
from pipelines.engine.probe import Need, Probe, ProbeTask, Report, report, reports
from pipelines.engine.runner import Runner

PROBES = 16
"""Tasks of the tiny job, so that several workers get one."""
ANSWER_SECONDS = 600
"""For the tiny job: an engine takes one or two minutes of it to start, and on a very busy machine more."""


def examine(runner: Runner, need: Need, folder: str) -> Iterator[Finding]:
    """Looks at the engine from here, at what the run names from here, and then at both through a tiny job.

    Args:
        folder: that gets the run's results; nothing is left in it.
    """
    wrong = False
    for finding in _all_but_job(runner, need):
        wrong |= finding.state == "failed"
        yield finding
    if wrong:
        yield Finding("note", "no job was tried: mend what failed first")
    elif runner.name == "dataflow":
        yield from _dataflow_job(runner)
    else:
        yield from _job(runner, need, folder)


def _all_but_job(runner: Runner, need: Need) -> Iterator[Finding]:
    if runner.name in ("spark", "flink"):
        yield from engine_findings(runner.name, runner.options)
    if runner.name == "dataflow":
        yield from _libraries()
    yield from _told(report(need), need, "here", runner.workers if runner.is_local else 1)


def _libraries() -> Iterator[Finding]:
    if importlib.util.find_spec("apitools") is None:
        yield Finding("failed", "Google's libraries are missing: pip install '.[dataflow]' in the project's folder")
    else:
        yield Finding("ok", f"Beam {beam_version} with Google's libraries")


def _told(one: Report, need: Need, where: str, processes: int) -> Iterator[Finding]:
    for line in one.wrong:
        yield Finding("failed", f"{where}: {line}")
    if need != Need() and not one.wrong:
        yield Finding("ok", f"{where}: inputs, model files and tokenizer are there")
    needed = processes * one.needed
    if one.free is None:
        yield Finding("note", f"{where}: free memory is not known; {needed / 1e9:.1f} GB are needed")
    elif one.free < needed:
        yield Finding(
            "failed",
            f"{where}: {one.free / 1e9:.1f} GB of memory are free, and {processes} processes take {needed / 1e9:.1f}: "
            "give more, or run fewer at a time",
        )
    else:
        yield Finding("ok", f"{where}: {one.free / 1e9:.1f} GB of memory are free, {needed / 1e9:.1f} are needed")


def _job(runner: Runner, need: Need, folder: str) -> Iterator[Finding]:
    """A tiny job: its workers answer, have our corpus, write into the folder, and report."""
    place, made = join(folder, f".doctor-{uuid.uuid4().hex}"), not exists(folder)
    raised: list[Exception] = []

    def run() -> None:
        try:
            on = replace(runner, quiet=True)
            tasks = [ProbeTask(number) for number in range(PROBES)]
            on.run(
                lambda pipeline: pipeline | beam.Create(tasks) | "Probe" >> PartMap(Probe(need, place), on, "doctor"),
                place,
            )
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="doctor", daemon=True)
    try:
        thread.start()
        thread.join(ANSWER_SECONDS)
        if thread.is_alive():
            stop_servers()
            yield Finding(
                "failed",
                f"no worker has answered in {ANSWER_SECONDS} s: look at the engine's own page whether it has free "
                "workers, and what they say",
            )
        elif raised:
            if not isinstance(raised[0], UserError):
                raise raised[0]
            yield Finding("failed", f"a tiny job: {raised[0]}")
        else:
            found = reports(place)
            hosts = ", ".join(one.host for one in found)
            yield Finding("ok", f"workers on {hosts} have this corpus, and write into {folder}")
            for one in () if runner.is_local else found:
                yield from _told(one, need, f"worker on {one.host}", 1)
    finally:
        remove(place)
        if made and not names(folder):
            remove(folder)


def _dataflow_job(runner: Runner) -> Iterator[Finding]:
    options = beam_options.parse(("--requirements_cache=skip", *runner.options))
    options.view_as(TestOptions).dry_run = True
    try:
        with in_one_line(runner.name, engine_log(runner.name)):
            beam_options.refuse_unknown(options)
            pipeline = beam.Pipeline("DataflowRunner", options)
            pipeline | beam.Create([ProbeTask(0)]) | PartMap(Probe(Need(), "unused"), runner, "doctor")
            size = len(pipeline.run().job.proto_pipeline.SerializeToString())
    except UserError as error:
        yield Finding("failed", str(error))
        return
    yield Finding("ok", f"a job can be built ({size:,} bytes)")
    yield Finding("note", "none was sent, as it costs money: workers, buckets and the image show with the first step")
