"""What the order of rules and slow rules cost is said, and nothing of those that cost nothing."""

from pathlib import Path

import pytest

from corpus.recipe.load import load
from corpus.recipe.notes import recipe_notes


def notes(tmp_path: Path, steps: str, across: str = "[]") -> list[str]:
    path = tmp_path / "recipe.yaml"
    text = f"format: 1\noutput: run\nsources:\n  c4: {{input: raw, steps: {steps}}}\nacross: {across}\n"
    path.write_text(text, encoding="utf-8")
    return recipe_notes(load(str(path)))


@pytest.mark.parametrize(
    ("steps", "across"),
    [
        ("[]", "[]"),
        ("[lines, length, gopher_quality, exact, near]", "[exact, near, overlap]"),
        ("[gutenberg, wikitext, code]", "[near]"),
        ("[lines, length]", "[length, near]"),
        ("[lines, gutenberg]", "[]"),
        ("[exact, substring]", "[near, substring]"),
        ("[exact, stats, signatures]", "[near]"),
        ("[length, 'substring': {action: report}, code]", "[]"),
        ("[length, 'substring': {action: drop}]", "[]"),
    ],
)
def test_an_order_without_a_cost(tmp_path: Path, steps: str, across: str) -> None:
    assert notes(tmp_path, steps, across) == []


LOSES = "keeps one of several copies, and {} after it may drop that one: then none is left"
SCORED = "stored scores of {} are of the text as it was then, before {}: the finished text may score otherwise"


@pytest.mark.parametrize(
    ("steps", "across", "expected"),
    [
        ("[exact, length]", "[]", ["c4: exact " + LOSES.format("length")]),
        ("[near, lines, code, length]", "[]", ["c4: near " + LOSES.format("lines, code and length")]),
        ("[exact, gutenberg]", "[]", ["c4: exact " + LOSES.format("gutenberg")]),
        ("[length, gutenberg]", "[]", ["c4: " + SCORED.format("length", "gutenberg")]),
        ("[length, lines]", "[]", ["c4: " + SCORED.format("length", "lines")]),
        ("[length, substring]", "[]", ["c4: " + SCORED.format("length", "substring")]),
        ("[substring, length]", "[]", ["c4: substring " + LOSES.format("length")]),
        ("[exact]", "[length, near]", ["c4: exact " + LOSES.format("length")]),
        (
            "[code]",
            "[near, gutenberg]",
            ["c4: " + SCORED.format("code", "gutenberg"), "across: near " + LOSES.format("gutenberg")],
        ),
        (
            "[length, gutenberg, length]",
            "[lines]",
            ["c4: " + SCORED.format("length and length-2", "gutenberg and lines")],
        ),
    ],
)
def test_an_order_that_costs_something(tmp_path: Path, steps: str, across: str, expected: list[str]) -> None:
    assert notes(tmp_path, steps, across) == expected


def test_the_bundled_recipes_cost_nothing(tmp_path: Path) -> None:
    for name in ("demo", "llama"):
        assert recipe_notes(load(name, variables={"DEMO": "d", "DATA": "d"}, needs_models=False)) == []
