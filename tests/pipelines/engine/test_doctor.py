import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from corpus.cli import app
from pipelines.engine import doctor
from pipelines.engine.doctor import examine
from pipelines.engine.probe import WORKER_BYTES, Need, Report
from pipelines.engine.runner import Runner

ROOT = Path(__file__).parents[3]
POOL = Runner(workers=2, quiet=True)
RECIPE = """format: 1
output: {folder}/run
sources:
  c4: {{input: {raw}, steps: [exact]}}
"""


def corpus(*arguments: str) -> tuple[int, list[str]]:
    done = CliRunner().invoke(app, ["doctor", *arguments, "--workers", "1"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output.splitlines()


def test_the_command_tells_each_thing_in_a_line_and_leaves_nothing(six_texts: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.format(folder=tmp_path, raw=six_texts))
    before = sorted(tmp_path.rglob("*"))
    code, lines = corpus(str(recipe))
    assert code == 0
    assert [line.split()[0] for line in lines] == ["ok"] * 3
    assert lines[-1].endswith(f"have this corpus, and write into {tmp_path}/run")
    code, lines = corpus(str(recipe), "--set", f"input.c4={tmp_path}/none")
    assert code == 1
    assert lines[0].startswith(f"failed  here: the input {tmp_path}/none cannot be read (")
    assert lines[-1] == "note    no job was tried: mend what failed first"
    assert sorted(tmp_path.rglob("*")) == before


def test_an_engine_that_is_not_there_fails_without_a_recipe() -> None:
    code, lines = corpus("--runner", "spark", "--beam-option=--job_endpoint=localhost:1")
    assert code == 1
    assert "failed  job server localhost:1 is not there: start it, or mend --job_endpoint" in lines


def test_memory_that_does_not_do_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, state in ((2 * WORKER_BYTES, "ok"), (2 * WORKER_BYTES - 1, "failed"), (None, "note")):
        monkeypatch.setattr(doctor, "report", lambda need, free=free: Report("here", [], 0, free))
        found = [finding for finding in examine(POOL, Need(), str(tmp_path)) if finding.line.startswith("here: ")]
        assert [finding.state for finding in found] == [state]
        assert "2.0" in found[0].line


def test_workers_that_cannot_write_or_do_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (failed,) = [one for one in examine(POOL, Need(), str(tmp_path / "file")) if one.state == "failed"]
    assert failed.line.startswith("a tiny job: ")
    assert str(tmp_path / "file") in failed.line

    def hang(self: Runner, build: Any, folder: str) -> None:
        time.sleep(5)

    monkeypatch.setattr(Runner, "run", hang)
    monkeypatch.setattr(doctor, "ANSWER_SECONDS", 0.1)
    (failed,) = [one for one in examine(POOL, Need(), str(tmp_path)) if one.state == "failed"]
    assert failed.line.startswith("no worker has answered in 0.1 s")


@pytest.mark.spark
def test_spark_that_starts_workers_of_ours_is_well(spark: Runner, six_texts: Path, tmp_path: Path) -> None:
    """By `corpus-worker`, as on a cluster, and not in this process."""
    program = tmp_path / "corpus-worker"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\n"
        f"Path({str(tmp_path / 'started')!r}).touch()\nfrom pipelines.engine.worker import main\nmain()\n"
    )
    program.chmod(0o755)
    config = json.dumps({"command": str(program)})
    options = (*spark.options, "--environment_type=PROCESS", f"--environment_config={config}")
    found = list(examine(replace(spark, options=options), Need((str(six_texts),)), str(tmp_path / "run")))
    assert {one.state for one in found} <= {"ok", "note"}, found
    assert (tmp_path / "started").exists()
    assert found[0].line.startswith("Java ")
    assert any(one.line.startswith("workers on ") for one in found)
    assert found[-2].line.endswith("inputs, model files and tokenizer are there")
    assert not (tmp_path / "run").exists()


def test_dataflow_is_built_and_not_sent(tmp_path: Path) -> None:
    pytest.importorskip("apitools", reason="Google's libraries are not installed")
    options = (
        "project=my-project",
        "region=europe-west1",
        "temp_location=gs://my-bucket/tmp",
        "staging_location=gs://my-bucket/staging",
    )
    runner = Runner("dataflow", options=tuple(f"--{option}" for option in options))
    found = list(examine(runner, Need(), str(tmp_path)))
    assert [one.state for one in found] == ["ok", "ok", "ok", "note"]
    assert found[-2].line.startswith("a job can be built (")
    (failed,) = [one for one in examine(Runner("dataflow"), Need(), str(tmp_path)) if one.state == "failed"]
    assert failed.line.startswith("dataflow: Beam refuses the options (Missing required option: project")
