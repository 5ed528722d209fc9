"""Character references, against Python's own reader of them."""

import html
from html.entities import html5

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.html_references import LONGEST_REFERENCE, read_reference, references


def unescape(text: str) -> str:
    data = np.frombuffer(text.encode(), np.uint8)
    out = np.zeros(LONGEST_REFERENCE, np.uint8)
    read = b""
    i = 0
    while i < len(data):
        size, written = read_reference(data, i, len(data), references(), out) if data[i] == ord("&") else (0, 0)
        read += out[:written].tobytes() if size else data[i : i + 1].tobytes()
        i += size or 1
    return read.decode()


def test_every_name_of_the_standard() -> None:
    text = "".join(f"a&{name} b&{name}c" for name in html5)
    assert unescape(text) == html.unescape(text)


PIECES = [
    "&",
    "#",
    "x",
    "X",
    ";",
    "amp",
    "am",
    "not",
    "in",
    "lt",
    "notin",
    "9",
    "1",
    "Fe",
    "&#x2",
    "é",
    "copy",
    " ",
    "&#6",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_what_is_no_reference_stays(text: str) -> None:
    # Python leaves out the control characters that a number names; the standard does not.
    assert "".join(c for c in unescape(text) if c >= " " and c != "\x7f") == "".join(
        c for c in html.unescape(text) if c >= " " and c != "\x7f"
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("&#0;&#xD800;&#x110000;&#99999999999;", "\ufffd" * 4),
        ("&#x80;&#150;&#x9f;&#x81;", "€–Ÿ\x81"),
        ("&#;&#x;&#xg;&", "&#;&#x;&#xg;&"),
        ("&nGt;&Bopf;", "\u226b\u20d2\U0001d539"),
        ("&notit; &copy1 &COPY &cop;", "¬it; ©1 © &cop;"),
    ],
)
def test_odd_ones(written: str, read: str) -> None:
    assert unescape(written) == read
