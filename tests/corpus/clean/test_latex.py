import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.latex import COUNTS, Latex, clean_paper


def paper(body: str, preamble: str = "") -> str:
    return f"\\documentclass{{article}}\n{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"


def clean_latex(text: str) -> str:
    """The body alone."""
    return clean_paper(text).text


def adds_up(text: str) -> bool:
    """Whether the counts say where every character went."""
    cleaned = clean_paper(text)
    removed = sum(getattr(cleaned, name) for name in COUNTS if name not in ("expanded", "macros_left"))
    return len(text) == len(cleaned.text) + removed - cleaned.expanded


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
    preamble = "\\newcommand{\\ab}{AB}\n\\newcommand{\\norm}[1]{%\n  |#1|\n}\n\\def\\ue{Grüße}"
    body = "\\section{One} \\ab\\ab, \\norm{x}, \\ue, \\ab"
    assert clean_latex(paper(body, preamble)) == "\\section{One} ABAB, |x|\n, Grüße, AB"


def test_only_a_bibliography_is_cut_out() -> None:
    body = "\\section{One}\n\\renewcommand{\\appendixname}{A}\\appendix\n\\section{Proofs}\n%s\n\\section{More}"
    kept = "\\section{One}\n\\appendix\n\\section{Proofs}\n\n\\section{More}"
    for bibliography in (
        r"\begin{thebibliography}{9}\bibitem{a} A.\end{thebibliography}",
        r"\bibliographystyle{plain}\bibliography{refs}",
        r"\printbibliography",
    ):
        assert clean_latex(paper(body.replace("%s", bibliography))) == kept


def test_a_comment_environment_goes() -> None:
    body = "\\section{One}\na\n\\begin{comment}\n\\section{Old}\n\\end{comment}\nb"
    assert clean_latex(paper(body)) == "\\section{One}\na\nb"


# The rest of the rule.


def test_a_section_by_macro_is_found() -> None:
    assert clean_latex(paper(r"Title \sect{One} Text", r"\def\sect{\section}")) == r"\section{One} Text"


def test_a_letter_loses_its_title_page() -> None:
    letter = paper(
        "\\title{T}\\author{A}\n\\maketitle\n\\begin{abstract}\nShort.\n\\end{abstract}\nA letter.\n\\bibliography{x}"
    )
    assert clean_latex(letter) == "\\begin{abstract}\nShort.\n\\end{abstract}\nA letter."
    acknowledged = paper("\\maketitle\nA letter.\n\\section*{Acknowledgments}\nWe thank.", "\\usepackage{x}")
    assert clean_latex(acknowledged) == "A letter.\n\\section*{Acknowledgments}\nWe thank."


def test_a_plain_paper_loses_its_set_up_and_its_references() -> None:
    plain = (
        "\\input amstex\n\\magnification=\\magstep1\n\\font\\big=cmbx10 scaled\\magstep2\n\\font\\bb=msbm10\n"
        "\\hsize=6in\\parindent 20pt\n\\def\\R{{\\bb R}}\n\\centerline{\\big A Title}\n\n\\noindent Let $x\\in\\R$.\n"
        "\\bigskip\\centerline{\\bf References}\n\\item{[1]} A. Author, 2001.\n\\vfill\\eject\\end\n"
    )
    assert clean_latex(plain) == "A Title\n\nLet $x\\in{\\bb R}$."


def test_figures_and_layout_go() -> None:
    body = (
        "\\section{One}\\label{one}\n\\vspace{1cm}\n\\begin{figure}[t]\n\\includegraphics[width=1cm]{a}\n\\caption{A}\n"
        "\\label{a}\n\\end{figure}\n{\\small Text} of Fig.~\\ref{a}."
    )
    assert clean_latex(paper(body)) == (
        "\\section{One}\n\\begin{figure}\n\\caption{A}\n\\end{figure}\n{Text} of Fig.~\\ref{a}."
    )


def test_verbatim_passages_stay() -> None:
    verbatim = "\\begin{verbatim}\n\\def\\a{A}  \n\n\n\\a % c\n\\vspace{1cm}\\end{document}\n\\end{verbatim}"
    body = f"\\section{{One}}\\def\\a{{B}}\n\\a. {verbatim} \\verb|\\a %| \\a"
    assert clean_latex(paper(body)) == f"\\section{{One}}\nB. {verbatim} \\verb|\\a %| B"


def test_branches_never_taken_go() -> None:
    body = "\\newif\\ifdraft\n\\section{One}\n\\ifdraft draft\\else final\\fi \\iffalse no\\fi yes"
    assert clean_latex(paper(body)) == "\\section{One}\n final  yes"


