"""Parser functions, with the values that MediaWiki's documentation gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.wiki.functions import expression
from corpus.clean.wikitext import plain_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 1", "2"), ("30 + 7 * 2", "44"), ("(30 + 7) * 2", "74"), ("-5 ^ 2", "25"), ("2 ^ 3 ^ 2", "64"),
        ("30 / 7", "4.2857142857143"), ("30 mod 7", "2"), ("-8 mod -3", "-2"), ("7 div 2", "3.5"),
        ("1.0E-7 * 1000", "0.0001"), ("trunc 1.2", "1"), ("floor -1.2", "-2"), ("ceil 1.2", "2"), ("abs -2", "2"),
        ("9.876 round 2", "9.88"), ("1234 round -2", "1200"), ("4.5 round 0", "5"), ("ln 1", "0"), ("pi round 2",
         "3.14"),
        ("3 < 4", "1"), ("3 <> 3", "0"), ("1 and 0", "0"), ("1 or 0", "1"), ("not 0", "1"), ("2 * not 0", "2"), ("",
         ""),
        ("1 +", None), ("a", None), ("1 / 0", None), ("2 2", None), ("(1", None), ("9^9^9^9", None), ("1" * 301, None),
        ("__import__('os')", None),
    ],
)  # fmt: skip
def test_expressions(text: str, value: str | None) -> None:
    """https://www.mediawiki.org/wiki/Help:Extension:ParserFunctions#.23expr; halves are rounded as PHP does."""
    assert expression(text) == value


@given(st.text("0123456789.+-*/^()=<> modrundnt", max_size=60))
def test_any_expression_has_a_value_or_none(text: str) -> None:
    value = expression(text)
    assert value is None or value == "" or isinstance(float(value), float)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("{{#if: a | yes | no}} {{#if: | yes | no}}", "yes no"),
        ("{{#ifeq: 1 | 01 | same | other}} {{#ifeq: a | A | same | other}}", "same other"),
        ("{{#ifexpr: 1 > 0 | yes }} {{#iferror: a | bad | good }}", "yes good"),
        ("{{#switch: b | a = 1 | b = 2 | 3 }} {{#switch: b | a | b | c = 1 | 2 }}", "2 1"),
        ("{{#switch: x | a = 1 | #default = 2 | b = 3}} {{#switch: x | a = 1 | 9}} {{#switch: c | a = 1 | c}}",
         "2 9 c"),
        ("{{lc:ABC}} {{uc:abc}} {{ucfirst:abc}} {{lcfirst:ABC}} {{padleft:7|3|0}}", "abc ABC Abc aBC 007"),
        ("{{formatnum:1234567.89}} {{formatnum:1,234.5|R}} {{plural:1|day|days}} {{plural:3|day|days}}",
         "1,234,567.89 1234.5 day days"),
        ("{{#expr: 2 * {{#if: a | 3 | 4}} }} km {{#tag:ref|x}}", "6 km"),
        ("{{PAGENAME}} {{#dateformat:2009-12-25|dmy}}", "Title 25 December 2009"),
    ],
)  # fmt: skip
def test_functions(markup: str, text: str) -> None:
    assert plain_text(markup, "en", "Title") == (text, None, 0)
