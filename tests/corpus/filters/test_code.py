import tarfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.filters.code import Code
from corpus.text.unicode import ALPHANUMERIC, classes


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def decide(rule: Code, *texts: str) -> list[str | None]:
    return rule.decide(rule.score(batch(*texts))).to_pylist()


def reference(text: str) -> dict[str, float]:
    """The rule in plain Python: universal newlines, code points, `str.isalnum` by the committed Unicode table."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lengths = [len(line) for line in (lines if lines[-1] else lines[:-1])]
    alnum = sum(bool(classes()[ord(c)] & ALPHANUMERIC) for c in text)
    return {
        "max_line_length": max(lengths, default=0),
        "mean_line_length": round(sum(lengths) / len(lengths), 4) if lengths else 0.0,
        "alnum_fraction": round(alnum / len(text), 4) if text else 0.0,
    }


@given(st.lists(st.text(st.sampled_from("ab1 _\n\r\x0b\u2028éß漢💧²")) | st.text()))
def test_scores_are_the_reference_s(texts: list[str]) -> None:
    scores = Code().score(batch(*texts)).to_pylist()
    assert scores == [pytest.approx(reference(text), abs=1.01e-4) for text in texts]


def test_scores_of_real_code(shared_data: Path) -> None:
    with tarfile.open(shared_data / "github" / "pallets__click.tar.gz") as archive:
        files = [archive.extractfile(m).read() for m in archive if m.name.endswith((".py", ".md"))]
    texts = [data.decode() for data in files]
    assert len(texts) > 100
    scores = Code().score(batch(*texts)).to_pylist()
    assert scores == [pytest.approx(reference(text), abs=1.01e-4) for text in texts]


def test_a_slice_is_scored_as_its_rows() -> None:
    whole = batch("skipped\n", "ab\ncdé", "x")
    assert Code().score(whole.slice(1)).to_pylist() == Code().score(batch("ab\ncdé", "x")).to_pylist()


def test_redpajama_s_limits_are_inclusive() -> None:
    short = "a\n" * 1000
    assert decide(Code(), short + "b" * 1000, short + "b" * 1001) == [None, "max_line_length"]
    assert decide(Code(), "a" * 100, "a" * 101) == [None, "mean_line_length"]
    assert decide(Code(), "a---", "a----") == [None, "alnum_fraction"]


def test_the_first_reason_is_given() -> None:
    assert decide(Code(), "-" * 2000, "-" * 500, "") == ["max_line_length", "mean_line_length", "alnum_fraction"]


def test_thresholds_only_decide() -> None:
    text = batch("a" * 150)
    assert Code().score(text) == Code(max_mean_line_length=200).score(text)
    assert decide(Code(max_mean_line_length=200), "a" * 150) == [None]
    assert Code.threshold_fields() == Code.model_fields.keys()


def test_a_row_without_scores_has_no_reason() -> None:
    scores = Code().score(batch("a"))
    empty = pa.RecordBatch.from_arrays([pa.nulls(2, f.type) for f in scores.schema], schema=scores.schema)
    assert Code().decide(empty).to_pylist() == [None, None]


def test_no_documents() -> None:
    assert decide(Code()) == []
