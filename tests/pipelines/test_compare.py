"""Two runs on one page."""

import json
from pathlib import Path

import pytest
from lxml import html
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import UserError
from corpus.recipe.load import Recipe, load
from pipelines.engine.runner import Runner
from pipelines.run import run
from tests.pipelines.test_report import rows

RUNNER = Runner("local", 1, quiet=True)
RECIPE = """
format: 1
output: {home}/{name}
sources:
  mine:
    type: documents
    input: {home}/raw
    steps: [length: {{min_chars: {least}}}, exact, stats]
"""


def recipe(home: Path, name: str, least: int) -> Recipe:
    path = home / f"{name}.yaml"
    path.write_text(RECIPE.format(home=home, name=name, least=least), encoding="utf-8")
    return load(str(path))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that differ in a threshold: texts of 1 to 9 letters, each twice."""
    home = tmp_path_factory.mktemp("compared")
    (home / "raw").mkdir()
    texts = [{"text": "x" * (1 + n % 9), "id": f"<id {n}>"} for n in range(18)]
    (home / "raw" / "a.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")
    for name, least in (("first", 3), ("second", 6)):
        run(recipe(home, name, least), RUNNER, say=lambda line: None)
    return home


def page(home: Path, *arguments: str) -> html.HtmlElement:
    given = ["report", *arguments, "--output", str(home / "page.html")]
    done = CliRunner().invoke(app, given, catch_exceptions=False)
    assert done.output.strip() == str(home / "page.html")
    return html.document_fromstring((home / "page.html").read_text(encoding="utf-8"))


def test_two_runs(home: Path) -> None:
    tree = page(home, str(home / "first"), str(home / "second"))
    assert rows(tree, "Documents, bytes of text and tokens of mine in the end") == [
        ["documents", "7", "4", "-3"], ["bytes of text", "42", "30", "-12"], ["tokens", "", "", ""],
    ]  # fmt: skip
    assert rows(tree, "Settings of length that differ in mine") == [["length.min_chars", "3", "6"]]
    assert rows(tree, "Counts of length of mine") == [
        ["documents in", "18", "18", "0"],
        ["documents out", "14", "8", "-6"],
        ["bytes of text in", "90", "90", "0"],
        ["bytes of text out", "84", "60", "-24"],
        ["length.too_short", "4", "10", "+6"],
    ]
    assert [one.text_content() for one in tree.iter("summary")] == [
        "6 kept by the first alone; the other dropped them for length.too_short",
        "3 kept by the first alone",
    ]
    first, last = tree.iter("details")
    assert [one.text_content() for one in first.iter("strong")] == ["<id 2>", "<id 3>", "<id 4>"]
    assert {one.text_content() for one in last.iter("pre")} == {"xxx", "xxxx", "xxxxx"}


def test_a_run_with_a_step_and_a_source_more(home: Path) -> None:
    """The step that both have is not told to be another one, nor the source that one has to be the same."""
    text = RECIPE.format(home=home, name="more", least=3).replace("exact, stats]", "exact, stats, near]")
    other = text.partition("sources:\n")[2].replace("mine:", "other:")
    (home / "more.yaml").write_text(text + other, encoding="utf-8")
    run(load(str(home / "more.yaml")), RUNNER, say=lambda line: None)
    tree = page(home, str(home / "first"), str(home / "more"))
    assert not [one for one in tree.iter("caption") if one.text_content().startswith("Settings of")]
    assert tree.text_content().count("Only the second run has it.") == 1
    assert "No step of it differs." not in tree.text_content()
    assert "Both keep the same documents." in tree.text_content()


def test_two_steps_of_the_same_input(home: Path) -> None:
    first, second = (next((home / name / "mine").glob("20-length-*")) for name in ("first", "second"))
    tree = page(home, str(first), str(second))
    assert [one.text_content() for one in tree.iter("h1", "h2")] == [f"{first} and {second}", "length"]
    assert rows(tree, "Settings of length that differ in the two") == [["length.min_chars", "3", "6"]]
    (summary,) = (one.text_content() for one in tree.iter("summary"))
    assert summary.startswith("6 kept by the first alone")


def test_a_run_and_itself(home: Path) -> None:
    tree = page(home, str(home / "first"), str(home / "first"))
    assert "No step of it differs." in tree.text_content()
    assert not list(tree.iter("details"))


def test_what_cannot_be_compared_is_said(home: Path) -> None:
    step = str(next((home / "first" / "mine").glob("20-*")))
    for one, other in ((step, str(home / "first")), (str(home / "first"), str(home / "raw"))):
        with pytest.raises(UserError, match="name two runs, or two finished steps, to compare them"):
            CliRunner().invoke(app, ["report", one, other], catch_exceptions=False)
