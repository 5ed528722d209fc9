import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.latex_body import find_body

ENTRIES = "\\begin{thebibliography}{9}\n\\bibitem{a} A. Author, 2001.\n\\end{thebibliography}"


def paper(body: str, preamble: str = "") -> str:
    return f"\\documentclass{{article}}\n{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\nbehind\n"


def body(text: str) -> str:
    return re.sub(r"\n{2,}", "\n", find_body(text).text).strip()


@pytest.mark.parametrize(
    "section",
    [
        *(r"\part{A}", r"\chapter{A}", r"\section{A}", r"\subsection{A}", r"\subsubsection{A}", r"\paragraph*{A}"),
        *(r"\section*{A}", r"\section [a]{A}", "\\section\n{A}", r"\section{A \texorpdfstring{$a_{b_{c}}$}{a}}"),
        *(
            r"\addchap{A}",
            r"\newsec{A}",
            r"\specialsection*{A}",
            "\\beginsection A\n",
            r"\head A\endhead",
            r"\heading A",
        ),
    ],
)
def test_everything_before_the_first_section_goes(section: str) -> None:
    text = paper(f"\\maketitle\n\\begin{{abstract}}No.\\end{{abstract}}\n\\sectionmark{{x}}{section} Yes.")
    found = find_body(text)
    assert found.text == f"{section} Yes.\n"
    assert found.headed
    assert found.front + found.text + found.behind == text


def test_sections_of_the_preamble_do_not_count() -> None:
    assert body(paper(r"Title \section{One}", r"\newenvironment{x}{\section{No}}{}")) == r"\section{One}"


@pytest.mark.parametrize(
    "ending",
    [
        *(
            "",
            "\\section*{Acknowledgments} We thank.",
            "\\section{Acknowledgements.}",
            "\\section*{\\bf ACKNOWLEDGMENT}",
        ),
        *(
            "\\section*{Supplementary Material} More.",
            "\\section{Methods} How.",
            "\\appendix\n\\section{Proofs} Proof.",
        ),
        *("\\section*{Author contributions} All.", "\\section*{Data Availability}\\label{data} Here."),
        *(
            "\\section*{Appendix A: Proofs} Proof.",
            "\\section*{Funding} None.",
            "\\section*{Conflict of Interest} None.",
        ),
    ],
)
def test_a_letter_keeps_its_body(ending: str) -> None:
    found = find_body(paper(f"\\maketitle\nA letter.\n{ending}"))
    assert found.text.strip() == f"\\maketitle\nA letter.\n{ending}".strip()
    assert not found.headed


def test_a_letter_with_sections_behind_its_bibliography_keeps_its_body() -> None:
    for bibliography in (ENTRIES, "\\bibliography{refs}", "\\printbibliography", "\\section*{References} [1] A, 2001."):
        text = paper(f"A letter.\n{bibliography}\n\\section{{Details}} Proof.")
        assert body(text).splitlines() == ["A letter.", "\\section{Details} Proof."]
    styled = paper("\\bibliographystyle{plain}\nTitle \\section{One} Text.")
    assert body(styled) == "\\section{One} Text."


@pytest.mark.parametrize(
    "bibliography",
    [
        *(
            ENTRIES,
            "\\bibliographystyle{plain}\\bibliography{refs}",
            "\\printbibliography[heading=none]",
            "\\putbib[a]",
        ),
        *("\\section*{References}\n" + ENTRIES, "\\section{ BIBLIOGRAPHY }\n\\label{b}\\bibliography{refs}"),
        *("\\section*{\\bf References}\n[1] A. Author, 2001.\n\n[2] B. Author.", "\\chapter*{Literatur}\n[1] A, 2001."),
        *(
            "\\begin{references}\n\\reference{a} A.\n\\end{references}",
            "\\begin{bibdiv}\\begin{biblist}x\\end{biblist}\\end{bibdiv}",
        ),
        *(
            "\\section*{Références}\n[1] A, 2001.",
            "\\section*{Список литературы} [1] A.",
        ),
        *("\\Refs\n\\ref \\key 1 \\by A \\yr 2001 \\endref\n\\endRefs", "\\nocite{*}\\bibliography{a,b}"),
    ],
)
def test_only_the_bibliography_goes(bibliography: str) -> None:
    for behind in (
        "\\appendix\n\\section{Proofs}\nThe proof.",
        "\\section*{Supplementary material}\nText.",
        "\\chapter{Two}\nText of Two.",
        "\\begin{figure}\n\\caption{One}\n\\end{figure}",
        "\\begin{appendices}\nMore.\n\\end{appendices}",
    ):
        found = find_body(paper(f"\\section{{One}}\nText.\n{bibliography}\n{behind}"))
        assert re.sub(r"\n{2,}", "\n", found.text).strip() == f"\\section{{One}}\nText.\n{behind}"
        assert sum(map(len, found.bibliography)) >= len(bibliography) - 20


def test_a_bibliography_for_every_chapter() -> None:
    chapters = [f"\\chapter{{{name}}}\nText of {name}.\n{ENTRIES}\n" for name in ("One", "Two", "Three")]
    kept = [f"\\chapter{{{name}}}\nText of {name}.\n" for name in ("One", "Two", "Three")]
    assert body(paper("".join(chapters))) == re.sub(r"\n{2,}", "\n", "".join(kept)).strip()


