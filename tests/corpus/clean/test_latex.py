import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.latex import Latex, clean_latex, strip_comments


def paper(body: str, preamble: str = "") -> str:
    return f"\\documentclass{{article}}\n{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"


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


# What RedPajama's arxiv_cleaner.py does wrong, each with what is right.


def test_a_paper_of_paragraphs_is_not_emptied() -> None:
    assert clean_latex(paper(r"Title \paragraph{One} Text. \subparagraph{Two} More.")) == (
        r"\paragraph{One} Text. \subparagraph{Two} More."
    )
    assert clean_latex(paper(r"Title \subparagraph*{Two} More.")) == r"\subparagraph*{Two} More."


def test_the_character_before_a_comment_stays() -> None:
    assert clean_latex(paper("\\section{One}\nfoo% c\nbar%\n\nbaz\\\\% d\nqux")) == (
        "\\section{One}\nfoobar\n\nbaz\\\\qux"
    )


def test_a_section_in_a_comment_is_not_the_first() -> None:
    assert clean_latex(paper("% \\section{old}\nTitle\n\\section{New}")) == "\\section{New}"


def test_macros_redpajama_cannot_expand() -> None:
    preamble = "\\newcommand{\\ab}{AB}\n\\newcommand{\\norm}[1]{%\n  |#1|\n}\n\\def\\ue{Gr\u00fc\u00dfe}"
    body = "\\section{One} \\ab\\ab, \\norm{x}, \\ue, \\ab"
    assert clean_latex(paper(body, preamble)) == "\\section{One} ABAB, |x|\n, Gr\u00fc\u00dfe, AB"


def test_only_a_bibliography_ends_a_paper() -> None:
    body = "\\section{One}\n\\renewcommand{\\appendixname}{A}\\appendix\n\\section{Proofs}\n%s\nmore"
    kept = "\\section{One}\n\\appendix\n\\section{Proofs}"
    for bibliography in (
        r"\begin{thebibliography}{9}",
        r"\bibliographystyle{plain}\bibliography{refs}",
        r"\printbibliography",
        r"\printbibliography[heading=none]",
        r"\begin{references}",
        r"\section*{References}",
        r"\section{ BIBLIOGRAPHY }",
    ):
        assert clean_latex(paper(body.replace("%s", bibliography))) == kept
    text = "\\section{One} \\bibliographies \\section{References to us}"
    assert clean_latex(paper(text)) == text


def test_a_comment_environment_goes() -> None:
    body = "\\section{One}\na\n\\begin{comment}\n\\section{Old}\n\\end{comment}\nb"
    assert clean_latex(paper(body)) == "\\section{One}\na\nb"


# The rest of the rule.


@pytest.mark.parametrize(
    "section",
    [
        *(r"\part{A}", r"\chapter{A}", r"\section{A}", r"\subsection{A}", r"\subsubsection{A}"),
        *(r"\section*{A}", r"\section [a]{A}", "\\section\n{A}", r"\paragraph*{A}"),
    ],
)
def test_everything_before_the_first_section_goes(section: str) -> None:
    text = paper(f"\\maketitle\n\\begin{{abstract}}No.\\end{{abstract}}\n\\sectionmark{{x}}{section} Yes.")
    assert clean_latex(text) == f"{section} Yes."


def test_sections_of_the_preamble_do_not_count() -> None:
    assert clean_latex(paper(r"Title \section{One}", r"\newenvironment{x}{\section{No}}{}")) == r"\section{One}"


def test_a_section_by_macro_is_found() -> None:
    assert clean_latex(paper(r"Title \sect{One} Text", r"\def\sect{\section}")) == r"\section{One} Text"


def test_without_sections_the_body_stays() -> None:
    assert clean_latex(paper("\\maketitle\nA letter.", "\\usepackage{x}")) == "\\maketitle\nA letter."
    assert clean_latex("\\documentstyle{amsppt}\n\\document\nText\n\\Refs\n\\ref 1\\endref\n\\enddocument") == "Text"
    assert clean_latex("\\magnification=1200\nText\n\\bye\n junk") == "\\magnification=1200\nText"


