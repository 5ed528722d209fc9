"""Golden values: tests/test_normalizer.py of facebookresearch/cc_net, and what its `normalize` says step by step.

On a Python of another Unicode version than our tables (14.0), only final sigmas beside new characters could differ.
"""

import json
import re
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.ccnet import GROWTH, PUNCTUATION, normalize_for_lm

OF_CCNET = {**PUNCTUATION, "１": '"'}


def reference(text: str) -> str:
    """cc_net's `normalize(text, accent=True, case=True, numbers=True, punct=1)`, step by step."""
    text = text.strip().lower()
    text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    text = re.sub(r"\d", "0", text)
    text = "".join(OF_CCNET.get(c, c) for c in text)
    return re.sub("[\x00-\x1f\x7f-\x9f]", "", text)


def normalized(texts: list[str]) -> list[str]:
    result = normalize_for_lm(pa.array(texts, pa.large_string()))
    result.validate(full=True)
    return result.to_pylist()


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
    assert normalized([text]) == [expected]
    assert reference(text) == expected


UNUSED = {"Cn", "Co", "Cs"}
CHARACTERS = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in UNUSED] + ["\ue000", "\U0010ffff"]


def test_every_character() -> None:
    """Alone, where `strip` sees it, and between others, before a sigma."""
    alone = [reference(c) for c in CHARACTERS]
    assert normalized(CHARACTERS) == alone
    assert all(len(new.encode()) <= GROWTH * len(c.encode()) for c, new in zip(CHARACTERS, alone, strict=True))
    between = [f"a{c}b{c}\u03a3" for c in CHARACTERS]
    assert normalized(between) == [reference(text) for text in between]


KEPT_MARKS = [c for c in CHARACTERS if unicodedata.combining(c) and unicodedata.category(c) != "Mn"]
"""Combining characters that are put in order and stay, such as U+302E."""
DECOMPOSED = [
    c for c in CHARACTERS if any(unicodedata.combining(d) for d in reference(c)) and not unicodedata.combining(c)
]
MARKS = [*KEPT_MARKS, *DECOMPOSED, *"\u0301\u0316\u0345\u034f\u0591\u3099", *"aé한각"]


def test_there_are_marks_to_put_in_order() -> None:
    assert len({unicodedata.combining(c) for c in KEPT_MARKS}) >= 4
    assert len(DECOMPOSED) >= 5
    assert any(reference(a + b) != reference(a) + reference(b) for a in KEPT_MARKS for b in KEPT_MARKS)


@given(st.lists(st.text(st.sampled_from(MARKS))))
def test_marks_are_put_in_order(texts: list[str]) -> None:
    assert normalized(texts) == [reference(text) for text in texts]


@given(st.lists(st.text()))
def test_any_text(texts: list[str]) -> None:
    assert normalized(texts) == [reference(text) for text in texts]


@given(st.lists(st.text(st.sampled_from([*PUNCTUATION, *"１5٣aÉé\u0301\n\t \x85\xa0ßİΣﬁ"]))))
def test_text_full_of_special_characters(texts: list[str]) -> None:
    assert normalized(texts) == [reference(text) for text in texts]


def test_slices_and_no_rows() -> None:
    column = pa.array(["A", "B\n", "Ç…"], pa.string())
    assert normalize_for_lm(column[1:]).to_pylist() == ["b", "c..."]
    assert normalize_for_lm(column[:0]).to_pylist() == []


def test_real_documents(shared_data: Path) -> None:
    paths = [*shared_data.glob("labelled/LASER/**/*.*"), *shared_data.glob("labelled/udhr/**/*.txt")]
    [rows] = (shared_data / "labelled" / "llm-foundry" / "langid-bigbench").glob("*.jsonl")
    texts = [path.read_text(encoding="utf-8") for path in paths]
    texts += [json.dumps(json.loads(line), ensure_ascii=False) for line in rows.open(encoding="utf-8")]
    assert len(texts) > 2000
    assert normalized(texts) == [reference(text) for text in texts]
