import pyarrow as pa
import pytest

from corpus.filters.length import Length


def decide(rule: Length, *texts: str) -> list[str | None]:
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})
    return rule.decide(rule.score(batch)).to_pylist()


def test_ccnet_keeps_300_characters() -> None:
    assert Length().min_chars == 300
    assert decide(Length(), "a" * 299, "a" * 300) == ["too_short", None]


def test_characters_are_code_points() -> None:
    assert decide(Length(min_chars=2, max_chars=3), "é", "éé", "💧💧💧", "💧💧💧💧") == [
        "too_short",
        None,
        None,
        "too_long",
    ]


@pytest.mark.parametrize("rule", [Length(), Length(min_chars=0)])
def test_no_documents(rule: Length) -> None:
    assert decide(rule) == []
    assert decide(rule, "") == (["too_short"] if rule.min_chars else [None])
