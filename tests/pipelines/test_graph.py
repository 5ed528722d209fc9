"""A recipe's stages: which there are, in which order, and up to where."""

from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.recipe.load import Recipe, load
from pipelines.graph import compile_graph

RECIPE = """\
format: 1
output: run
sources:
  commoncrawl:
    input: /nowhere
    steps: [lines, length, exact, code]
  novels:
    type: books
    input: /nowhere
    steps: [gutenberg]
across: {across}
tokenizer: {{vocab_size: 400}}
mixture:
  shares: {{commoncrawl: 0.5, novels: 0.5}}
"""
CRAWL = ["commoncrawl/extract", "commoncrawl/lines+length", "commoncrawl/exact+code"]
NOVELS = ["novels/extract", "novels/gutenberg"]
TOKENS = ["tokenize/commoncrawl", "tokenize/novels"]


def recipe(tmp_path: Path, across: str = "[near]", rest: str = "") -> Recipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(across=across) + rest, encoding="utf-8")
    return load(str(path))


def names(recipe: Recipe, only: tuple[str, ...] = (), until: str | None = None) -> list[str]:
    """Of raw files nothing is read: there are none."""
    return [stage.name for stage in compile_graph(recipe, only, until).stages]


def test_the_stages_of_a_recipe_in_order(tmp_path: Path) -> None:
    assert names(recipe(tmp_path)) == [*CRAWL, *NOVELS, "across/near", "tokenizer", *TOKENS, "mix"]
    without = RECIPE.partition("tokenizer:")[0].format(across="[]")
    (tmp_path / "recipe.yaml").write_text(without, encoding="utf-8")
    assert names(load(str(tmp_path / "recipe.yaml"))) == [*CRAWL, *NOVELS]


def test_each_stage_stands_behind_what_it_is_made_from(tmp_path: Path) -> None:
    graph = compile_graph(recipe(tmp_path, "[length, near, gutenberg, exact]"))
    for place, stage in enumerate(graph.stages):
        assert all(before in graph.stages[:place] for before in stage.inputs)
    by_name = {stage.name: stage for stage in graph.stages}
    assert [stage.name for stage in by_name["tokenizer"].inputs] == ["across/exact", "across/exact"]
    assert [stage.name for stage in by_name["tokenize/novels"].inputs] == ["across/exact", "tokenizer"]
    assert [stage.name for stage in by_name["mix"].inputs] == TOKENS
    assert [stage.name for stage in graph.documents["novels"]] == [
        *NOVELS,
        "across/novels/length",
        "across/near+gutenberg",
        "across/exact",
    ]


def test_what_stands_across_before_a_dedup_sees_each_source_by_itself(tmp_path: Path) -> None:
    assert names(recipe(tmp_path, "[length, code, near, gutenberg, exact]"), until="across")[5:] == [
        "across/commoncrawl/length+code",
        "across/novels/length+code",
        "across/near+gutenberg",
        "across/exact",
    ]


def test_no_two_stages_have_one_name(tmp_path: Path) -> None:
    """Times are kept by the name."""
    some = recipe(tmp_path, "[gutenberg, length, near]")
    assert len(set(names(some))) == len(names(some))
    alone = RECIPE.partition("  novels:")[0] + "across: [lines, length]\n"
    (tmp_path / "recipe.yaml").write_text(alone, encoding="utf-8")
    found = names(load(str(tmp_path / "recipe.yaml")))
    assert len(found) == len(set(found)) == 4


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("extract", ["commoncrawl/extract", "novels/extract"]),
        ("lines", ["commoncrawl/extract", "commoncrawl/lines", *NOVELS]),
        ("length", [*CRAWL[:2], *NOVELS]),
        ("exact", [*CRAWL[:2], "commoncrawl/exact", *NOVELS]),
        ("gutenberg", [*CRAWL, *NOVELS]),
        ("across", [*CRAWL, *NOVELS, "across/near"]),
        ("tokenizer", [*CRAWL, *NOVELS, "across/near", "tokenizer"]),
        ("tokenize", [*CRAWL, *NOVELS, "across/near", "tokenizer", *TOKENS]),
        ("mix", [*CRAWL, *NOVELS, "across/near", "tokenizer", *TOKENS, "mix"]),
    ],
)
def test_until(tmp_path: Path, until: str, expected: list[str]) -> None:
    assert names(recipe(tmp_path), until=until) == expected


def test_some_sources_only_end_before_across(tmp_path: Path) -> None:
    assert names(recipe(tmp_path), only=("novels",)) == NOVELS
    assert names(recipe(tmp_path), only=("novels",), until="extract") == NOVELS[:1]
    assert names(recipe(tmp_path), only=("commoncrawl", "novels")) == [*CRAWL, *NOVELS]


def test_names_that_the_recipe_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"recipe\.yaml has no source novel; known are novels, commoncrawl$"):
        names(recipe(tmp_path), only=("novel",))
    with pytest.raises(UserError, match=r"recipe\.yaml has no step gutenburg; known are gutenberg, "):
        names(recipe(tmp_path), until="gutenburg")
    with pytest.raises(UserError, match=r"has no step lines; known are "):
        names(recipe(tmp_path), only=("novels",), until="lines")


def test_nothing_is_known_of_a_stage_before_its_inputs_are_finished(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("a book")
    text = RECIPE.format(across="[near]").replace("/nowhere", str(tmp_path / "raw"))
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    graph = compile_graph(load(str(tmp_path / "recipe.yaml"), {"output": str(tmp_path / "run")}))
    assert not any(stage.finished() for stage in graph.stages)
    known = [stage.name for stage in graph.stages if stage.identity() is not None]
    assert known == ["commoncrawl/extract", "novels/extract"]
    assert [stage.name for stage in graph.stages if stage.folders()] == known
    assert graph.finished_documents() == {"commoncrawl": [], "novels": []}
    assert not (tmp_path / "run").exists()
