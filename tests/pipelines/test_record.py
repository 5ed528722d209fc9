"""What a run writes about itself: the recipes it was made by, and when its stages were worked on."""

import json
import os
import socket
from pathlib import Path

import pytest

from corpus.recipe.load import load
from pipelines.graph import compile_graph
from pipelines.record import Attempt, attempt, attempts, keep_recipe, kept_recipes
from pipelines.run import run
from tests.pipelines.stages.alone import RUNNER


def write(folder: Path, name: str, raw: Path, min_chars: int = 1) -> str:
    path = folder / name
    text = f"""\
# what it is for
format: 1
output: {folder}/run
sources:
  c4: {{input: $RAW, steps: [length: {{min_chars: {min_chars}}}]}}  # $RAW is {raw}
"""
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture(autouse=True)
def _variable(six_texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAW", str(six_texts))


def test_the_newest_version_of_each_recipe_is_kept(six_texts: Path, tmp_path: Path) -> None:
    one, two = write(tmp_path, "one.yaml", six_texts), write(tmp_path, "two.yaml", six_texts, 2)
    assert keep_recipe(load(one)) == []
    (other,) = keep_recipe(load(two))
    assert other.origin == one
    write(tmp_path, "one.yaml", six_texts, 3)
    (other,) = keep_recipe(load(one))
    assert other.origin == two
    kept = {recipe.origin: recipe.path for recipe in kept_recipes(str(tmp_path / "run"))}
    assert list(kept) == [one, two]
    assert "min_chars: 3" in Path(kept[one]).read_text(encoding="utf-8")
    assert Path(kept[one]).read_bytes() == (tmp_path / "run" / "recipe.yaml").read_bytes()


def test_what_is_kept_is_the_recipe_as_run(six_texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the values of variables and of options; and it reads the same where they are gone."""
    recipe = load(write(tmp_path, "one.yaml", six_texts), {"output": str(tmp_path / "elsewhere")})
    keep_recipe(recipe)
    monkeypatch.delenv("RAW")
    (kept,) = kept_recipes(str(tmp_path / "elsewhere"))
    again = load(kept.path)
    assert (again.output, again.sources) == (recipe.output, recipe.sources)
    assert again.sources[0].input == str(six_texts)
    assert "# what it is for" in Path(kept.path).read_text(encoding="utf-8")


def test_equal_names_in_two_folders_are_two_recipes(six_texts: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    recipes = [
        load(write(folder, "recipe.yaml", six_texts), {"output": str(tmp_path / "run")})
        for folder in (tmp_path, tmp_path / "more")
    ]
    for recipe in recipes:
        keep_recipe(recipe)
    assert {kept.origin for kept in kept_recipes(str(tmp_path / "run"))} == {recipe.path for recipe in recipes}


def test_a_run_of_a_version_that_kept_its_last_recipe_only(six_texts: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    path = write(tmp_path / "run", "recipe.yaml", six_texts)
    (kept,) = kept_recipes(str(tmp_path / "run"))
    assert (kept.path, kept.origin) == (path, path)
    assert kept_recipes(str(tmp_path / "nothing")) == []


def test_every_attempt_at_a_stage_is_noted(six_texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, home = write(tmp_path, "one.yaml", six_texts), str(tmp_path / "run")

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.stages.process.finish_step", killed)
        with pytest.raises(KeyboardInterrupt):
            run(load(path), RUNNER, say=lambda line: None)
    for _ in range(2):  # what is finished is not worked on again
        run(load(path), RUNNER, say=lambda line: None)
    extract, length = compile_graph(load(path)).stages
    (first,) = attempts(home, extract)
    assert (first.host, first.process, first.runner) == (socket.gethostname(), os.getpid(), "local")
    assert first.seconds is not None
    assert len(attempts(home, length)) == 2
    assert all(found.seconds is not None for found in attempts(home, length))

    # Of another result nothing is known, and what was is not added to.
    write(tmp_path, "one.yaml", six_texts, 2)
    extract, length = compile_graph(load(path)).stages
    assert len(attempts(home, extract)) == 1
    assert attempts(home, length) == []
    run(load(path), RUNNER, say=lambda line: None)
    assert len(attempts(home, length)) == 1


def test_what_is_worked_on_has_begun_and_not_ended(six_texts: Path, tmp_path: Path) -> None:
    (stage, _) = compile_graph(load(write(tmp_path, "one.yaml", six_texts))).stages
    assert attempts(str(tmp_path / "run"), stage) == []
    with attempt(str(tmp_path / "run"), stage, RUNNER):
        (found,) = attempts(str(tmp_path / "run"), stage)
        assert isinstance(found, Attempt)
        assert found.seconds is None
    (found,) = attempts(str(tmp_path / "run"), stage)
    assert found.seconds is not None


def test_what_is_noted_may_be_removed(six_texts: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "one.yaml", six_texts)
    run(load(path), RUNNER, say=lambda line: None)
    notes = [json.loads(file.read_text()) for file in sorted((tmp_path / "run" / ".status").iterdir())]
    assert [note["stage"] for note in notes] == ["c4/extract", "c4/length"]
    for file in (tmp_path / "run" / ".status").iterdir():
        file.unlink()
    assert run(load(path), RUNNER, say=lambda line: None).ran == 0
