"""What other thresholds would keep, beside what a run with them keeps."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.clean.wikitext import Wikitext
from corpus.errors import UserError
from corpus.filters.gopher_quality import GopherQuality
from corpus.filters.gopher_repetition import GopherRepetition
from corpus.filters.length import Length
from corpus.filters.stats import Stats
from corpus.steps.rule import NamedRule
from corpus.tuning.dry_run import POINTS, Outcome, dry_run, sweep
from tests.corpus.tuning.small_step import extracted, processed

words = st.lists(st.sampled_from(["a", "the", "##", "house", "and", "-", "1"]), min_size=1, max_size=12)
texts = st.lists(st.lists(words.map(" ".join), min_size=1, max_size=8), min_size=1, max_size=3)
KEEP = "the house and house of the house"
"""A document that every chain below keeps: a step that drops all is an error."""


def chain(least: int, words: int, stops: int) -> tuple[NamedRule, ...]:
    quality = GopherQuality(min_words=words, min_mean_word_length=0, min_stop_words=stops, min_alpha_words=0)
    return (
        NamedRule("length", Length(min_chars=least)),
        NamedRule("gopher_quality", quality),
        NamedRule("length-2", Length(min_chars=0, max_chars=40)),
    )


@settings(max_examples=40)  # each writes three steps
@given(texts, *[st.integers(0, 3)] * 6)
def test_a_run_keeps_what_was_said_or_some_of_the_undecided_too(
    given: list[list[str]], least: int, words: int, stops: int, other_least: int, other_words: int, other_stops: int
) -> None:
    with TemporaryDirectory() as folder:
        before = extracted(Path(folder) / "10", [*given, [KEEP]])
        step = processed(before, Path(folder) / "20", chain(least, words, stops))
        other = processed(before, Path(folder) / "30", chain(other_least, other_words, other_stops))
        now, then = dry_run(
            step,
            [
                f"length.min_chars={other_least}",
                f"gopher_quality.min_words={other_words}",
                f"gopher_quality.min_stop_words={other_stops}",
            ],
        )
        kept = other.manifest()["documents"]["out"]
        assert now == Outcome(step.manifest()["documents"]["in"], step.manifest()["documents"]["out"])
        assert then.total == now.total
        assert then.kept <= kept <= then.kept + then.undecided
        if other_least >= least and other_words >= words and other_stops >= stops:
            assert (then.kept, then.undecided) == (kept, 0)  # nothing that a rule has not seen is let in
        behind, _ = dry_run(other, ["length-2.max_chars=40"])
        assert behind.kept == kept


def test_what_a_rule_behind_has_not_seen_is_undecided(tmp_path: Path) -> None:
    before = extracted(tmp_path / "10", [[KEEP, "the and", "no"]])
    step = processed(before, tmp_path / "20", chain(10, 1, 1))
    assert dry_run(step, ["length.min_chars=1"])[1] == Outcome(3, 1, 2)
    assert dry_run(step, ["length-2.max_chars=5"])[1] == Outcome(3, 0, 0)


def test_what_a_cleaner_dropped_stays_dropped(tmp_path: Path) -> None:
    rules = (NamedRule("wikitext", Wikitext()), NamedRule("length", Length(min_chars=10)))
    step = processed(extracted(tmp_path / "10", [[KEEP, "{{only a template}}", "short"]]), tmp_path / "20", rules)
    assert dry_run(step, ["length.min_chars=0"])[1] == Outcome(3, 2)


def test_thresholds_that_need_each_other_come_in_any_order(tmp_path: Path) -> None:
    rules = (NamedRule("length", Length(min_chars=3, max_chars=9)),)
    step = processed(extracted(tmp_path / "10", [["a" * n for n in range(1, 30)]]), tmp_path / "20", rules)
    both = ["length.min_chars=12", "length.max_chars=20"]
    assert dry_run(step, both)[1] == dry_run(step, both[::-1])[1] == Outcome(29, 9)


def test_what_stands_behind_and_drops_nothing_decides_nothing(tmp_path: Path) -> None:
    rules = (NamedRule("length", Length(min_chars=10)), NamedRule("stats", Stats()))
    step = processed(extracted(tmp_path / "10", [[KEEP, "short"]]), tmp_path / "20", rules)
    assert dry_run(step, ["length.min_chars=0"])[1] == Outcome(2, 2)


def test_a_sweep_marks_the_value_of_the_step(tmp_path: Path) -> None:
    rules = (NamedRule("length", Length(min_chars=3)),)
    step = processed(extracted(tmp_path / "10", [["a" * n for n in range(1, 20)]]), tmp_path / "20", rules)
    points = sweep(step, "length.min_chars", ["length.min_chars=7"])
    assert [point.value for point in points if point.present] == [3]


def test_a_sweep_takes_its_values_from_the_scores(tmp_path: Path) -> None:
    rules = (NamedRule("length", Length(min_chars=3)),)
    step = processed(extracted(tmp_path / "10", [["a" * n for n in range(1, 201)]]), tmp_path / "20", rules)
    points = sweep(step, "length.min_chars")
    assert len(points) == POINTS + 1
    assert [point.value for point in points if point.present] == [3]
    assert [point.outcome for point in points] == [Outcome(200, 201 - point.value) for point in points]
    assert (points[0].value, points[-1].value) == (1, 200)


def test_a_sweep_of_one_value_of_several(tmp_path: Path) -> None:
    rules = (NamedRule("gopher_repetition", GopherRepetition()),)
    texts = [["one two three four five six", "one two one two three four five six seven eight"]]
    step = processed(extracted(tmp_path / "10", texts), tmp_path / "20", rules)
    points = sweep(step, "gopher_repetition.top_ngrams.0", ["gopher_repetition.top_ngrams=[0.5, 1, 1]"])
    assert [point.value for point in points if point.present] == [0.2]
    assert points[-1].outcome.kept >= points[0].outcome.kept


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("length", "write it as RULE.FIELD=VALUE, as in length.min_chars=200"),
        ("length.min_chars", "write it as RULE.FIELD=VALUE"),
        ("size.min_chars=3", "this step has no filter size; known are"),
        ("length.min_words=3", "length has no min_words; thresholds: known are min_chars, max_chars"),
        ("gopher_quality.stop_words=[a]", "another stop_words scores anew, so change it in the recipe"),
        ("length.min_chars=many", "min_chars: input should be a valid integer"),
        ("length.min_chars=[", "is not valid YAML"),
        ("gopher_quality.min_words=200000", "min_words 200000 is over max_words 100000"),
    ],
)
def test_a_threshold_that_cannot_be_tried_is_one_line(tmp_path: Path, setting: str, message: str) -> None:
    step = processed(extracted(tmp_path / "10", [[KEEP]]), tmp_path / "20", chain(1, 1, 1))
    with pytest.raises(UserError, match=re.escape(message)) as told:
        dry_run(step, [setting])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gopher_quality", "stands for several thresholds: give one of gopher_quality.min_words, "),
        ("length.max_char", "is no threshold of this step that compares a number; known are length.max_chars, "),
    ],
)
def test_a_sweep_that_cannot_be_drawn_is_one_line(tmp_path: Path, name: str, message: str) -> None:
    step = processed(extracted(tmp_path / "10", [[KEEP]]), tmp_path / "20", chain(1, 1, 1))
    with pytest.raises(UserError, match=re.escape(message)):
        sweep(step, name)
