"""Mixtures of token folders that were there before the recipe."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import UserError
from corpus.recipe.load import load
from pipelines.gc import stale_folders
from pipelines.plan.estimate import data_plan
from pipelines.plan.rates import reference
from pipelines.run import run
from tests.pipelines.stages.alone import RUNNER
from tests.tokenizer.folders import run as pack
from tests.tokenizer.folders import write_parts
from tokenizer.index import read_index
from tokenizer.reader import TokenReader
from tokenizer.train import train

RECIPE = """\
format: 1
output: {home}/run
{sources}mixture:
  shares: {shares}
  folders: {{old: {home}/old}}
  sequence_length: 16
"""
SOURCES = """\
sources: {{books: {{input: {home}/raw}}}}
tokenizer: {{model: {home}/tokenizer.model, held_out: 10}}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    model = str(tmp_path / "tokenizer.model")
    train([f"{word} north thing in the {n}" for n in range(200) for word in ("return", "self", "ka")], model, 320)
    (tmp_path / "parts").mkdir()
    pack(write_parts(tmp_path / "parts", [40]), str(tmp_path / "old"), model, [[0]])
    (tmp_path / "raw").mkdir()
    for n in range(20):
        (tmp_path / "raw" / f"{n}.txt").write_text("the north return " * 100)
    return tmp_path


def recipe(home: Path, sources: str, shares: str) -> str:
    path = home / "recipe.yaml"
    path.write_text(RECIPE.format(home=home, sources=sources.format(home=home), shares=shares))
    return str(path)


def test_alone(home: Path) -> None:
    path = recipe(home, "", "{old: 1}")
    for _ in range(2):
        result = CliRunner().invoke(app, ["mix", path])
        assert result.exit_code == 0, result.output
    (manifest,) = (home / "run").glob("mixture-*/manifest.json")
    assert TokenReader(str(manifest)).sources == ("old",)
    assert stale_folders(str(home / "run")) == []
    (home / "old" / "index.json").unlink()
    with pytest.raises(UserError, match=r"old of old has no index\.json: give a finished token folder"):
        run(load(path), RUNNER)


def test_a_plan_knows_them(home: Path) -> None:
    alone = recipe(home, "", "{old: 1}")
    for options in ([], ["--calibrate"]):
        result = CliRunner().invoke(app, ["plan", alone, *options])
        assert "has no sources: its token folders are there already" in str(result.exception)
    plan = data_plan(load(recipe(home, SOURCES, "{old: 3/10, books: 7/10}")), reference(), reference())
    assert plan.sources[0].drawn == pytest.approx(4 * read_index(str(home / "old")).tokens / 0.3 * 0.7)


def test_beside_a_source(home: Path) -> None:
    path = recipe(home, SOURCES, "{old: 0.3, books: 0.7}")
    result = CliRunner().invoke(app, ["run", path, "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert [line.split()[-2:] for line in result.output.splitlines() if line.startswith("old ")] == [["30.0%", "30.0%"]]
    (manifest,) = (home / "run").glob("mixture-*/manifest.json")
    assert TokenReader(str(manifest)).sources == ("books", "old")
    assert stale_folders(str(home / "run")) == []


@pytest.mark.parametrize("trained", [False, True])
def test_another_tokenizer_is_refused_before_the_work(home: Path, trained: bool) -> None:
    lines = [f"{word} south {n}" for n in range(200) for word in ("thing", "self", "ka")]
    train(lines, str(home / "other.model"), 310)
    (home / "raw" / "more.txt").write_text("\n".join(lines))
    section = "vocab_size: 310" if trained else "model: {home}/other.model"
    path = recipe(home, SOURCES.replace("model: {home}/tokenizer.model", section), "{old: 0.3, books: 0.7}")
    model = "tokenizer-.*/tokenizer" if trained else "other"
    for _ in range(2):  # a model that was trained before is refused too
        with pytest.raises(
            UserError, match=rf"old of old was made with the tokenizer \w{{8}}, and .*{model}\.model is"
        ):
            run(load(path), RUNNER)
        assert (home / "run" / "books").exists() == trained
        assert not (home / "run" / "tokens").exists()


def test_a_token_folder_that_is_not_finished_is_said_before_the_work(home: Path) -> None:
    (home / "old" / "index.json").unlink()
    with pytest.raises(UserError, match=r"old/index\.json does not exist: check the path"):
        run(load(recipe(home, SOURCES, "{old: 0.3, books: 0.7}")), RUNNER)
    assert not (home / "run").exists()