@pytest.mark.parametrize(
    ("body", "preamble"),
    [
        ("\\includepdf[pages=1-last]{paper.pdf}", "\\usepackage{pdfpages}"),
        ("\\title{A title}\n\\author{B}\n\\maketitle\n\\thispagestyle{empty}\n\\includepdf{a}\n\\includepdf{b}", ""),
        ("\\begin{abstract}In short.\\end{abstract}\n\\includepdf[pages=-]{paper}", ""),
        ("\\section*{}\n\\pages", "\\newcommand{\\pages}{\\includepdf[pages=-]{paper}}"),
    ],
)
def test_a_body_of_pages_of_a_pdf_is_rejected(body: str, preamble: str) -> None:
    cleaned = clean_paper(paper(body, preamble))
    assert (cleaned.text, cleaned.reason) == ("", "pdf_only")
    assert adds_up(paper(body, preamble))


def test_text_beside_pages_of_a_pdf_stays() -> None:
    assert clean_latex(paper("\\section{One}\nText.\n\\includepdf{figures}")) == "\\section{One}\nText."


def test_batches_have_reasons_and_counts() -> None:
    texts = [paper(""), paper("Text"), "", paper("\\includepdf{a}"), "x" * 101]
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})
    cleaned = Latex(max_chars=100).clean(batch)
    assert cleaned.reason.to_pylist() == ["empty", None, "empty", "pdf_only", "too_long"]
    assert cleaned.text.to_pylist()[1] == "Text"
    assert cleaned.text.type == pa.large_string()
    assert cleaned.kept_lines is None
    assert cleaned.counts is not None
    assert cleaned.counts.schema.names == list(COUNTS)
    assert cleaned.counts.column("behind").to_pylist() == [15, 15, 0, 15, 0]


def test_every_kind_of_loss_is_counted() -> None:
    text = paper(
        "Front % c\n\\section{One}\n\\newcommand{\\a}{AAAAA}\\a \\iffalse no\\fi \\label{x}  \n\n\n\n"
        "\\bibliography{refs}\nEnd {\\b}",
        "\\newcommand{\\b}[1]{#1}",
    )
    counts = clean_paper(text)
    assert all(getattr(counts, name) > 0 for name in COUNTS), counts
    assert counts.macros_left == 1
    assert adds_up(text)


TOKENS = [
    *(
        r"\begin{document}",
        r"\end{document}",
        r"\section{a}",
        r"\if0",
        r"\fi",
        r"\else",
        r"\iffalse",
        "%",
        r"\verb|",
        "|",
    ),
    *(
        r"\bibliography{",
        "{",
        "}",
        "\\\\",
        "\n",
        "\x00",
        "0",
        r"\newcommand{\a}[1]{b#1}",
        r"\a",
        r"\label{c}",
        r"\vspace",
    ),
    *(
        r"\begin{verbatim}",
        r"\end{verbatim}",
        r"\includepdf{d}",
        r"\title{e}",
        r"\newif\ifx",
        r"\xtrue",
        r"\ifx",
        "\\-",
        "  ",
    ),
    *(
        r"\begin{thebibliography}",
        r"\end{thebibliography}",
        r"\def\b#1.{#1#1}",
        r"\b",
        ".",
        "é",
        r"\begin{picture}",
        "[",
        "]",
    ),
]


@given(st.lists(st.sampled_from(TOKENS)))
def test_nothing_is_lost_without_a_count(tokens: list[str]) -> None:
    assert adds_up("".join(tokens))
    assert adds_up(" ".join(tokens))


def test_no_defined_macro_is_left_in_real_papers(shared_data: Path) -> None:
    for name in ("arxivDownload/reinhardt-optimal-control.tex", "engrafo/1708.00137/main.tex"):
        text = (shared_data / "arxiv" / name).read_text()
        defined = set(re.findall(r"^\\(?:def|newcommand\*?\s*\{?)\\([A-Za-z]+)", text, re.MULTILINE))
        body = clean_latex(text)
        assert len(defined) > 10
        assert defined & set(re.findall(r"\\([A-Za-z]+)", text[text.index(r"\begin{document}") :]))
        assert not defined & set(re.findall(r"\\([A-Za-z]+)", body))
        assert body.startswith(r"\section")
        assert not re.search(r"(?<!\\)%|thebibliography|\\bibliography|\\label|\\includegraphics|\\vspace", body)
        assert len(body) > len(text) / 2
        assert adds_up(text)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "\\begin{verbatim}",
            "\\begin{comment}x\\end{comment}",
            "%",
            "\\verb|",
            "\\iffalse ",
            "\\section ",
            " ",
            "\\\\",
        ),
        *("\n", "\0", "\0" + "1\0", r"\newcommand{\a}[1][x]{#1}\a["),
    ],
)
def test_long_hostile_texts_end(piece: str) -> None:
    clean_latex(piece * 50_000 + "x")
