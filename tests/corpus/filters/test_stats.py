from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.filters.stats import Stats
from corpus.text.unicode import lower_case
from tests.corpus.real_pages import judged_pages, wet_pages
from tests.corpus.text.test_shingles import tokens


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def distinct(words: Sequence[Any], n: int) -> float:
    grams = [tuple(words[i : i + n]) for i in range(max(1, len(words) - n + 1))] if words else []
    return len(set(grams)) / max(len(grams), 1)


def reference(text: str) -> dict[str, float]:
    words, lines = text.split(), text.split("\n") if text else []
    plain = [tuple(int(lower_case()[point]) for point in token) for token in tokens(text)]
    number = max(len(text), 1)
    return {
        "characters": len(text),
        "words": len(words),
        "lines": len(lines),
        "mean_word_length": sum(map(len, words)) / max(len(words), 1),
        "mean_line_length": sum(map(len, lines)) / max(len(lines), 1),
        "letters": sum(map(str.isalpha, text)) / number,
        "capitals": sum(map(str.isupper, text)) / number,
        "digits": sum(map(str.isdecimal, text)) / number,
        "spaces": sum(map(str.isspace, text)) / number,
        "symbols": sum(not c.isalnum() and not c.isspace() for c in text) / number,
        "distinct_words": distinct(plain, 1),
        "distinct_2grams": distinct(plain, 2),
        "distinct_3grams": distinct(plain, 3),
    }


def check(texts: list[str]) -> None:
    found = Stats().score(batch(*texts))
    assert found.schema.names == list(Stats.score_names())
    for row, text in enumerate(texts):
        scores = {name: found.column(name)[row].as_py() for name in found.schema.names}
        assert scores == pytest.approx(reference(text), abs=5.1e-5), text


@given(st.lists(st.text("abA1 \n.,é\ufffd\0", max_size=30), max_size=4))
def test_as_python_counts(texts: list[str]) -> None:
    check(texts)


def test_real_pages_and_scripts_without_spaces(shared_data: Path) -> None:
    check([*judged_pages(shared_data)[:100], *(page.text for page in wet_pages(shared_data))])
    check(["吾輩は猫である。名前はまだ無い。", "ก็แค่ข้อความหนึ่ง", "x" * 100_000, "\ufffd" * 1000, ""])


def test_nothing_is_dropped() -> None:
    rule = Stats()
    assert rule.decide(rule.score(batch("", "a b"))).to_pylist() == [None, None]
    assert rule.score(batch()).num_rows == 0
    assert rule.threshold_fields() == frozenset()
