"""What is said of rules and sources is what they say of themselves."""

from pathlib import Path
from typing import Annotated, ClassVar

import pyarrow as pa
import pytest

from corpus import describe
from corpus.registry import find_rule, find_source, rules, sources
from corpus.rules import Filter
from corpus.thresholds import AtLeast, AtMost, Decides

DOCS = Path(__file__).parents[2] / "docs"


class Example(Filter):
    """A rule for the test.

    Attributes:
        least, most: of the words, from
            somewhere.
        model: a file.
        shares: of two.
    """

    reasons: ClassVar[tuple[str, ...]] = ("other",)
    other_scores: ClassVar[tuple[str, ...]] = ("more",)

    least: Annotated[int, AtLeast("words", "too_few")] = 3
    most: Annotated[int | None, AtMost("words")] = None
    model: str
    shares: Annotated[tuple[float, float], AtMost("a"), AtMost("b")] = (0.1, 0.2)
    own: Annotated[bool, Decides("words")] = True

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        raise AssertionError


def test_the_settings_of_a_class() -> None:
    found = {setting.name: setting for setting in describe.settings_of(Example)}
    assert found["least"].text == "of the words, from somewhere."
    assert found["least"].compares == ("words >=, else too_few",)
    assert found["most"].compares == ("words <=, else words",)
    assert found["shares"].compares == ("a <=, else a", "b <=, else b")
    assert [(s.default, s.scores_again) for s in found.values()] == [
        ("3", False), ("null", False), (None, True), ("[0.1, 0.2]", False), ("true", False),
    ]  # fmt: skip
    assert describe.reasons_of(Example) == ("too_few", "words", "a", "b", "other")
    assert Example.score_names() == ("words", "a", "b", "more")
    assert describe.prose_of(Example) == "A rule for the test."


@pytest.mark.parametrize("name", [named.name for named in [*rules(), *sources()]])
def test_every_setting_of_ours_has_a_description(name: str) -> None:
    described = next(named.type for named in [*rules(), *sources()] if named.name == name)
    without = [setting.name for setting in describe.settings_of(described) if not setting.text]
    assert without == []
    assert describe.summary_of(described)


def test_the_tables_of_the_docs_are_made_of_the_code() -> None:
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    for table in describe.markdown().strip().split("\n\n"):
        assert table in page, f"docs/recipes.md is behind: `corpus rules --markdown` prints\n{table}"


@pytest.mark.parametrize("name", [named.name for named in rules() if issubclass(named.type, Filter)])
def test_filters_name_the_scores_they_give(name: str) -> None:
    """Of the ones that need no model file."""
    rule = find_rule(name)
    if any(field.is_required() for field in rule.model_fields.values()) or "model" in rule.model_fields:
        pytest.skip("needs a model file; its own test looks at its columns")
    from corpus.schema import Document, Origin, document_batch

    batch = document_batch([Document("a", "some words and more of them", Origin("f"))], "books")
    given = rule().score(batch).schema.names  # type: ignore[attr-defined]
    assert set(given) == set(rule.score_names())  # type: ignore[attr-defined]


def test_facts_are_those_of_the_class() -> None:
    facts = dict(describe.facts_of(find_rule("near")))
    assert facts["expected to keep"] == "80% of the text"
    assert facts["spills"].startswith("(12 B x bands")
    assert dict(describe.facts_of(find_source("books")))["raw files"] == ".txt, .html, .epub, and .zip of them"