def test_text_between_a_bibliography_and_the_next_heading_stays() -> None:
    text = paper(f"\\section{{One}}\nText.\n\\section*{{References}}\n{ENTRIES}\nA note in proof.")
    assert body(text).splitlines() == ["\\section{One}", "Text.", "A note in proof."]


def test_what_only_sounds_like_a_bibliography_stays() -> None:
    for text in (
        "\\section{One} \\bibliographies \\section{References to us} Text of 2001.",
        "\\section{One} See the\nreferences\nof 2001 [1].",
        "\\section{One}\n{\\bf References}\nare what nobody reads.",
        "\\section{One} \\renewcommand{\\refname}{References} [1] 2001",
        "\\section{One} a\\\\bibliography{x} b",
    ):
        assert body(paper(text)) == text


def test_a_line_break_before_a_command() -> None:
    assert body(paper(r"\section{One} a\\\bibliography{x} b")) == r"\section{One} a\\ b"
    assert body(paper(r"\\section{No} \section{One} b")) == r"\section{One} b"


@pytest.mark.parametrize(
    "heading",
    [
        *(
            "{\\bf References}",
            "\\centerline{\\bf REFERENCES}",
            "\\noindent{\\bf References.}",
            "\\textbf{References:}",
        ),
        *(
            "\\bigskip\\noindent {\\large\\bf References}",
            "\\centerline{\\tenbf 5. References}",
            "{\\sc Bibliographie}",
        ),
        *("\\begin{center}{\\bf References}\\end{center}", "\\vskip 1cm {\\bf Literature Cited}\\par"),
    ],
)
def test_a_plain_bibliography(heading: str) -> None:
    plain = f"\\magnification=1200\nText.\n\n{heading}\n\n\\item{{[1]}} A. Author, 2001.\n\\bye\njunk"
    assert body(plain) == "\\magnification=1200\nText."
    assert find_body(plain).behind == "\\bye\njunk"
    for behind in ("{\\bf Figure Captions}\n\nFig. 1. A ship.", "\\vfill\\eject\nFig. 1. A ship.", "\\appendix More."):
        text = plain.replace("\\bye", f"\n{behind}\n\\bye")
        assert body(text).endswith(behind.splitlines()[-1])
        assert "Author" not in body(text)


def test_other_plain_formats() -> None:
    assert body("\\documentstyle{amsppt}\n\\document\nText\n\\Refs\n\\ref 1\\endref\n\\enddocument") == "Text"
    assert body("Text\n\\Refs\n\\ref 1\\endref\n\\ref 2\\endref\nAddress\n\\enddocument") == "Text\n\nAddress".replace(
        "\n\n", "\n"
    )
    harvmac = "\\lref\\gsw{M. Green {\\it et al.}, 1987}\nTitle\n\\newsec{One} Text \\refs{\\gsw}.\n\\listrefs\n\\bye"
    assert body(harvmac) == "\\newsec{One} Text \\refs{\\gsw}."
    assert body("Text\n\\vfill\\eject\\end\njunk") == "Text\n\\vfill\\eject"
    assert body(paper("\\section{One} \\end{x} \\end {y}")) == "\\section{One} \\end{x} \\end {y}"


@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    r"\begin{document}",
                    r"\end{document}",
                    r"\section{a}",
                    r"\section{References}",
                    r"\appendix",
                    "2001",
                ),
                *(
                    r"\begin{thebibliography}",
                    r"\end{thebibliography}",
                    r"\bibliography{a}",
                    r"\Refs",
                    r"\endref",
                    "{",
                    "}",
                ),
                *(
                    "}",
                    r"\enddocument",
                    "\n{\\bf References}\n",
                    "\n\n{\\bf Captions of}\n\n",
                    r"\lref\a{",
                    r"\bye",
                    r"\end ",
                    "\\",
                    "\n",
                    r"\newpage",
                ),
            ]
        )
    )
)
def test_every_character_is_somewhere(tokens: list[str]) -> None:
    text = " ".join(tokens)
    found = find_body(text)
    parts = [found.front, found.text, found.behind, *found.bibliography]
    assert sum(map(len, parts)) == len(text)
    assert sorted("".join(parts)) == sorted(text)


@pytest.mark.parametrize(
    "piece",
    [
        *(r"\section{", r"\section{x}", r"\section ", r"\section{{{", r"\section{References}", r"\begin{references}"),
        *(
            r"\begin{bibdiv}\begin{biblist}",
            r"\bibliography{x}",
            r"\Refs ",
            r"\endref",
            r"\lref\x{",
            "{\\bf References}\n",
        ),
        *(
            "{\\bf References}\n2001\n",
            "{\\bf Figure captions}\n\n",
            "\\noindent\n",
            "\n",
            " ",
            "\\",
            r"\appendix",
            r"\end ",
        ),
    ],
)
def test_long_hostile_texts_end(piece: str) -> None:
    find_body(piece * 30_000 + "x")
