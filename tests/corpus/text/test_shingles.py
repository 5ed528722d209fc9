"""Shingle hashes against plain Python."""

import re
import unicodedata
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.buffers import text_buffers
from corpus.text.shingles import SPACELESS, shingle_rows
from corpus.text.unicode import ALPHANUMERIC, MARK, classes, lower_case

FULL = 2**64 - 1


def mix(h: int) -> int:
    h = ((h ^ h >> 33) * 0xFF51AFD7ED558CCD) & FULL
    h = ((h ^ h >> 33) * 0xC4CEB9FE1A85EC53) & FULL
    return h ^ h >> 33


def is_a(c: str, bit: int) -> bool:
    return bool(classes()[ord(c)] & bit)


def tokens(text: str) -> list[list[int]]:
    """Character by character: whether a token is open, and whether it may go on with a letter."""
    found: list[list[int]] = []
    is_open = is_word = False
    for c in text:
        if is_a(c, ALPHANUMERIC):
            alone = any(first <= ord(c) <= last for first, last in SPACELESS)
            if alone or not (is_open and is_word):
                found.append([])
            found[-1].append(ord(c))
            is_open, is_word = True, not alone
        elif is_open and is_a(c, MARK):
            found[-1].append(ord(c))
        else:
            is_open = False
    return found


def reference(text: str, n: int) -> list[int]:
    hashes = []
    for word in tokens(text):
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


texts = st.text(
    st.one_of(st.sampled_from("azAZ09@[`{/:é”\x7f  中カํก가ि\u0301\U00020000"), st.characters(exclude_categories=["Cs"]))
)


@given(st.lists(texts | st.text("aZ9é .中\u0301", min_size=15), max_size=8), st.integers(1, 6))
def test_equals_reference(values: list[str], n: int) -> None:
    assert shingles(values, n) == [reference(v, n) for v in values]


def test_case_and_punctuation_do_not_count_and_order_does() -> None:
    a, b, c, d = shingles(["The Cat, sat!", "the “cat” SAT", "cat the sat", "thecat sat"], 2)
    assert a == b
    assert len({*a, *c}) == 4
    assert len(d) == 1


def test_short_and_empty_texts() -> None:
    assert [len(row) for row in shingles(["", " .,; ", "one", "one two", "one two three"], 2)] == [0, 0, 1, 1, 2]


def spelled(text: str) -> list[str]:
    return ["".join(map(chr, token)) for token in tokens(text)]


def test_tokens_by_script() -> None:
    assert spelled("iPhone 15发布了，好！") == ["iPhone", "15", "发", "布", "了", "好"]
    assert spelled("หนังสือ カップ한국어 말") == ["ห", "นั", "ง", "สื", "อ", "カ", "ッ", "プ", "한국어", "말"]
    assert spelled("हिन्दी की किताब") == ["हिन्दी", "की", "किताब"]
    assert spelled("re\u0301sume\u0301 \u0301x_y") == ["re\u0301sume\u0301", "x", "y"]
    for text in ("iPhone 15发布了，好！", "re\u0301sume\u0301 \u0301x_y", "नमस्ते दुनिया"):
        assert shingles([text], 1) == [reference(text, 1)]
        assert len(shingles([text], 1)[0]) == len(spelled(text))


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="Python of another Unicode version")
def test_the_blocks_hold_the_characters_that_are_named_after_the_scripts() -> None:
    """Blocks by hand against the names of the characters; CJK unified and compatibility ideographs are Han's."""
    scripts = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "BOPOMOFO")
    scripts += ("YI SYLLABLE", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "TAI ", "NEW TAI", "JAVANESE", "BALINESE")
    named = {chr(p) for p in range(0x110000) if unicodedata.name(chr(p), "").startswith(scripts)}
    ours = {chr(p) for first, last in SPACELESS for p in range(first, last + 1)}
    named, ours = ({c for c in some if c.isalnum()} for some in (named, ours))
    assert named <= ours
    # 々〆〇 and ー, which are of no one script; archaic kana of another name
    assert {unicodedata.name(c).split()[0] for c in ours - named} <= {"IDEOGRAPHIC", "HENTAIGANA", "YI", "HALFWIDTH"}


def test_words_are_those_of_a_regular_expression_on_real_text(shared_data: Path) -> None:
    for path in shared_data.glob("labelled/LASER/**/*.*"):
        text = path.read_text("utf-8")
        if not any(is_a(c, MARK) or any(a <= ord(c) <= b for a, b in SPACELESS) for c in text):
            assert spelled(text) == [*re.findall(r"[^\W_]+", text)]
        assert shingles([text], 5) == [reference(text, 5)]
