"""Shingle hashes against plain Python."""

import re
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.buffers import text_buffers
from corpus.text.shingles import shingle_rows
from corpus.text.unicode import ALPHANUMERIC, classes, lower_case

FULL = 2**64 - 1


def mix(h: int) -> int:
    h = ((h ^ h >> 33) * 0xFF51AFD7ED558CCD) & FULL
    h = ((h ^ h >> 33) * 0xC4CEB9FE1A85EC53) & FULL
    return h ^ h >> 33


def words(text: str) -> list[list[int]]:
    found: list[list[int]] = [[]]
    for c in map(ord, text):
        if classes()[c] & ALPHANUMERIC:
            found[-1].append(c)
        elif found[-1]:
            found.append([])
    return [word for word in found if word]


def reference(text: str, n: int) -> list[int]:
    hashes = []
    for word in words(text):
        h = 0xCBF29CE484222325
        ascii = max(word) < 128
        word = [int(lower_case()[c]) for c in word]
        if ascii:
            word = [int.from_bytes(word[i : i + 8], "little") for i in range(0, len(word), 8)]
        for c in word:
            h = ((h ^ c) * 0x9E3779B97F4A7C15) & FULL
            h ^= h >> 29
        hashes.append(mix(h))
    grams = [hashes[i : i + n] for i in range(max(1, len(hashes) - n + 1))] if hashes else []
    return [mix(sum(h * pow(0x2545F4914F6CDD1D, i, 2**64) for i, h in enumerate(reversed(g))) & FULL) for g in grams]


def shingles(texts: list[str], n: int) -> list[list[int]]:
    hashes, ends = shingle_rows(*text_buffers(pa.array(texts, pa.large_string())), n)
    return [hashes[a:b].tolist() for a, b in pairwise(ends)]


texts = st.text(st.one_of(st.sampled_from("azAZ09@[`{/:é”\x7f "), st.characters(exclude_categories=["Cs"])))


@given(st.lists(texts | st.text("aZ9é .", min_size=15), max_size=8), st.integers(1, 6))
def test_equals_reference(values: list[str], n: int) -> None:
    assert shingles(values, n) == [reference(v, n) for v in values]


def test_case_and_punctuation_do_not_count_and_order_does() -> None:
    a, b, c, d = shingles(["The Cat, sat!", "the “cat” SAT", "cat the sat", "thecat sat"], 2)
    assert a == b
    assert len({*a, *c}) == 4
    assert len(d) == 1


def test_short_and_empty_texts() -> None:
    assert [len(row) for row in shingles(["", " .,; ", "one", "one two", "one two three"], 2)] == [0, 0, 1, 1, 2]


def test_words_are_those_of_a_regular_expression_on_real_text(shared_data: Path) -> None:
    for path in shared_data.glob("labelled/LASER/**/*.*"):
        text = path.read_text("utf-8")
        assert ["".join(map(chr, w)) for w in words(text)] == [*re.findall(r"[^\W_]+", text)]
        assert shingles([text], 5) == [reference(text, 5)]
