import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.latex_macros import expand_macros


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        # With and without arguments, in every spelling of a definition.
        (r"\newcommand{\R}{\mathbb{R}}$\R^n$", r"$\mathbb{R}^n$"),
        (r"\newcommand\R{\mathbb{R}}$\R$", r"$\mathbb{R}$"),
        (r"\newcommand*{\R} {\mathbb{R}}$\R$", r"$\mathbb{R}$"),
        (r"\renewcommand{\R}{R}\R", "R"),
        (r"\DeclareRobustCommand{\R}{R}\R", "R"),
        (r"\def\R{R}\R", "R"),
        (r"\long\def\R{R}\global\long\def\S{S}\R\S", "RS"),
        (r"\gdef\R{R}\R", "R"),
        (r"\newcommand{\n}[1]{\lVert #1\rVert}\n{x}\n y", r"\lVert x\rVert\lVert y\rVert"),
        (r"\newcommand{\p}[2]{#2:#1}\p{a}{b}", "b:a"),
        (r"\newcommand{\p}[2][z]{#1:#2}\p{a}\p[b]{c}\p[{]}]{d}", "z:ab:c{]}:d"),
        (r"\def\p#1#2{#2#1}\p ab\p{c}\d", r"ba\d c"),
        (r"\newcommand{\m}[9]{#9#8#1}\m123456789", "981"),
        # Bodies and arguments on several lines, nested, not ASCII.
        ("\\newcommand{\\eq}[1]{%s}\n\\eq{x\ny}" % "\\[\n#1\n\\]", "\\[\nx\ny\n\\]"),  # noqa: UP031
        (r"\newcommand{\red}[1]{<#1>}\red{hello \red{x}}", "<hello <x>>"),
        (r"\newcommand{\ue}{Grüße–\textit{ü}}\ue", r"Grüße–\textit{ü}"),
        (r"\newcommand{\b}{\{x\}}\b", r"\{x\}"),
        # As TeX reads: spaces behind a control word are skipped, and put back only where words would merge.
        (r"\def\a{A}\a b \a{} b \a\ b", "Ab A{} b A\\ b"),
        (r"\def\a{\alpha}\a b \a1", r"\alpha b \alpha1"),
        (r"\def\a#1{\hat#1}\a x", r"\hat x"),
        ("\\def\\a{A}x \\a\n\nb", "x A\n\nb"),
        ("\\def\\a{A}x \\a\n  b", "x Ab"),
        (r"\def\eg{e.g.\xspace}\eg one, \eg, {\eg} \eg{}two", r"e.g. one, e.g., {e.g.} e.g.{}two"),
        # Macros that end in macros which want an argument.
        (r"\def\v{\vec}\newcommand{\vec}[1]{\mathbf{#1}}\v{x}\v y", r"\mathbf{x}\mathbf{y}"),
        (r"\newcommand{\nc}{\newcommand}\nc{\R}{\mathbb R}\nc\S[1]{S#1}\R\S1", r"\mathbb RS1"),
        (r"\def\make#1#2{\def#1##1{#2(##1)}}\make\f{F}\f x", "F(x)"),
        # Adjacent, at the end of the text (RedPajama misses the second and the last).
        (r"\def\ab{X}\ab\ab \ab", "XXX"),
        # Only what is the very name.
        (r"\def\a{A}\ab\\a\a", r"\ab\\aA"),
        # In reading order.
        (r"\a\def\a{1}\a\def\a{2}\a", r"\a12"),
        (r"\newcommand{\a}{1}\providecommand{\a}{2}\providecommand{\b}{3}\a\b", "13"),
        # Aliases.
        (r"\let\eps\varepsilon\let\e=\eps $\eps x\e$", r"$\varepsilon x\varepsilon$"),
        (r"\let\old\sqrt\renewcommand{\sqrt}[1]{\old{#1}!}\sqrt{2}", r"\sqrt{2}!"),
        (r"\def\a{1}\let\b\a\def\a{2}\b", "1"),
        # Operators.
        (r"\DeclareMathOperator{\tr}{tr}\DeclareMathOperator*{\am}{arg\,min}\tr A\am", None),
        # Left as they are.
        (r"\def\a(#1){<#1>}\a(x)", r"\def\a(#1){<#1>}\a(x)"),
        (r"\newcommand{\a}[1]{#1}{\a}", r"{\a}"),
        (r"\newcommand{\a}{", r"\newcommand{\a}{"),
        (r"\newcommand", r"\newcommand"),
        (r"\newcommand{\a}{#1}\a", r"\newcommand{\a}{#1}\a"),
        (r"\newcommand{\a}[1]{[#1]}\a{x", r"\a{x"),
        ("\\newcommand{\\a}[1]{[#1]}\\a\n\nx", "\\a\n\nx"),
        # Redefined sectioning is layout: the definition goes, the command stays.
        (r"\renewcommand{\section}{\@startsection{section}}\section{One}", r"\section{One}"),
    ],
)
def test_expansion(text: str, expanded: str | None) -> None:
    if expanded is None:
        expanded = r"\operatorname{tr}A\operatorname*{arg\,min}"
    assert expand_macros(text) == expanded


