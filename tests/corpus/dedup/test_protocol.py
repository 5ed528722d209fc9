"""What pipelines.dedupe asks of every dedup: the protocol, and that its functions can be sent to a worker."""

import pickle

import pytest

from corpus.dedup.exact import Exact
from corpus.dedup.lines import Lines
from corpus.dedup.near import Near
from corpus.dedup.overlap import Overlap
from corpus.dedup.substring import Substring
from corpus.rules import Dedup, PartRef
from corpus.schema import document_batch
from tests.corpus.dedup.driver import SHAPES, decide, documents, run

RULES: list[Dedup] = [
    Exact(),
    Lines(min_chars=0),
    Lines(min_chars=0, keep="first"),
    Near(),
    Overlap(sample=1),
    Substring(),
]


@pytest.mark.parametrize("rule", RULES)
def test_rounds_and_sign_survive_pickle(rule: Dedup) -> None:
    copy = pickle.loads(pickle.dumps(rule))
    assert copy == rule
    assert str(pickle.loads(pickle.dumps(rule.rounds()))) == str(rule.rounds())  # bound to equal rules


@pytest.mark.parametrize("rule", RULES)
def test_no_documents_and_empty_documents(rule: Dedup) -> None:
    empty = document_batch([], "s")
    assert decide(rule, [PartRef(0), PartRef(1)], [[], [empty]], SHAPES[1]) == {}
    assert rule.apply(empty, 0, None).reason.to_pylist() == []
    assert len(run(rule, documents(["", ""]))) == 2
