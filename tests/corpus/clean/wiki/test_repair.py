"""What is left where a template went, by what stands around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.wiki.repair import GONE, HOLE, repaired


@pytest.mark.parametrize(
    ("line", "text", "dropped"),
    [
        ("Rome (G; G) is", "Rome is", 0),
        ("Rome ( , G, x) is", "Rome (x) is", 0),
        ("Rome (x; G) is", "Rome (x) is", 0),
        ("Rome (x, G; y) is", "Rome (x; y) is", 0),
        ("a G, b G. c “G” d [G] e", "a, b. c d e", 0),
        ("G a", "a", 0),
        ("G, a", "a", 0),
        ("a GG G b G", "a b", 0),
        ("f() int a[] (x) stay G", "f() int a[] (x) stay", 0),
        ("Rome (H) is, and (from H to 5) was", "Rome is, and was", 1),
        ("One is. Two H is. Three is.", "One is. Three is.", 1),
        ("Of 3. May, Dr. X and J. Y have H. One is.", "One is.", 1),
        ("Est le H? Oui. Non.", "Oui. Non.", 1),
        ("一は。二H。三は。", "一は。三は。", 1),
        ("no end H", "", 1),
    ],
)
def test_repaired(line: str, text: str, dropped: int) -> None:
    assert repaired(line.replace("G", GONE).replace("H", HOLE)) == (text, dropped)


@given(st.text(f"ab (),;:.[]“”{GONE}{HOLE}", max_size=80).map(lambda line: " ".join(line.split())))
def test_no_mark_is_left_and_nothing_is_made_up(line: str) -> None:
    text, dropped = repaired(line)
    assert GONE not in text
    assert HOLE not in text
    rest = iter(line)
    assert all(c in rest for c in text if c != " ")  # what is left stands in the same order
    assert HOLE in line or not dropped
    if GONE not in line and HOLE not in line:
        assert text == line
