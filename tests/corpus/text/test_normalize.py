"""Lines normalised as by cc_net's own five lines, and by the one of C4, which are the reference."""

import json
import re
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.make_unicode import PUNCT
from corpus.text.normalize import Form, normalize_lines

DELETED = re.compile(f"[{PUNCT}{re.escape(''.join(map(chr, [*range(32), *range(127, 160)])))}]")


def reference(line: str) -> str:
    """cc_net/text_normalizer.py, normalize_for_dedup."""
    return DELETED.sub("", re.sub(r"\d", "0", line.strip().lower()))


def c4_reference(line: str) -> str:
    """c4_utils.py of TensorFlow Datasets, _get_hashed_line."""
    return line.strip().lower()


def normalized(lines: list[str], form: Form = "ccnet") -> list[str]:
    result = normalize_lines(pa.array(lines, pa.large_string()), form)
    result.validate(full=True)
    return result.to_pylist()


def test_case_of_cc_net() -> None:
    # tests/test_normalizer.py of cc_net, test_normalize_for_dedup
    assert normalized(["０２３´∶：\x10 | ;012 hèllo"]) == ["000 | ;000 hèllo"]


def test_full_width_one_is_a_digit_before_it_is_punctuation() -> None:
    assert normalized(["１2"]) == ["00"]


sigmas = ["Σ", "ΑΣ", "ΣΑ", "Α.Σ", "ΑΣ.", "ΑΣ.Α", "ΑΣ. Α", "Α\u00adΣ", " Σ ", "aΣb", "ΟΔΥΣΣΕΥΣ", "İİİİ", "Ⱥ"]


@pytest.mark.parametrize("line", [*sigmas, "", "  ", "\u3000x\u2003", "\x1fA\x1f", "tab\there", "\x01 A \x01", "ẞß"])
def test_edges(line: str) -> None:
    assert normalized([line]) == [reference(line)]
    assert normalized([line], "c4") == [c4_reference(line)]


same_unicode = pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="Python of another Unicode version")


@same_unicode
def test_every_character() -> None:
    lines = [f"a{chr(c)}b{chr(c)}" for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    expected = [reference(line) for line in lines]
    assert normalized(lines) == expected
    assert normalized(lines, "c4") == [c4_reference(line) for line in lines]
    # the room that normalize_line asks for
    assert all(2 * len(new.encode()) <= 3 * len(old.encode()) for old, new in zip(lines, expected, strict=True))


texts = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("ΣσΑa.'\u00ad İ1１ ,\x1c")))


@same_unicode
@given(st.lists(texts))
def test_any_text(lines: list[str]) -> None:
    assert normalized(lines) == [reference(line) for line in lines]
    assert normalized(lines, "c4") == [c4_reference(line) for line in lines]


@same_unicode
def test_real_text(shared_data: Path) -> None:
    paths = [*shared_data.glob("labelled/LASER/**/*.*"), shared_data / "unicode/big-list-of-naughty-strings/blns.txt"]
    lines = [line for path in paths for line in path.read_text("utf-8").split("\n")]
    lines += json.loads((shared_data / "unicode/big-list-of-naughty-strings/blns.json").read_text("utf-8"))
    assert len(lines) > 10_000
    assert normalized(lines) == [reference(line) for line in lines]
