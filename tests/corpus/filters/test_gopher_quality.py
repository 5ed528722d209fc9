"""Gopher's quality rules against a plain Python reading of the same rules."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.filters.gopher_quality import GopherQuality

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
PROSE = " ".join(["The people that wanted to read of other countries sat with their books."] * 5)


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})


def reference(text: str) -> dict[str, Any]:
    words = text.split()
    lines = [line.strip() for line in text.split("\n") if line.strip()]

    def share(count: int, of: int) -> float:
        return float(np.round(count / max(of, 1), 4))

    return {
        "words": len(words),
        "mean_word_length": share(sum(map(len, words)), len(words)),
        "hash_ratio": share(text.count("#"), len(words)),
        "ellipsis_ratio": share(text.count("...") + text.count("…"), len(words)),
        "bullet_lines": share(sum(line.startswith(("•", "-")) for line in lines), len(lines)),
        "ellipsis_lines": share(sum(line.endswith(("...", "…")) for line in lines), len(lines)),
        "alpha_words": share(sum(any(c.isalpha() for c in word) for word in words), len(words)),
        "stop_words": len(STOP_WORDS & set(words)),
    }


def check(*texts: str) -> None:
    assert GopherQuality().score(batch(*texts)).to_pylist() == [reference(text) for text in texts]


@given(st.text())
def test_any_text(text: str) -> None:
    check(text)


@given(
    st.lists(
        st.sampled_from(
            [
                *sorted(STOP_WORDS),
                "The",
                "thе",
                "瑯",
                "word",
                "...",
                "....",
                ".",
                "…",
                "#",
                "##",
                "•",
                "-",
                "-x",
                "é",
                "1",
            ]
            + 3 * [" ", "  ", "\n", "\n\n", "\t", "\x85", "\u3000", "\u2028", "\xa0"]
        ),
        max_size=60,
    ).map("".join)
)
def test_text_made_of_what_the_rules_look_at(text: str) -> None:
    check(text, " ".join(text), text + "\n")


def test_a_character_whose_code_spells_a_stop_word() -> None:
    check("".join(chr(int.from_bytes(word.encode(), "big")) for word in ("to", "be", "of")), "\U00012345 瑯 扥")


def test_real_documents(shared_data: Path) -> None:
    texts = [
        json.loads(line)["text"]
        for line in (shared_data / "c4" / "LLaMA-Factory" / "c4_demo.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    texts += [path.read_text(encoding="utf-8") for path in sorted((shared_data / "labelled" / "udhr").glob("**/*.xml"))]
    texts += [path.read_text(encoding="utf-8", errors="replace") for path in (shared_data / "unicode").glob("**/*.txt")]
    check(*texts)
    reasons = GopherQuality().decide(GopherQuality().score(batch(*texts[:300]))).to_pylist()
    assert reasons.count(None) > 200  # C4 is clean text
    assert {"too_few_words", "few_stop_words", "too_many_ellipses"} <= set(reasons)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PROSE, None),
        ("the cat to", "too_few_words"),
        ("", "too_few_words"),
        ("the of " * 50_001, "too_many_words"),
        ("to be a b c " * 20, "short_words"),
        ("incomprehensibilities of the " * 2 + "incomprehensibilities " * 50, "long_words"),
        (PROSE + " #" * 10, "too_many_hashes"),
        (PROSE + " ..." * 5 + " …" * 5, "too_many_ellipses"),
        ("\n".join("- " + PROSE for _ in range(10)), "bullet_lines"),
        ("\n\n".join("•" + PROSE for _ in range(10)), "bullet_lines"),
        ("\n".join([PROSE, PROSE, PROSE + "..."]), "ellipsis_lines"),
        (PROSE + " 1234" * 20, "few_alphabetic_words"),
        ("wonderful " * 50 + "the the the", "few_stop_words"),
    ],
)
def test_each_rule(text: str, reason: str | None) -> None:
    rule = GopherQuality()
    assert rule.decide(rule.score(batch(text))).to_pylist() == [reason]


def test_thresholds_are_those_of_the_paper_and_inclusive() -> None:
    edge = {
        "words": [50, 100_000],
        "mean_word_length": [3.0, 10.0],
        "hash_ratio": [0.1, 0.1],
        "ellipsis_ratio": [0.1, 0.1],
        "bullet_lines": [0.9, 0.9],
        "ellipsis_lines": [0.3, 0.3],
        "alpha_words": [0.8, 0.8],
        "stop_words": [2, 2],
    }
    rule = GopherQuality()
    assert rule.decide(pa.RecordBatch.from_pydict(edge)).to_pylist() == [None, None]
    for name in edge:
        beyond = {
            key: [math.nextafter(low, -1) if isinstance(low, float) else low - 1, math.nextafter(high, math.inf)]
            if key == name
            else [low, high]
            for key, (low, high) in edge.items()
        }
        assert rule.decide(pa.RecordBatch.from_pydict(beyond)).null_count < 2
    assert GopherQuality.threshold_fields() == set(GopherQuality.model_fields) - {"stop_words"}


def test_a_slice_and_no_documents() -> None:
    rule = GopherQuality()
    assert rule.score(batch("a b", PROSE, "c").slice(1, 1)).to_pylist() == [reference(PROSE)]
    assert rule.decide(rule.score(batch())).to_pylist() == []


@given(st.lists(st.sampled_from(["und", "der", "für", "fü", "l'", "über", "Über", "の", "x", "und,"]), max_size=12))
def test_stop_words_of_another_language(words: list[str]) -> None:
    rule = GopherQuality(stop_words=("und", "der", "für", "l'", "の", "und", "überhaupt"))
    expected = len({"und", "der", "für", "l'", "の"} & set(words))
    assert rule.score(batch(" ".join(words))).column("stop_words").to_pylist() == [expected]
    assert GopherQuality(stop_words=()).score(batch(" ".join(words))).column("stop_words").to_pylist() == [0]
