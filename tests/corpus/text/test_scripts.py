"""Raised and lowered text in a plain line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.scripts import subscript, superscript


@pytest.mark.parametrize(
    ("before", "raised", "text"),
    [
        ("10", "5", "^5"), ("10", "-5", "^-5"), ("10", "−5", "^−5"), ("x", "n", "^n"), ("x", "n+1", "^(n+1)"),
        ("km", "2", "^2"), ("Na", "+", "^+"), ("SO4", "2−", "^2−"), ("e", "iπ", "^(iπ)"), ("x", "a", "^a"),
        ("1", "st", "st"), ("XIX", "e", "e"), ("n", "o", "^o"), ("N", "o", "o"), ("M", "me", "me"), ("Foo", "®", "®"),
        ("", "14", "^14"), (" ", "note", "note"), ("x", "", ""), ("10^", "5", "5"), ("a", "^5", "^5"),
    ],
)  # fmt: skip
def test_superscript(before: str, raised: str, text: str) -> None:
    assert superscript(before, raised) == text


@pytest.mark.parametrize(
    ("before", "lowered", "text"),
    [
        ("H", "2", "2"), ("CO", "2", "2"), ("Fe", "3", "3"), ("(OH)", "2", "2"), ("x", "1", "_1"), ("log", "2", "_2"),
        ("10", "2", "_2"), ("v", "max", "_max"), ("a", "i, j", "_(i, j)"), ("", "2", "2"), ("x_", "1", "1"), ("x", "",
         ""),
    ],
)  # fmt: skip
def test_subscript(before: str, lowered: str, text: str) -> None:
    assert subscript(before, lowered) == text


@given(st.from_regex(r"[0-9]{1,5}", fullmatch=True), st.from_regex(r"[-+]?[0-9]{1,3}", fullmatch=True))
def test_a_power_never_runs_together_with_its_base(base: str, power: str) -> None:
    assert superscript(base, power) == f"^{power}"
    assert subscript(base, power.lstrip("+-")).startswith("_")