def test_a_removed_definition_leaves_no_empty_line() -> None:
    assert expand_macros("one\n  \\def\\a{A}  \n\\newcommand{\\b}{B}\ntwo \\a\\b.\n") == "one\n  two AB.\n"


def test_loops_stay_as_written() -> None:
    assert expand_macros(r"\def\a{x\a}1\a2\a") == r"1\a2\a"
    assert expand_macros(r"\def\a{\b}\def\b{y\a}\def\c{C}\a\c") == r"\a C"
    assert expand_macros(r"\newcommand{\vec}[1]{\vec{#1}}\vec{x} \vec{y}") == r"\vec{x} \vec{y}"


def test_explosions_stay_as_written() -> None:
    doubling = "".join(
        rf"\def\{a}{{\{b}\{b}}}"
        for a, b in zip("abcdefghijklmnopqrstuvwxyzABCDEF", "bcdefghijklmnopqrstuvwxyzABCDEFG", strict=True)
    )
    assert expand_macros(doubling + r"\def\good{ok}\a\good\F") == r"\a ok\G\G"
    assert expand_macros(r"\def\a#1{\a{#1#1}}\def\good{ok}\a{x}\good") == r"\a{x}ok"


def test_expansions_within_expansions_are_limited() -> None:
    text = r"\newcommand{\i}[1]{<#1>}" + r"\i{" * 60 + "x" + "}" * 60
    assert expand_macros(text) == "<" * 60 + "x" + ">" * 60
    text = r"\newcommand{\i}[1]{<#1>}" + r"\i{" * 70 + "x" + "}" * 70
    assert expand_macros(text) == text.removeprefix(r"\newcommand{\i}[1]{<#1>}")


@given(st.lists(st.sampled_from([*"ab{}[]#12*= \n\\", r"\a", r"\b", r"\def", r"\newcommand", r"\let", r"\xspace"])))
def test_nothing_raises_or_hangs(tokens: list[str]) -> None:
    text = r"\def\a#1{\b#1}\newcommand{\b}[2][x]{#1\a#2}" + "".join(tokens)
    assert expand_macros(text) == expand_macros(text)


@given(st.text(st.sampled_from("ab\\{}[]\n #1%é")))
def test_text_without_definitions_is_untouched(text: str) -> None:
    assert expand_macros(text) == text


def test_a_long_hostile_text_ends() -> None:
    for text in (r"\def\a{" * 3_000, r"\newcommand{\a}[1]{x}" + r"\a{" * 3_000, r"\def\a#1{}" + r"\a" * 20_000):
        expand_macros(text)
