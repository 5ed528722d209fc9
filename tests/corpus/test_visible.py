"""What a reader would not see is shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a house\n\tof the text", "a house\n\tof the text"),
        ("nul \0 bell \a escape \x1b[31m", "nul ⟨U+0000⟩ bell ⟨U+0007⟩ escape ⟨U+001B⟩[31m"),
        ("user\u202etxt.exe\u2066", "user⟨U+202E⟩txt.exe⟨U+2066⟩"),
        ("lines\r\u2028 \x85", "lines⟨U+000D⟩⟨U+2028⟩ ⟨U+0085⟩"),
        ("zero\u200bwidth \ufeff soft\u00adhyphen", "zero⟨U+200B⟩width ⟨U+FEFF⟩ soft⟨U+00AD⟩hyphen"),
        ("a tag \U000e0041", "a tag ⟨U+E0041⟩"),
        ("half \ud800", "half ⟨U+D800⟩"),
        ("می‌خواهم 👩‍👩‍👧 שלום مرحبا", "می‌خواهم 👩‍👩‍👧 שלום مرحبا"),
    ],
)
def test_each_is_shown_by_its_number(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(blacklist_categories=())))
def test_nothing_hidden_is_left_and_nothing_else_is_touched(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    left = {sign for sign in shown if unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert left <= set("\n\t\u200c\u200d")
    assert visible(shown) == shown
    plain = "".join(sign for sign in text if unicodedata.category(sign)[0] in "LNPS")
    assert visible(plain) == plain
