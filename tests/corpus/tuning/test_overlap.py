"""What each rule would drop alone, beside counting by hand."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.wikitext import Wikitext
from corpus.errors import UserError
from corpus.filters.gopher_quality import GopherQuality
from corpus.filters.length import Length
from corpus.steps.rule import NamedRule
from corpus.tuning.overlap import PARTS, Reason, _table, overlap
from tests.corpus.tuning.small_step import extracted, processed

QUALITY = GopherQuality(min_words=2, min_mean_word_length=0, min_stop_words=1, min_alpha_words=0, max_hash_ratio=9)
RULES = (NamedRule("length", Length(min_chars=8)), NamedRule("gopher_quality", QUALITY))
TEXTS = ["the house and the garden", "short", "the a", "houseandgarden", "trees houses gardens"]


def test_every_rule_sees_every_document(tmp_path: Path) -> None:
    step = processed(extracted(tmp_path / "10", [TEXTS[:2], TEXTS[2:]]), tmp_path / "20", RULES)
    found = overlap(step, 100)
    assert (found.documents, found.dropped) == (5, 4)
    (length, of_length), (quality, of_quality) = found.rules
    assert length == Reason("length", 2, 1, "gopher_quality", 1)
    assert quality == Reason("gopher_quality", 3, 2, "length", 1)
    assert of_length == [Reason("length.too_short", 2, 1, "gopher_quality.too_few_words", 1)]
    drops = {reason.name: (reason.drops, reason.alone) for reason in of_quality}
    assert drops["gopher_quality.few_stop_words"] == (3, 1)
    assert drops["gopher_quality.too_few_words"] == (2, 0)
    assert drops["gopher_quality.long_words"] == (1, 0)
    assert "gopher_quality.too_many_words" in found.never
    assert "length.too_short" not in found.never


def test_a_cleaner_rewrites_for_the_rules_behind_it(tmp_path: Path) -> None:
    rules = (NamedRule("wikitext", Wikitext()), NamedRule("length", Length(min_chars=8)))
    step = processed(
        extracted(tmp_path / "10", [["the house and garden", "{{a template of some length}}"]]), tmp_path / "20", rules
    )
    found = overlap(step, 100)
    assert [(rule.name, rule.drops, rule.alone) for rule, _ in found.rules] == [("wikitext", 1, 0), ("length", 1, 0)]


@pytest.mark.parametrize("documents", [1, 3, 7, 50])
def test_the_sample_is_spread_over_the_parts(tmp_path: Path, documents: int) -> None:
    texts = [["the house and the garden"] * 3 for _ in range(6)]
    step = processed(extracted(tmp_path / "10", texts), tmp_path / "20", RULES)
    assert overlap(step, documents).documents == min(documents, 18)
    assert PARTS > 6


def test_an_extract_has_no_rules(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is an extract, which has no rules: name a step behind it"):
        overlap(extracted(tmp_path / "10", [["a"]]), 10)


@given(st.lists(st.tuples(*[st.booleans()] * 5), min_size=1, max_size=30))
def test_counts_are_those_of_sets(rows: list[tuple[bool, ...]]) -> None:
    owner = np.array([0, 0, 1, 2, 2])
    names = ["a.x", "a.y", "b.x", "c.x", "c.y"]
    fires = np.array(rows, bool)
    sets = [set(np.flatnonzero(fires[:, column])) for column in range(5)]
    for column, reason in enumerate(_table(names, fires, owner)):
        others = [sets[other] for other in range(5) if other != column]
        assert reason.drops == len(sets[column])
        assert reason.alone == len(sets[column] - set().union(*others))
        together = [len(sets[column] & sets[other]) for other in range(5) if owner[other] != owner[column]]
        assert reason.together == max(together)
        if reason.partner:
            assert len(sets[column] & sets[names.index(reason.partner)]) == reason.together
