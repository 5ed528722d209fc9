import importlib.util
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import SparkRunnerOptions
from apache_beam.runners.runner import PipelineState
from apache_beam.utils.subprocess_server import JavaJarServer

from corpus.errors import DamagedFile, UserError
from pipelines.engine.runner import Runner, RunnerName
from tests.pipelines.engine.fake_java import fake_java
from tests.pipelines.engine.idle import Idle, Interrupted


@pytest.fixture
def java(tmp_path: Path) -> str:
    """An option that names a Java which can say its version, and nothing else."""
    return f"--job_server_java_launcher={fake_java(tmp_path, '17.0.15')}"


def nothing(pipeline: beam.Pipeline) -> None:
    pipeline | beam.Create([1])


def damaged(_: int) -> None:
    raise DamagedFile("x.json is damaged: remove it")


def broken(_: int) -> None:
    raise KeyError("a bug")


@pytest.mark.parametrize("state", [PipelineState.DONE, PipelineState.CANCELLED, PipelineState.UNKNOWN])
def test_a_runner_that_has_run_nothing_is_not_believed(
    state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runner, "_pipeline", lambda self: beam.Pipeline(runner=Idle(state)))
    with pytest.raises(UserError, match=rf"spark ended in state {state} .* no worker has left a mark in {tmp_path}"):
        Runner("spark").run(nothing, str(tmp_path))


def test_ctrl_c_cancels_the_job_of_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Interrupted()
    monkeypatch.setattr(Runner, "_pipeline", lambda self: beam.Pipeline(runner=engine))
    with pytest.raises(KeyboardInterrupt):
        Runner("flink").run(nothing, str(tmp_path))
    assert engine.cancelled == 1
    assert capsys.readouterr().err == "flink: cancels the job\n"


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_is_left_of_the_mark(workers: int, tmp_path: Path) -> None:
    Runner(workers=workers).run(nothing, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_options_by_which_nothing_runs_are_refused_before_anything_is_written() -> None:
    with pytest.raises(UserError, match="--dry_run returns before a job has run"):
        Runner("dataflow", options=("--dry_run=True",))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_users_mistake_in_the_graph_is_one_line(
    workers: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DamagedFile) as caught:
        Runner(workers=workers).run(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(damaged), str(tmp_path))
    assert str(caught.value) == "x.json is damaged: remove it"
    assert "Traceback" not in capfd.readouterr().err


def interrupted(_: int) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_in_the_graph_stays_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        Runner(workers=0).run(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(interrupted), str(tmp_path))
    assert "Traceback" not in capfd.readouterr().err


def test_a_bug_in_the_graph_keeps_its_report(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="a bug"):
        Runner(workers=0).run(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(broken), str(tmp_path))


def test_the_local_runner_is_named_explicitly() -> None:
    assert type(Runner()._pipeline().runner).__name__ == "FnApiRunner"


def test_what_is_local() -> None:
    assert Runner().is_local
    assert Runner().has_pool
    assert Runner(workers=0).is_local
    assert not Runner(workers=0).has_pool
    assert not Runner("spark").is_local
    assert not Runner("spark").has_pool


def test_an_option_that_beam_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--beam-option=--regoin is no option .* do you mean --region"):
        Runner(workers=0, options=("--regoin=europe-west1",)).run(nothing, str(tmp_path))


def test_fewer_than_no_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="workers is -1"):
        Runner(workers=-1).run(nothing, str(tmp_path))


@pytest.mark.parametrize("name", ["spark", "flink"])
def test_missing_java_is_said(name: RunnerName, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"'/no/java'.*{name} runner.*install Java 17"):
        Runner(name, options=("--job_server_java_launcher=/no/java",)).run(nothing, str(tmp_path))


@pytest.mark.parametrize("name", ["spark", "flink"])
def test_a_job_server_that_is_not_there_is_said(
    name: RunnerName, java: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"job server /no/such.jar does not exist"):
        Runner(name, options=(java, f"--{name}_job_server_jar=/no/such.jar")).run(nothing, str(tmp_path))
    monkeypatch.setenv(f"CORPUS_{name.upper()}_JOB_SERVER_JAR", "/no/other.jar")
    with pytest.raises(UserError, match=r"job server /no/other.jar does not exist"):
        Runner(name, options=(java,)).run(nothing, str(tmp_path))


def test_a_job_server_that_cannot_be_fetched_is_said(
    java: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(url: str, cache: str | None) -> str:
        raise RuntimeError(f"Unable to fetch\n{url}")

    monkeypatch.setattr(JavaJarServer, "local_jar", fail)
    monkeypatch.delenv("CORPUS_SPARK_JOB_SERVER_JAR", raising=False)
    with pytest.raises(UserError, match=r"beam-runners-spark-3-job-server-.*\.jar yourself.*--spark_job_server_jar"):
        Runner("spark", options=(java,)).run(nothing, str(tmp_path))


def test_spark_runs_on_this_machine_unless_told_otherwise() -> None:
    endpoint = "--job_endpoint=localhost:1"
    for options, master in (((), "local[*]"), (("--spark_master_url=spark://host:7077",), "spark://host:7077")):
        pipeline = Runner("spark", options=(endpoint, *options))._pipeline()
        assert pipeline.options.view_as(SparkRunnerOptions).spark_master_url == master


def test_dataflow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install '\.\[dataflow\]'"):
        Runner("dataflow").run(nothing, str(tmp_path))


def test_workers_do_not_import_beam() -> None:
    code = "import pipelines.engine.pool, corpus.steps.spill, sys; sys.exit('apache_beam' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
