import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.latex_layout import _COMMANDS, without_layout


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        # Figures.
        ("\\includegraphics[width=0.5\\textwidth]{figs/a.pdf}\n\\caption{A}", "\\caption{A}"),
        (r"a \includegraphics*[1,2][3,4]{a.eps} b", "a b"),
        ("a\n\\centerline{\\epsfig{file=a.eps,width=8cm}}\nb", "a\nb"),
        (r"\plottwo{a.ps}{b.ps}\caption{A}", r"\caption{A}"),
        (
            "\\begin{figure}[htbp]\n  \\centering\n  \\caption{A}\\label{a}\n\\end{figure}",
            "\\begin{figure}\n  \\caption{A}\n\\end{figure}",
        ),
        ("\\begin{table*}[!t]\nA & B\\\\ \\hline\n\\end{table*}", "\\begin{table*}\nA & B\\\\ \\hline\n\\end{table*}"),
        ("a\n\\begin{tikzpicture}[x=1]\n\\draw (0,0);\n\\end{tikzpicture}\nb", "a\nb"),
        (r"a \begin{picture}(1,2)\begin{picture}(1,2)\put\end{picture}\end{picture} b", "a b"),
        (r"a \begin{picture}(1,2) b", r"a \begin{picture}(1,2) b"),
        # Space, lines, pages, sizes.
        ("one\n\\vspace*{-1cm}\ntwo", "one\ntwo"),
        ("one\n\n\\vspace{1cm}\n\ntwo", "one\n\n\ntwo"),
        ("\\noindent Text", "Text"),
        ("one\\hfill two \\hfill three", "one two three"),
        ("one\\hspace{1cm}two", "one two"),
        ("one\\linebreak[4] two", "one two"),
        (r"{\small text} {\Large{\bf T}}", r"{text} {{\bf T}}"),
        (r"hy\-phen\-ate, shelf\/ful", "hyphenate, shelfful"),
        (r"a \\- b", r"a \\- b"),
        (r"$a\hskip 1em plus 2pt minus .5fil b\kern-3mu c\penalty-100 d$", "$a b c d$"),
        (r"\section{One}\label{sec:one} Text~\ref{sec:one}", r"\section{One} Text~\ref{sec:one}"),
        (
            "\\begin{equation}\\label{a}\nx \\nonumber \\\\\n\\end{equation}",
            "\\begin{equation}\nx \\\\\n\\end{equation}",
        ),
        (r"$\alpha\nonumber x$", r"$\alpha x$"),
        (r"\rule[1pt]{2pt}{3pt} \vrule height .9ex width .8ex depth -.1ex b", "b"),
        ("\\setlength{\\parindent}{0pt}\n\\pagestyle{empty} \\setcounter{page}{1}\na", "a"),
        # Boxes and colours, whose content stays.
        (r"\centerline{A title}", "A title"),
        (r"\textcolor[rgb]{1,0,0}{red \emph{words}} \color{blue}b", r"{red \emph{words}} b"),
        (r"\resizebox{\textwidth}{!}{\begin{tabular}a\end{tabular}}", r"{\begin{tabular}a\end{tabular}}"),
        (
            r"\parbox[t]{3cm}{words} \makebox[1cm][l]{m} \fbox{f} \raisebox{1ex}[2ex]{r} \scalebox{2}{s}",
            "words m f r s",
        ),
        ("\\begin{center}\nText\n\\end{center}", "Text\n"),
        ("\\begin{minipage}[t]{0.5\\textwidth}\nText\n\\end{minipage}\n", "Text\n"),
        ("a \\begin{small}b\\end{small} c", "a b c"),
        # Plain TeX's set-up.
        ("\\magnification=\\magstep1\n\\hsize=6.5truein \\vsize 9in\n\\parskip=6pt plus 1pt minus 1pt\nText", "Text"),
        ("\\baselineskip 14pt\\nopagenumbers\n\\headline={\\hss\\folio}\n\\everypar{\\hang}\nText", "Text"),
        ("\\advance\\hsize by -1in\n\\newdimen\\x \\newif\\ify\n\\skewchar\\z='177\nText", "Text"),
        ('\\textfont0=\\tenrm \\scriptfont\\f=\\b\n\\catcode`\\@=11\n\\mathchardef\\x="023F\nText', "Text"),
        ("\\input amstex\n\\input{epsf.tex}\n\\input epsf.sty\nText", "Text"),
        ("\\immediate\\write16{Hello {you}}\n\\message{hi}\nText", "Text"),
        # What does not have its arguments, or is no assignment, stays.
        (r"a \vspace b \rule{1}", r"a \vspace b \rule{1}"),
        (r"\begin{tabular*}{0.9\textwidth}", r"\begin{tabular*}{0.9\textwidth}"),
        (r"\input{results}", r"\input{results}"),
        # What is text.
        (r"\emph{a} {\bf b} \cite{c} \ref{d} \footnote{e} \quad \item f \caption{g}", None),
    ],
)
def test_layout(text: str, tidied: str | None) -> None:
    assert without_layout(text).text == (text if tidied is None else tidied)


def test_a_title_page_goes_where_it_is_asked_for() -> None:
    text = "\\title[short]{A {\\it title}}\n\\author{B\\thanks{C}}\n\\date{}\nText \\email{a@b}"
    assert without_layout(text).text == text
    tidied = without_layout(text, title_page=True)
    assert tidied.text == "Text "
    assert tidied.title_page == len(text) - len("Text ")


def test_pages_of_a_pdf_are_told() -> None:
    assert without_layout(r"\includepdf[pages=-]{a.pdf}").pages
    assert not without_layout(r"\includegraphics{a.pdf}").pages


def test_every_command_of_the_list_goes() -> None:
    arguments = {"m": "{a}", "k": "{}", "g": " 1pt", "=": "=1pt", "n": "\\x", "d": "\\x=1", "f": "0=\\x", "c": "`x=1"}
    arguments |= {"a": "\\x by 1", "w": "1{a}", "i": " epsf", "r": " width 1pt", "o": "[a]", "*": "*"}
    for name, signature in _COMMANDS.items():
        text = f"\\{name}" + "".join(arguments[letter] for letter in signature)
        assert without_layout(f"({text} )").text.replace("{}", "").replace(" ", "") == "()", text


@given(
    st.lists(st.sampled_from([*"{}[]ab1 \n", r"\vspace", r"\label", r"\centerline", r"\hsize", r"\kern", r"\-", "\\"]))
)
def test_letters_stay_in_their_order(tokens: list[str]) -> None:
    text = "".join(tokens)
    tidied = without_layout(text).text
    letters = iter(text)
    assert all(letter in letters for letter in tidied if letter != " ")
    assert without_layout("a b").text == "a b"


@pytest.mark.parametrize(
    "piece",
    [
        *(
            r"\vspace{",
            r"\centerline{",
            r"\label{x}",
            r"\hskip 1",
            r"\hsize=",
            r"\begin{picture}",
            r"\rule{1}",
            r"\hfill ",
        ),
        *("\\label{x}{}\n", r"\includegraphics[", r"\begin{center}", r"\-", "\\", "{}\n", r"\begin{figure}[", " "),
    ],
)
def test_long_hostile_texts_end(piece: str) -> None:
    without_layout(piece * 30_000)
