"""Finding steps and thresholds by the names that people give."""

from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.filters.length import Length
from corpus.steps.rule import NamedRule
from corpus.tuning.stored import chain_of, finished_steps, name_of, stored_parts, thresholds_named
from tests.corpus.tuning.small_step import extracted, processed

RULES = (NamedRule("length", Length(min_chars=3)), NamedRule("length-2", Length(min_chars=0, max_chars=9)))


def test_steps_of_a_run_are_those_with_the_rule(tmp_path: Path) -> None:
    one = processed(extracted(tmp_path / "run/c4/10-extract-1", [["a house"]]), tmp_path / "run/c4/20-length-2", RULES)
    other = processed(
        extracted(tmp_path / "run/books/10-extract-1", [["a house"]]), tmp_path / "run/books/20-length-3", RULES[:1]
    )
    assert finished_steps(str(tmp_path / "run"), {"length"}) == [other, one]
    assert finished_steps(str(tmp_path / "run"), {"length-2"}) == [one]
    assert finished_steps(one.path, {"anything"}) == [one]
    with pytest.raises(UserError, match="holds no finished step with the rule exact: name"):
        finished_steps(str(tmp_path / "run"), {"exact"})
    with pytest.raises(UserError, match="holds no finished step: name the folder of a step, or of a run"):
        finished_steps(str(tmp_path / "nothing"), {"exact"})


def test_thresholds_go_by_rule_and_field(tmp_path: Path) -> None:
    step = processed(extracted(tmp_path / "10", [["a house"]]), tmp_path / "20", RULES)
    chain = chain_of(step)
    assert [name_of(*pair) for pair in thresholds_named(chain, "length")] == ["length.min_chars", "length.max_chars"]
    assert [name_of(*pair) for pair in thresholds_named(chain, "length-2.max_chars")] == ["length-2.max_chars"]


def test_scores_and_drops_come_back_by_row(tmp_path: Path) -> None:
    step = processed(extracted(tmp_path / "10", [["a house", "a", "a house with trees"]]), tmp_path / "20", RULES)
    part = next(stored_parts(step, chain_of(step)))
    assert part.dropped_by.tolist() == [2, 0, 1]
    assert part.reached(1).tolist() == [True, False, True]
    assert part.scores.column("length-2.characters").to_pylist() == [7, None, 18]
