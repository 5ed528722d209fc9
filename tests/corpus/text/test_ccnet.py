"""Golden values: tests/test_normalizer.py of facebookresearch/cc_net, and what its `normalize` says step by step."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.ccnet import PUNCTUATION, normalize_for_lm


def reference(text: str) -> str:
    """cc_net's `normalize(text, accent=True, case=True, numbers=True, punct=1)`, step by step."""
    text = text.strip().lower()
    text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    text = re.sub(r"\d", "0", text)
    text = "".join({**PUNCTUATION, "１": '"'}.get(c, c) for c in text)
    return re.sub("[\x00-\x1f\x7f-\x9f]", "", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("，。、„”“«»」「《》´∶：？！（）；–—．～’…━〈〉【】％", ',.,"""""""""\'::?!();- - . ~\'...-<>[]%'),
        ("０２３４５６７８９ | 0123456789", "000000000 | 0000000000"),
        ("１", "0"),  # the digit comes before the slip in cc_net's table, which would make it a quote
        ("٣ ३ ²", "0 0 ²"),
        ("Héllo\nWörld", "helloworld"),
        ("  ÀÉ\t\x85x\x7f ", "aex"),
        ("İstanbul ΑΣ", "istanbul ας"),
        ("한국", unicodedata.normalize("NFD", "한국")),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_golden(text: str, expected: str) -> None:
    assert normalize_for_lm(text) == expected
    assert reference(text) == expected


@given(st.text())
def test_any_text(text: str) -> None:
    assert normalize_for_lm(text) == reference(text)


@given(st.text(st.sampled_from([*PUNCTUATION, *"１5٣aÉé\u0301\n\t \x85\xa0ßİΣﬁ"])))
def test_text_full_of_special_characters(text: str) -> None:
    assert normalize_for_lm(text) == reference(text)


def test_real_documents(shared_data: Path) -> None:
    texts = (shared_data / "labelled" / "llm-foundry" / "langid-bigbench").glob("*.jsonl")
    for line in next(texts).read_text(encoding="utf-8").splitlines()[:2000]:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        assert normalize_for_lm(text) == reference(text)
