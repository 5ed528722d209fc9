"""Documents that a text is like, by an index of datasketch."""

import sys
from pathlib import Path

import pytest
from datasketch import MinHashLSH

from corpus.errors import UserError
from corpus.filters.length import Length
from corpus.filters.signatures import Signatures
from corpus.sketches import alike, sketch_of, stored_sketches
from corpus.steps.rule import NamedRule
from tests.corpus.tuning.small_step import extracted, processed

STORY = "the house at the end of the garden had a door that nobody had opened for years until a child came by"
NEAR = f"{STORY} once"
RULE = Signatures(ngram=2)
RULES = (NamedRule("signatures", RULE), NamedRule("length", Length(min_chars=12)))


@pytest.fixture
def step(tmp_path: Path) -> str:
    texts = [["short one", NEAR, "..."], [], [STORY[::-1], "a text of other words altogether", STORY, STORY]]
    before = extracted(tmp_path / "10", [some or ["a text of its own, and long"] for some in texts])
    return processed(before, tmp_path / "20", RULES).path


def test_the_most_alike_comes_first(step: str) -> None:
    found = alike(step, STORY, 0.8, 10)
    assert [(one.id, one.text) for one in found] == [("2-2", STORY), ("2-3", STORY), ("0-1", NEAR)]
    assert [one.similarity for one in found[:2]] == [one.estimated for one in found[:2]] == [1, 1]
    assert 0.9 < found[2].similarity < 1
    assert [one.id for one in alike(step, STORY, 0.8, 1)] == ["2-2"]
    for threshold in (0.99, 1):
        assert [one.id for one in alike(step, STORY, threshold, 10)] == ["2-2", "2-3"]
    assert alike(step, "words that no document has in this order", 0.8, 10) == []


def test_an_index_of_datasketch_takes_the_stored_sketches(step: str) -> None:
    index = MinHashLSH(threshold=0.8, num_perm=RULE.minima)
    for id, sketch in stored_sketches(step):
        index.insert(id, sketch)
    assert set(index.query(sketch_of(STORY, RULE))) >= {"2-2", "2-3"}
    assert {id for id, _ in stored_sketches(step)} == {"0-1", "1-0", "2-0", "2-1", "2-2", "2-3"}


def test_what_cannot_be_asked_is_one_line(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="the text has no letters or digits"):
        alike(step, "...", 0.8, 3)
    bare = processed(extracted(tmp_path / "30", [["a house with trees"]]), tmp_path / "40", RULES[1:])
    with pytest.raises(UserError, match="has no signatures: put the rule `signatures` into its steps"):
        list(stored_sketches(bare.path))
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(UserError, match=r"pip install '\.\[datasketch\]' in the project's folder"):
        alike(step, STORY, 0.8, 3)
