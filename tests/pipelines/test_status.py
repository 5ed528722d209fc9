"""What a run says of itself: recipes of one output, times, what is done and what is not."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import UserError
from corpus.recipe.load import Recipe, load
from pipelines.engine.runner import Runner
from pipelines.gc import stale_folders
from pipelines.graph import compile_graph
from pipelines.record import attempts, kept_recipes
from pipelines.run import run
from pipelines.status import status

RUNNER = Runner("local", 1, quiet=True)
RECIPE = """
format: 1
output: {home}/run
sources:
  mine:
    type: documents
    input: {home}/raw
    steps: [length: {{min_chars: {least}}}, exact]
"""


def recipe(home: Path, name: str = "recipe.yaml", least: int = 1) -> Recipe:
    raw = home / "raw"
    raw.mkdir(exist_ok=True)
    (raw / "a.jsonl").write_text("".join(json.dumps({"text": "x" * n}) + "\n" for n in range(1, 9)), encoding="utf-8")
    (home / name).write_text(RECIPE.format(home=home, least=least), encoding="utf-8")
    return load(str(home / name))


def states(of_recipe: Recipe) -> list[tuple[str, str]]:
    return [(stage.name, stage.state) for stage in status(of_recipe)]


def test_stages_are_missing_then_done(tmp_path: Path) -> None:
    mine = recipe(tmp_path)
    assert states(mine) == [("mine/extract", "missing"), ("mine/length", "waits"), ("mine/exact", "waits")]
    run(mine, RUNNER, until="length", say=lambda line: None)
    assert states(mine) == [("mine/extract", "done"), ("mine/length", "done"), ("mine/exact", "missing")]
    run(mine, RUNNER, say=lambda line: None)
    assert {state for _, state in states(mine)} == {"done"}
    assert all(stage.seconds > 0 for stage in status(mine))
    assert [stage.parts for stage in status(mine)] == [(1, 1)] * 3


def test_a_stage_that_failed_has_begun(tmp_path: Path) -> None:
    mine = recipe(tmp_path, least=100)  # drops every document
    with pytest.raises(UserError, match="every document was dropped"):
        run(mine, RUNNER, say=lambda line: None)
    assert states(mine)[1] == ("mine/length", "begun")


def test_raw_files_that_are_gone_are_said(tmp_path: Path) -> None:
    mine = recipe(tmp_path)
    run(mine, RUNNER, say=lambda line: None)
    (tmp_path / "raw" / "a.jsonl").unlink()
    (tmp_path / "raw").rmdir()
    assert all("does not exist" in state for _, state in states(mine))


def test_attempts_are_those_of_the_present_digest(tmp_path: Path) -> None:
    mine = recipe(tmp_path)
    run(mine, RUNNER, say=lambda line: None)
    stage = compile_graph(mine).stages[1]
    (tried,) = attempts(mine.output, stage)
    assert (tried.runner, tried.seconds is not None) == ("local", True)
    other = compile_graph(recipe(tmp_path, least=2)).stages[1]
    assert attempts(mine.output, other) == []


def test_two_recipes_of_one_output_keep_each_others_folders(tmp_path: Path) -> None:
    said: list[str] = []
    first, second = recipe(tmp_path), recipe(tmp_path, "second.yaml", least=3)
    run(first, RUNNER, say=said.append)
    assert not any("is the output of" in line for line in said)
    run(second, RUNNER, say=said.append)
    assert f"{first.output} is the output of {tmp_path}/recipe.yaml too: gc keeps what any of its recipes names" in said
    assert [kept.origin for kept in kept_recipes(first.output)] == [
        f"{tmp_path}/recipe.yaml",
        f"{tmp_path}/second.yaml",
    ]
    assert stale_folders(first.output) == []
    run(recipe(tmp_path, "second.yaml", least=4), RUNNER, say=said.append)
    stale = stale_folders(first.output)
    assert [Path(path).name.partition("-")[2][:6] for path in stale] == ["length", "exact-"]
    assert all(folder.path not in stale for steps in (run(first, RUNNER, say=said.append),) for folder in
               steps.graph.finished_documents()["mine"])  # fmt: skip


def test_gc_lists_asks_and_removes(tmp_path: Path) -> None:
    run(recipe(tmp_path), RUNNER, say=lambda line: None)
    again = run(recipe(tmp_path, least=2), RUNNER, say=lambda line: None)
    output = str(tmp_path / "run")
    stale = stale_folders(output)
    assert len(stale) == 2
    listed = CliRunner().invoke(app, ["gc", output], catch_exceptions=False)
    assert [f"not named by a recipe: {path}" for path in stale] == listed.output.splitlines()
    with pytest.raises(UserError, match="add --yes"):
        CliRunner().invoke(app, ["gc", output, "--remove"], catch_exceptions=False)
    assert stale_folders(output) == stale
    CliRunner().invoke(app, ["gc", output, "--remove", "--yes"], catch_exceptions=False)
    assert stale_folders(output) == []
    assert all(folder.finished for folder in again.graph.finished_documents()["mine"])


def test_the_command(tmp_path: Path) -> None:
    run(recipe(tmp_path), RUNNER, say=lambda line: None)
    done = CliRunner().invoke(app, ["status", str(tmp_path / "run")], catch_exceptions=False)
    assert [line.split()[:2] for line in done.output.splitlines() if line.startswith("mine/")] == [
        ["mine/extract", "done"], ["mine/length", "done"], ["mine/exact", "done"],
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"has no recipe\.yaml"):
        CliRunner().invoke(app, ["status", str(tmp_path / "raw")], catch_exceptions=False)
