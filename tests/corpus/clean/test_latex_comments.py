import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.latex_comments import hold_verbatim, length, put_back, strip_comments, without_untaken


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("a% c\nb", "ab"),
        ("a % c\n  b", "a b"),
        ("a% c\n\nb", "a\n\nb"),
        ("a% c\n  \nb", "a\n  \nb"),
        ("a%\n% c\n   % d\n b", "ab"),
        ("a\n% c\nb", "a\nb"),
        ("a\n  % c\n\t%d\n  b", "a\n  b"),
        ("a\n% c\n\nb", "a\n\nb"),
        ("% c\na", "a"),
        ("a % c", "a "),
        ("a\n% c", "a\n"),
        (r"50\% of a % c", r"50\% of a "),
        ("a\\\\% c\nb", "a\\\\b"),
        ("a\\\\\\% b", "a\\\\\\% b"),
        ("\\centering% c\nText", "\\centering Text"),
        ("\\centering% c\n{Text}", "\\centering{Text}"),
        ("\\\\centering% c\nText", "\\\\centeringText"),
        (r"\verb|%a| % c", r"\verb|%a| "),
        (r"\verb*+%+\lstinline[x]!%!% c", r"\verb*+%+\lstinline[x]!%!"),
        ("\\verbose% c\nx", "\\verbose x"),
        ("\\begin{verbatim}\n% a\n\\end{verbatim} % c", "\\begin{verbatim}\n% a\n\\end{verbatim} "),
        ("\\begin{lstlisting}[x]\n%\n\\end{lstlisting}%", "\\begin{lstlisting}[x]\n%\n\\end{lstlisting}"),
        ("\\begin{verbatim} % c", "\\begin{verbatim} "),
        (r"\url{http://a/%7Eb}% c", r"\url{http://a/%7Eb}"),
        (r"\href{http://a/%7Eb}{c}% d", r"\href{http://a/%7Eb}{c}"),
        ("a\n\\begin{comment}\nb\n% c\n\\end{comment}\nd", "a\nd"),
        ("a \\begin{comment}b\\end{comment} d", "a  d"),
        ("a\n% \\begin{comment}\nb\n% \\end{comment}\nc", "a\nb\nc"),
        ("\\begin{comment} a % c", "\\begin{comment} a "),
    ],
)
def test_comments(text: str, stripped: str) -> None:
    assert strip_comments(text) == stripped


@given(st.lists(st.sampled_from(["%", "\n", "\\", " ", "a", r"\verb|", "|", r"\begin{verbatim}", r"\end{verbatim}"])))
def test_stripped_text_has_no_more_comments(tokens: list[str]) -> None:
    text = "".join(tokens)
    stripped = strip_comments(text)
    assert strip_comments(stripped) == stripped
    if "verb" not in text:
        assert not re.search(r"(?<!\\)(?:\\\\)*%", stripped)


@given(st.lists(st.sampled_from(["\\verb|%|", "\\begin{verbatim}%\\end{verbatim}", "a", "%", "\n", "\0", "1"])))
def test_held_passages_come_back(tokens: list[str]) -> None:
    text, held = hold_verbatim("".join(tokens))
    assert length(text, held) == len(put_back(text, held))
    assert "%" not in text
    assert sum(passage in put_back(text, held) for passage in held) == len(held)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("a\n\\iffalse\nno \\ifx\\x\\y 1\\else 2\\fi\n\\fi\nb", "a\nb"),
        (r"a \iffalse no\else yes\fi b", "a  yes b"),
        ("a\n\\if0\nno\n\\fi\nb \\if 00 yes\\fi", "a\nb \\if 00 yes\\fi"),
        (r"\iftrue yes\else no\fi", " yes"),
        (r"$\iff$ \iffalse \ifthenelse{a}{b}{c} \iff \fi b", r"$\iff$  b"),
        (r"\iffalse \ifpdf a\else b\fi no\fi yes", " yes"),
        (r"\ifnum1=1 a\else b\fi", r"\ifnum1=1 a\else b\fi"),
        (r"a \iffalse no end", r"a \iffalse no end"),
        # \newif: false until it is set, and known where it is set once, in the open.
        (r"\newif\ifx@y a \iffalse \ifx@y no\fi no\fi b", r"\newif\ifx@y a  b"),
        (r"\newif\ifx \ifx no\else yes\fi", r"\newif\ifx  yes"),
        (r"\newif\ifx\xfalse \ifx no\fi", r"\newif\ifx\xfalse "),
        (r"\newif\ifx\xtrue \ifx yes\else no\fi", r"\newif\ifx\xtrue  yes"),
        (r"\newif\ifx \ifx no\fi \xtrue \ifx yes\fi", r"\newif\ifx \ifx no\fi \xtrue  yes"),
        (r"\newif\ifx\xtrue\xfalse \ifx a\else b\fi", r"\newif\ifx\xtrue\xfalse \ifx a\else b\fi"),
        (r"\newif\ifx \def\y{\xtrue}\ifx a\else b\fi", r"\newif\ifx \def\y{\xtrue}\ifx a\else b\fi"),
        (r"\newif\ifx \ifnum1=2\xtrue\fi\ifx a\else b\fi", r"\newif\ifx \ifnum1=2\xtrue\fi\ifx a\else b\fi"),
        (r"\newif\ifx \iffalse\xtrue\fi \ifx no\else yes\fi", r"\newif\ifx   yes"),
        (r"\newif\ifx \newcommand{\y}[1]{\ifx #1\fi}", r"\newif\ifx \newcommand{\y}[1]{}"),
    ],
)
def test_branches_never_taken_go(text: str, taken: str) -> None:
    assert without_untaken(text) == taken


@given(st.lists(st.sampled_from([r"\newif\ifx", r"\xtrue", r"\ifx", r"\iffalse", r"\else", r"\fi", "{", "}", "a"])))
def test_only_branches_and_their_commands_go(tokens: list[str]) -> None:
    text = " ".join(tokens)
    taken = without_untaken(text)
    letters = iter(text)
    assert all(letter in letters for letter in taken)  # what stays is in the same order
    assert without_untaken(text.replace(r"\fi", r"\fix")) == text.replace(r"\fi", r"\fix")


@pytest.mark.parametrize(
    "piece", [r"\iffalse ", r"\if0 a\fi ", r"\newif\ifx ", r"\newif\ifx\xtrue\ifx a\fi ", r"\ifx "]
)
def test_long_hostile_texts_end(piece: str) -> None:
    without_untaken(piece * 30_000)


def test_as_arxiv_latex_cleaner(shared_data: Path) -> None:
    """Its example, up to where it begins to delete commands that its configuration names. It leaves a percent sign for
    every comment at a line's end, which TeX skips."""
    folder = shared_data / "arxiv" / "arxiv-latex-cleaner"
    given = (folder / "tex" / "main.tex").read_text()
    expected = (folder / "tex_arXiv_true" / "main.tex").read_text()
    stop = "This line should"
    ours, theirs = strip_comments(given).split(stop)[0], strip_comments(expected).split(stop)[0]
    assert len(ours.split()) > 10
    assert "comment" not in ours
    assert ours.split() == theirs.split()
