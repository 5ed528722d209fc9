"""Gopher's repetition rules against a plain Python reading of the same rules."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.filters.gopher_repetition import GopherRepetition

SCORES = (
    "duplicate_lines",
    "duplicate_paragraphs",
    "duplicate_line_chars",
    "duplicate_paragraph_chars",
    *(f"top_{n}gram" for n in (2, 3, 4)),
    *(f"duplicate_{n}gram" for n in (5, 6, 7, 8, 9, 10)),
)
"""In the order of Rae et al. 2021, table A1."""


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def reference(text: str) -> dict[str, float]:
    words = text.split()
    total = sum(map(len, words))
    lines = [tuple(line.split()) for line in text.split("\n")]
    paragraphs: list[tuple[str, ...]] = [()]
    for line in lines:
        if line:
            paragraphs[-1] += line
        elif paragraphs[-1]:
            paragraphs.append(())
    shares = {}
    for name, blocks in (("line", lines), ("paragraph", paragraphs)):
        blocks = [block for block in blocks if block]
        again = [block for i, block in enumerate(blocks) if block in blocks[:i]]
        shares[f"duplicate_{name}s"] = len(again) / max(len(blocks), 1)
        shares[f"duplicate_{name}_chars"] = sum(len(word) for block in again for word in block) / max(total, 1)
    for n in range(2, 11):
        grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        covered: set[int] = set()
        if n <= 4:
            seen: Counter[Any] = Counter()
            most, top = 1, None
            for gram in grams:
                seen[gram] += 1
                if seen[gram] > most:
                    most, top = seen[gram], gram
            starts = [i for i, gram in enumerate(grams) if gram == top]
        else:
            known: set[Any] = set()
            starts = [i for i, gram in enumerate(grams) if gram in known or known.add(gram)]  # type: ignore[func-returns-value]
        for i in starts:
            covered.update(range(i, i + n))
        name = f"{'top' if n <= 4 else 'duplicate'}_{n}gram"
        shares[name] = sum(len(words[i]) for i in covered) / max(total, 1)
    return {name: float(np.round(shares[name], 4)) for name in SCORES}


def check(*texts: str) -> None:
    assert GopherRepetition().score(batch(*texts)).to_pylist() == [reference(text) for text in texts]


@given(st.text())
def test_any_text(text: str) -> None:
    check(text)


@given(
    st.lists(st.sampled_from(["a", "b", "ab", "é", "\u3000", " ", " ", " ", "\n", "\n\n", "\r\n"]), max_size=200).map(
        "".join
    )
)
def test_text_of_few_words(text: str) -> None:
    check(text, text + text, text + "\n\n" + text)


def test_real_documents(shared_data: Path) -> None:
    texts = [
        json.loads(line)["text"]
        for line in (shared_data / "c4" / "LLaMA-Factory" / "c4_demo.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    check(
        *texts,
        *sorted(path.read_text(encoding="utf-8") for path in (shared_data / "labelled").glob("**/udhr_*.xml"))[:9],
    )
    rule = GopherRepetition()
    reasons = rule.decide(rule.score(batch(*texts))).to_pylist()
    assert reasons.count(None) > 250  # C4 is clean text
    assert {"top_2gram", "duplicate_5gram"} <= set(reasons)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two\nthree\none  two\n\n\nfour", {"duplicate_lines": 0.25, "duplicate_line_chars": round(6 / 21, 4)}),
        ("a\nb\n\nc\n \na b", {"duplicate_paragraphs": round(1 / 3, 4), "duplicate_lines": 0.0}),
        ("ha ha ha ha", {"top_2gram": 1.0, "top_3gram": 1.0, "top_4gram": 0.0}),
        ("a bb a bb c", {"top_2gram": round(6 / 7, 4), "top_3gram": 0.0}),
        ("1 2 3 4 5 1 2 3 4 5", {"duplicate_5gram": 0.5, "duplicate_6gram": 0.0}),
        ("1 2 3 4 5 6 1 2 3 4 5 6", {"duplicate_5gram": 0.5, "duplicate_6gram": 0.5, "top_2gram": round(4 / 12, 4)}),
        ("", dict.fromkeys(SCORES, 0.0)),
    ],
)
def test_by_hand(text: str, expected: dict[str, float]) -> None:
    [scores] = GopherRepetition().score(batch(text)).to_pylist()
    assert {name: scores[name] for name in expected} == expected


def test_thresholds_are_those_of_the_paper_and_inclusive() -> None:
    """Rae et al. 2021, table A1."""
    table = [0.30, 0.30, 0.20, 0.20, 0.20, 0.18, 0.16, 0.15, 0.14, 0.13, 0.12, 0.11, 0.10]
    rule = GopherRepetition()
    exact = {name: [limit] for name, limit in zip(SCORES, table, strict=True)}
    assert rule.decide(pa.RecordBatch.from_pydict(exact)).to_pylist() == [None]
    for name, limit in zip(SCORES, table, strict=True):
        above = exact | {name: [limit + 0.0001]}
        assert rule.decide(pa.RecordBatch.from_pydict(above)).to_pylist() == [name]
    assert GopherRepetition.score_names() == SCORES
    assert GopherRepetition.threshold_fields() == set(GopherRepetition.model_fields)


def test_a_slice_and_no_documents() -> None:
    rule = GopherRepetition()
    assert rule.score(batch("a b", "c c c", "d").slice(1, 1)).to_pylist() == [reference("c c c")]
    assert rule.decide(rule.score(batch())).to_pylist() == []
