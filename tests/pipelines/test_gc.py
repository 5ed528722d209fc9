"""Folders that none of a run's recipes names."""

from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.recipe.load import load
from pipelines.gc import stale_folders
from pipelines.run import run
from tests.pipelines.stages.alone import RUNNER


def run_recipe(path: Path, sources: str, until: str | None = None) -> list[str]:
    """Runs it into `run` beside it; gives what was said."""
    path.write_text(f"format: 1\noutput: {path.parent / 'run'}\nsources:\n{sources}", encoding="utf-8")
    said: list[str] = []
    run(load(str(path)), RUNNER, until=until, say=said.append)
    return said


def c4(raw: Path, min_chars: int, name: str = "c4") -> str:
    return f"  {name}: {{type: c4, input: {raw}, steps: [length: {{min_chars: {min_chars}}}]}}\n"


def test_gc_lists_what_the_recipe_no_longer_names(six_texts: Path, tmp_path: Path) -> None:
    home, path = tmp_path / "run", tmp_path / "recipe.yaml"
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "1.txt").write_text("A book.\n")
    run_recipe(path, c4(six_texts, 1) + f"  books: {{input: {tmp_path / 'books'}}}\n")
    assert stale_folders(str(home)) == []
    before = {folder for source in ("c4", "books") for folder in (home / source).iterdir()}
    run_recipe(path, c4(six_texts, 2))
    gone = {Path(folder) for folder in stale_folders(str(home))}
    assert gone == {folder for folder in before if "extract" not in folder.name or folder.parent.name == "books"}


def test_gc_keeps_what_any_recipe_of_the_same_output_names(six_texts: Path, tmp_path: Path) -> None:
    home, one, two = tmp_path / "run", tmp_path / "one.yaml", tmp_path / "two.yaml"
    assert not any("is the output of" in line for line in run_recipe(one, c4(six_texts, 1)))
    said = run_recipe(two, c4(six_texts, 2) + c4(six_texts, 3, "mine"))
    assert said[0] == f"{home} is the output of {one} too: gc keeps what any of its recipes names"
    assert stale_folders(str(home)) == []
    # A new version of one of them takes the place of the old version, and of nothing else.
    (old,) = (folder for folder in (home / "mine").iterdir() if "length" in folder.name)
    run_recipe(two, c4(six_texts, 2) + c4(six_texts, 4, "mine"))
    assert stale_folders(str(home)) == [str(old)]
    # Who does not want a recipe any more removes its copy.
    (kept,) = (home / "recipes").glob("two-*.yaml")
    kept.unlink()
    gone = {Path(folder).parent.name for folder in stale_folders(str(home))}
    assert gone == {"c4", "mine"}
    assert len(stale_folders(str(home))) == 1 + 3


def test_a_recipe_that_is_not_finished_stops_gc(six_texts: Path, tmp_path: Path) -> None:
    home, one, two = tmp_path / "run", tmp_path / "one.yaml", tmp_path / "two.yaml"
    run_recipe(one, c4(six_texts, 1))
    run_recipe(two, c4(six_texts, 2), until="extract")
    with pytest.raises(
        UserError,
        match=rf"/run/c4/20-length-\w{{8}} is not finished: run {two} to its end before gc, or remove .*/two-",
    ):
        stale_folders(str(home))


def test_a_folder_that_is_no_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no recipe\.yaml: give the folder of a run"):
        stale_folders(str(tmp_path))


def test_what_a_person_put_beside_the_steps_is_left(six_texts: Path, tmp_path: Path) -> None:
    home = tmp_path / "run"
    run_recipe(tmp_path / "recipe.yaml", c4(six_texts, 1))
    for name in ("c4/notes", "exports/c4", "model-1f3a9c2e"):
        (home / name).mkdir(parents=True)
    assert stale_folders(str(home)) == []
