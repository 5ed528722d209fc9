"""Thresholds say, where they stand, what a filter decides."""

import math
from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from corpus.rules import Filter
from corpus.settings import Settings
from corpus.thresholds import AtLeast, AtMost, Decides, OneOf, compare, first_reason, thresholds_of


class Marked(Settings):
    """One field of each kind."""

    unmarked: int = 7
    least: Annotated[int, AtLeast("words", "too_few")] = 3
    most: Annotated[float | None, AtMost("words")] = Field(default=5.0, ge=0)
    tops: Annotated[tuple[float, float], AtMost("pairs"), AtMost("triples", "many_triples")] = (0.5, 0.25)
    keep: Annotated[tuple[str, ...] | None, OneOf("language", "unwanted")] = ("en", "de")
    own: Annotated[int, Decides("words")] = 0


SCHEMA = pa.schema(
    [("words", pa.int64()), ("pairs", pa.float64()), ("triples", pa.float64()), ("language", pa.string())]
)
KEPT: dict[str, Any] = {"words": 4, "pairs": 0.5, "triples": 0.25, "language": "en"}


def decided(settings: Settings, *rows: dict[str, Any]) -> list[str | None]:
    batch = pa.RecordBatch.from_pylist([KEPT | row for row in rows], SCHEMA)
    reasons = compare(settings, batch)
    assert reasons.type == pa.string()
    return reasons.to_pylist()


def test_marks_are_listed_in_the_order_of_the_fields() -> None:
    found = [(found.field, found.place, found.mark.score, found.reason) for found in thresholds_of(Marked)]
    assert found == [
        ("least", None, "words", "too_few"),
        ("most", None, "words", "words"),
        ("tops", 0, "pairs", "pairs"),
        ("tops", 1, "triples", "many_triples"),
        ("keep", None, "language", "unwanted"),
        ("own", None, "words", "words"),
    ]
    assert [found.value(Marked(tops=(1, 2))) for found in thresholds_of(Marked)] == [3, 5.0, 1, 2, ("en", "de"), 0]
    assert [found.mark.side for found in thresholds_of(Marked)] == [">=", "<=", "<=", "<=", "one of", ""]


def test_the_limit_itself_is_kept() -> None:
    edge = [{"words": 3}, {"words": 5}, {"pairs": 0.5, "triples": 0.25}, {"language": "de"}]
    assert decided(Marked(), *edge) == [None] * 4
    beyond = [
        {"words": 2},
        {"words": 6},
        {"pairs": math.nextafter(0.5, 1)},
        {"triples": math.nextafter(0.25, 1)},
        {"language": "fr"},
    ]
    assert decided(Marked(), *beyond) == ["too_few", "words", "pairs", "many_triples", "unwanted"]


def test_the_first_field_gives_the_reason() -> None:
    assert decided(Marked(), {"words": 2, "language": "fr"}, {"pairs": 1, "triples": 1, "language": "fr"}) == [
        "too_few",
        "pairs",
    ]
    assert decided(Marked(least=0), {"words": 2, "language": "fr"}) == ["unwanted"]


def test_a_null_score_passes_but_where_one_of_some_is_asked_for() -> None:
    nulls = {"words": None, "pairs": None, "triples": None}
    assert decided(Marked(), nulls, {"language": None}) == [None, "unwanted"]


def test_a_limit_that_is_null_compares_nothing() -> None:
    free = Marked(most=None, keep=None)
    assert decided(free, {"words": 10**9}, {"language": "fr"}, {"language": None}, {"words": 2}) == [
        None,
        None,
        None,
        "too_few",
    ]


def test_what_decides_in_its_own_way_is_not_compared() -> None:
    assert decided(Marked(own=10**9), {}) == [None]


def test_no_rows_and_no_thresholds() -> None:
    class Free(Settings):
        size: int = 0

    assert decided(Marked()) == []
    assert decided(Free(), {}, {}) == [None, None]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "words": st.none() | st.integers(0, 8),
                "pairs": st.none() | st.floats(0, 1),
                "triples": st.none() | st.floats(0, 1),
                "language": st.none() | st.sampled_from(["en", "de", "fr"]),
            }
        )
    ),
    st.builds(
        Marked,
        least=st.integers(0, 8),
        most=st.none() | st.floats(0, 8),
        tops=st.tuples(st.floats(0, 1), st.floats(0, 1)),
        keep=st.none() | st.lists(st.sampled_from(["en", "de", "fr"])).map(tuple),
    ),
)
def test_decisions_are_those_of_plain_python(rows: list[dict[str, Any]], settings: Marked) -> None:
    def reason(row: dict[str, Any]) -> str | None:
        words, pairs, triples, language = (row[name] for name in KEPT)
        if words is not None and words < settings.least:
            return "too_few"
        if words is not None and settings.most is not None and words > settings.most:
            return "words"
        if pairs is not None and pairs > settings.tops[0]:
            return "pairs"
        if triples is not None and triples > settings.tops[1]:
            return "many_triples"
        return "unwanted" if settings.keep is not None and language not in settings.keep else None

    assert decided(settings, *rows) == [reason(row) for row in rows]


def test_a_filter_knows_its_thresholds_and_scores_by_its_marks() -> None:
    class Words(Filter):
        other_scores: ClassVar[tuple[str, ...]] = ("seconds", "words")
        model: str = "m"
        least: Annotated[int, AtLeast("words", "too_few")] = 3
        most: Annotated[int | None, AtMost("words")] = None
        tops: Annotated[tuple[float, float], AtMost("pairs"), AtMost("triples")] = (0.5, 0.25)

        def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
            raise NotImplementedError

    assert Words.threshold_fields() == {"least", "most", "tops"}
    assert Words.score_names() == ("words", "pairs", "triples", "seconds")
    scores = pa.RecordBatch.from_pydict({"words": [2, 3], "pairs": [0.0, 1.0], "triples": [0.0, 0.0]})
    assert Words().decide(scores).to_pylist() == ["too_few", "pairs"]


class Between(Filter):
    """Two thresholds of one score, the lower of them among those of another."""

    most: Annotated[int | None, AtMost("words")] = 5
    least: Annotated[tuple[int, int], AtLeast("pairs"), AtLeast("words")] = (9, 3)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch


def test_a_filter_that_keeps_nothing_is_none() -> None:
    assert Between(most=3).most == 3
    assert Between(most=None, least=(9, 99)).most is None
    with pytest.raises(ValueError, match=r"least 3 is over most 2, so no document could be kept: lower the one or "):
        Between(most=2)


@pytest.mark.parametrize("order", [1, -1])
def test_the_first_condition_that_holds_gives_the_reason(order: int) -> None:
    conditions = [("a", pa.array([True, False, None, False])), ("b", pa.array([True, True, True, False]))]
    expected = ["a", "b", "b", None] if order == 1 else ["b", "b", "b", None]
    assert first_reason(4, conditions[::order]).to_pylist() == expected
    assert first_reason(4, dict(conditions[::order]).items()).to_pylist() == expected


def test_equal_reasons_may_stand_for_several_conditions() -> None:
    conditions = [("a", pa.array([True, False])), ("a", pa.array([False, True]))]
    assert first_reason(2, conditions).to_pylist() == ["a", "a"]


def test_no_rows() -> None:
    assert first_reason(0, [("a", pa.array([], pa.bool_()))]).to_pylist() == []
    assert first_reason(2, iter([])).to_pylist() == [None, None]
