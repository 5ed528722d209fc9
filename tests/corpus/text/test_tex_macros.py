import pytest

from corpus.text.tex import FALSE, NO_VALUE, TRUE, Cursor, Frame, Parameter
from corpus.text.tex_macros import DEFINERS, PROVIDERS, Definition, Macro, read_definition

M = Parameter("m")


def read(command: str, text: str) -> tuple[Definition | None, str]:
    """The definition, and what it leaves of the text."""
    frames = [Frame(text)]
    cursor = Cursor(frames)
    definition = read_definition(command, cursor)
    if definition is not None:
        cursor.accept()
    return definition, frames[0].text[frames[0].at :]


@pytest.mark.parametrize(
    ("command", "text", "name", "macro"),
    [
        ("newcommand", r"{\a}{A}", "a", Macro((), ("A",))),
        ("newcommand", r"*\a[2]{#2 #1}", "a", Macro((M, M), (2, " ", 1))),
        ("newcommand", r"\a[2][d]{#1}", "a", Macro((Parameter("o", default="d"), M), (1,))),
        ("newcommand", "\\a%\n[1]% c\n{#1}", "a", Macro((M,), (1,))),
        ("renewcommand", r"\a\to", "a", Macro((), ("\\to",))),
        ("newcommandx", r"\a[2][2=b]{#1}", "a", Macro((M, Parameter("o", default="b")), (1,))),
        ("NewDocumentCommand", r"\a{s o m}{#3}", "a", Macro((Parameter("s", "*"), Parameter("o"), M), (3,))),
        ("NewDocumentCommand", r"{\a} { t+ } {#1}", "a", Macro((Parameter("t", "+"),), (1,))),
        ("def", r"\a#1#2{#2}", "a", Macro((M, M), (2,))),
        ("def", r"\a(#1)#2 {#1}", "a", Macro((Parameter("l", "("), Parameter("u", ")"), M), (1,))),
        ("def", r"\a#1{\def\b##1{#1##1}}", "a", Macro((M,), ("\\def\\b#", "1", "{", 1, "#", "1", "}"))),
        ("DeclareMathOperator", r"*{\a}{arg\,min}", "a", Macro((), ("\\operatorname*{arg\\,min}",))),
        ("@namedef", "{a}{A}", "a", Macro((), ("A",))),
        ("let", r"\a=b", "a", Macro((), ("b",), literal=True)),
        ("font", r"\a=cmr10 scaled 1200 ", "a", Macro((), ("",))),
    ],
)
def test_definitions(command: str, text: str, name: str, macro: Macro) -> None:
    definition, rest = read(command, text + "|")
    assert rest == "|"
    assert definition is not None
    assert definition.name == name
    assert definition.macro == macro


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("newcommand", ""),
        ("newcommand", "{a}{A}"),
        ("newcommand", r"\a[1]"),
        ("newcommand", r"\a{"),
        ("newcommand", r"\a{#1}"),
        ("newcommand", r"\a[1][x{#1}"),
        ("def", r"\a#1"),
        ("def", "a{}"),
        ("NewDocumentCommand", r"\a{m}"),
        ("let", r"\a"),
        ("font", r"\a="),
        ("DeclarePairedDelimiterX", r"\a{(}{)}{#1}"),
    ],
)
def test_what_is_no_definition(command: str, text: str) -> None:
    assert read(command, text) == (None, text)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("newcommand", r"\a{\expandafter\x}"),
        ("def", r"\a{\ifnum1=1 x\fi}"),
        ("def", r"\a#1#{#1}"),
        ("def", r"\a#2{}"),
        ("NewDocumentCommand", r"\a{v}{#1}"),
        ("NewDocumentCommand", r"\a{E{^}{{x}}}{#1}"),
        ("font", r"\a=msbm10"),
        ("let", r"\a={"),
    ],
)
def test_definitions_whose_uses_are_for_tex(command: str, text: str) -> None:
    definition, rest = read(command, text)
    assert definition == Definition("a", None)
    assert rest == ""


def test_paired_delimiters() -> None:
    definition, _ = read("DeclarePairedDelimiterXPP", r"\a[1]{P}{(}{)}{_{#1}}{#1\delimsize|}")
    assert definition is not None
    assert definition.macro is not None
    expand = definition.macro.expansion
    assert expand([FALSE, NO_VALUE, "x"]) == "P(x|)_{x}"
    assert expand([TRUE, NO_VALUE, "x"]) == "P\\left(x\\middle|\\right)_{x}"
    assert expand([FALSE, "\\big", "x"]) == "P\\bigl(x\\big|\\bigr)_{x}"


def test_every_definer_refuses_nonsense() -> None:
    for command in DEFINERS:
        for text in ("", "{", "}", "\\", "#", "{\\a", "[", "\\a", "{\\a}[", "\\a[1"):
            definition, rest = read(command, text)
            assert definition is None or definition.name == "a"
            assert definition is not None or rest == text


def test_providers() -> None:
    assert {"providecommand", "ProvideDocumentCommand", "providecommandx", "providerobustcmd"} <= PROVIDERS
    assert "newcommand" not in PROVIDERS
