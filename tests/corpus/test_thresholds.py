import pyarrow as pa
from corpus.filters.reasons import first_reason


def test_the_first_condition_that_holds_gives_the_reason() -> None:
    conditions = {"a": pa.array([True, False, None, False]), "b": pa.array([True, True, True, False])}
    assert first_reason(4, conditions).to_pylist() == ["a", "b", "b", None]
    assert first_reason(4, dict(reversed(conditions.items()))).to_pylist() == ["b", "b", "b", None]


def test_no_rows() -> None:
    assert first_reason(0, {"a": pa.array([], pa.bool_())}).to_pylist() == []