def test_a_line_break_before_a_command() -> None:
    assert clean_latex(paper(r"\section{One} a\\\bibliography{x} b")) == r"\section{One} a\\"
    assert clean_latex(paper(r"\section{One} a\\bibliography{x} b")) == r"\section{One} a\\bibliography{x} b"


def test_verbatim_passages_stay() -> None:
    verbatim = "\\begin{verbatim}\n\\def\\a{A}  \n\n\n\\a % c\n\\end{document}\n\\end{verbatim}"
    body = f"\\section{{One}}\\def\\a{{B}}\n\\a. {verbatim} \\verb|\\a %| \\a"
    assert clean_latex(paper(body)) == f"\\section{{One}}\nB. {verbatim} \\verb|\\a %| B"


def test_branches_never_taken_go() -> None:
    def body(text: str) -> str:
        return clean_latex(paper("\\section{One}\n" + text)).removeprefix("\\section{One}").strip()

    assert body("a\n\\iffalse\nno \\ifx\\x\\y 1\\else 2\\fi\n\\fi\nb") == "a\nb"
    assert body(r"a \iffalse no\else yes\fi b") == "a  yes b"
    assert body("a\n\\if0\nno\n\\fi\nb \\if 00 yes\\fi") == "a\nb \\if 00 yes\\fi"
    assert body(r"\newif\ifx@y a \iffalse \ifx@y no\fi no\fi b") == r"\newif\ifx@y a  b"
    assert body(r"$\iff$ \iffalse \ifthenelse{a}{b}{c} \iff \fi b") == r"$\iff$  b"
    assert body(r"\ifnum1=1 a\else b\fi") == r"\ifnum1=1 a\else b\fi"
    assert body(r"a \iffalse no end") == r"a \iffalse no end"


def test_nothing_left() -> None:
    batch = pa.RecordBatch.from_pydict({"text": pa.array([paper(""), paper("Text"), ""], pa.large_string())})
    cleaned = Latex().clean(batch)
    assert cleaned.reason.to_pylist() == ["empty", None, "empty"]
    assert cleaned.text.to_pylist() == ["", "Text", ""]
    assert cleaned.text.type == pa.large_string()
    assert cleaned.kept_lines is None


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
    conditionals = slice(given.index(r"\iffalse I shall"), given.index(r"\iffalse" + "\n" + r"\iffalt"))
    assert clean_latex(given[conditionals]).split("\n\n")[0].strip() == "Expect me (else block of iffalse)!"


def test_no_defined_macro_is_left_in_real_papers(shared_data: Path) -> None:
    for name in ("arxivDownload/reinhardt-optimal-control.tex", "engrafo/1708.00137/main.tex"):
        text = (shared_data / "arxiv" / name).read_text()
        defined = set(re.findall(r"^\\(?:def|newcommand\*?\s*\{?)\\([A-Za-z]+)", text, re.MULTILINE))
        body = clean_latex(text)
        assert len(defined) > 10
        assert defined & set(re.findall(r"\\([A-Za-z]+)", text[text.index(r"\begin{document}") :]))
        assert not defined & set(re.findall(r"\\([A-Za-z]+)", body))
        assert body.startswith(r"\section")
        assert not re.search(r"(?<!\\)%|thebibliography|\\bibliography", body)
        assert len(body) > len(text) / 2


@given(
    st.lists(
        st.sampled_from(
            [
                *(r"\begin{document}", r"\section{a}", r"\if0", r"\fi", r"\else", r"\iffalse", "%", r"\verb|"),
                *(r"\bibliography{", "{", "}", "\\\\", "\n", "\x00"),
            ]
        )
    )
)
def test_nothing_raises(tokens: list[str]) -> None:
    text = " ".join(tokens)
    assert clean_latex(text) == clean_latex(text)


@pytest.mark.parametrize(
    "piece",
    [
        "\\begin{verbatim}",
        "\\begin{comment}x\\end{comment}",
        "%",
        "\\verb|",
        "\\iffalse ",
        "\\section ",
        " ",
        "\\\\",
        "\n",
    ],
)
def test_long_hostile_texts_end(piece: str) -> None:
    clean_latex(piece * 100_000 + "x")
