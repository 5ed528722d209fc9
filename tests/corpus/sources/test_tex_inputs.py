import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.archive import TooLarge
from corpus.sources.tex_inputs import MAX_COMMANDS, MAX_DEPTH, flatten

PAPER = "\\documentclass{article}\n\\begin{document}\n%s\n\\end{document}\n"


def paper(body: str) -> str:
    return PAPER.replace("%s", body)


def flat(texts: dict[str, str], support: dict[str, str] | None = None) -> str:
    return flatten("main.tex", texts, 10_000, support).text


def test_files_are_put_where_they_are_read() -> None:
    texts = {
        "main.tex": '1 \\input{a} 2 \\include{sections/b}3 \\input a.tex 4\\input{"c"}\\subfile{./d}',
        "a.tex": "A",
        "sections/b.tex": "B \\input{sections/e} \\input{e}",
        "sections/e.tex": "E",
        "c": "C",
        "d.tex": paper("D"),
    }
    flattened = flatten("main.tex", texts, 1000)
    assert flattened.text == "1 A 2 B E E3 A 4C\nD\n"
    assert flattened.missing == []
    assert flattened.read == texts.keys()


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *(
            (r"\import{sections/}{intro}", "sections/intro.tex"),
            (r"\import*{sections}{intro.tex}", "sections/intro.tex"),
        ),
        *((r"\subimport{./}{method}", "method.tex"), (r"\includefrom{a/b/}{c}", "a/b/c.tex")),
        *(
            (r"\inputfrom{a/}{c}", "a/c.tex"),
            (r"\subinputfrom{a/}{c}", "a/c.tex"),
            (r"\subincludefrom{a/}{c}", "a/c.tex"),
        ),
        *((r"\subfileinclude{a/c}", "a/c.tex"), (r"\includestandalone[width=1cm]{fig/one}", "fig/one.tex")),
        *((r"\InputIfFileExists{a}{}{}", "a.tex"), (r"\InputIfFileExists{a.tex}{}{no \input{b}}", "a.tex")),
        *((r"\IfFileExists{a}{\input{a}}{no}", "a.tex"), (r"\IfFileExists{b}{no}{\input{a}}", "a.tex")),
        *(("\\input\n{a}", "a.tex"), ("\\input% c\n{a}", "a.tex"), (r"\input{./b/../a}", "a.tex")),
        *(
            (r'\input{"with space"}', "with space.tex"),
            (r"\input{dotted.v2}", "dotted.v2.tex"),
            (r"\@input{a}", "a.tex"),
        ),
        *((r"\def\input@path{{x/}{sub/}}\input{a}", "sub/a.tex"), (r"\expandableinput{a}", "a.tex")),
        *((r"\newcommand{\dir}{sub}\input{\dir/a}", "sub/a.tex"), (r"\def\x{a}\def\y{sub/\x}\input{\y}", "sub/a.tex")),
    ],
)
def test_every_way_to_read_a_file(command: str, name: str) -> None:
    flattened = flatten("main.tex", {"main.tex": f"<{command}>", name: "TEXT"}, 1000)
    assert flattened.text.endswith("<TEXT>") or flattened.text.endswith("TEXT>")
    assert "no" not in flattened.text
    assert flattened.missing == []


def test_a_file_that_begins_the_document_is_whole() -> None:
    whole = paper("\\input{a}")
    texts = {"main.tex": "\\def\\x{X}\\input{whole}", "whole.tex": whole, "a.tex": paper("A").replace("\n", "")}
    assert flat(texts) == "\\def\\x{X}" + whole.replace("\\input{a}", "A")


def test_names_are_looked_for_in_the_folder_of_an_import_first() -> None:
    texts = {
        "main.tex": r"\import{ch/}{one}|\input{deep}",
        "ch/one.tex": r"\input{deep}\subimport{sub/}{two}\import{other/}{three}",
        "ch/deep.tex": "CH",
        "deep.tex": "TOP",
        "ch/sub/two.tex": r"\input{deep}\subimport{x/}{four}",
        "ch/sub/deep.tex": "SUB",
        "ch/sub/x/four.tex": "4",
        "other/three.tex": "3",
    }
    assert flat(texts) == "CHSUB43|TOP"


@pytest.mark.parametrize(
    "definition",
    [
        r"\newcommand{\sect}[1]{\input{sections/#1}}",
        r"\newcommand\sect[1]{\input{sections/#1.tex}}",
        r"\def\sect#1{\include{sections/#1}}",
        r"\NewDocumentCommand{\sect}{m}{\subfile{sections/#1}}",
        r"\newcommand{\one}[2]{\import{#1/}{#2}}\newcommand{\sect}[1]{\one{sections}{#1}}",
        r"\newcommand{\sect}[1]{\InputIfFileExists{sections/#1}{}{missing}}",
        r"\newcommand{\sect}[1]{\clearpage\input{sections/#1}}",
        r"\let\old\input\renewcommand{\input}[1]{\old{sections/#1}}\let\sect\input",
        r"\newcommand{\dir}{sections}\newcommand{\sect}[1]{\input{\dir/#1}}",
    ],
)
def test_macros_that_read_files(definition: str) -> None:
    texts = {"main.tex": f"{definition}\n\\sect{{intro}}", "sections/intro.tex": "INTRO"}
    flattened = flatten("main.tex", texts, 1000)
    assert flattened.text.startswith(definition)  # which the macros of the paper are expanded by
    assert flattened.text.removeprefix(definition).replace("\\clearpage", "").strip() == "INTRO"
    assert flattened.missing == []
    defined_elsewhere = {**texts, "main.tex": "\\input{macros}\n\\sect{intro}", "macros.tex": definition}
    assert flatten("main.tex", defined_elsewhere, 1000).text.endswith("INTRO")


def test_loops_over_files() -> None:
    texts = {f"ch{name}.tex": f"<{name}>" for name in ("1", "2", "3", "4", "x")}
    assert flat({**texts, "main.tex": r"\foreach \n in {1,...,3,x} {\input{ch\n}}"}) == "<1>\n<2>\n<3>\n<x>"
    assert flat({**texts, "main.tex": r"\foreach \n [count=\i] in {4}{\input{ch\n }}"}) == "<4>"
    assert flat({**texts, "main.tex": r"\foreach \n in {1,...," + "9" * 4400 + r"}{\input{ch\n}}"}).startswith("<1>")
    drawing = r"\foreach \n in {1,...,3} {\draw (\n,0);}"
    assert flat({"main.tex": drawing}) == drawing


def test_a_macro_that_is_not_used_reads_nothing() -> None:
    text = r"\newcommand{\sect}[1]{\input{#1}}\newcommand{\one}{\input{one}}"
    flattened = flatten("main.tex", {"main.tex": text, "one.tex": "ONE"}, 1000)
    assert (flattened.text, flattened.missing) == (text, [])


def test_macros_that_read_each_other_end() -> None:
    for text in (
        r"\def\a{\a\input{x}}\a",
        r"\def\a{\input{x}\b}\def\b{\input{x}\a}\a",
        r"\let\input\a\let\a\input\a{x}",
    ):
        flat({"main.tex": text, "x.tex": "X"})
    doubling = "".join(rf"\def\{a}{{\{b}\{b}\input{{x}}}}" for a, b in zip("abcdefghij", "bcdefghijk", strict=True))
    with pytest.raises(TooLarge):
        flat({"main.tex": rf"\def\k{{\input{{x}}}}{doubling}\a", "x.tex": "X"})


def test_what_is_no_command_is_not_obeyed() -> None:
    for text in (
        r"% \input{a}",
        r"\\input{a}",
        r"\inputx{a}",
        r"\input@a{a}",
        r"a \% b % \include{a}",
        r"\includegraphics{a}",
        r"\verb|\input{a}|",
        "\\begin{verbatim}\n\\input{a}\n\\end{verbatim}",
        "\\begin{comment}\\input{a}\\end{comment}",
        r"\input{#1}",
    ):
        assert flat({"main.tex": text, "a.tex": "A"}) == text
    assert flat({"main.tex": "\\% \\input{a} % \\input{a}\n\\input{a}", "a.tex": "A"}) == "\\% A % \\input{a}\nA"
    assert flat({"main.tex": "\\begin{verbatim} \\input{a}", "a.tex": "A"}) == "\\begin{verbatim} A"


def test_endinput_ends_a_file() -> None:
    assert flat({"main.tex": "1\\input{a}2", "a.tex": "A\\endinput B"}) == "1A2"
    assert flat({"main.tex": "1\\input{a}2", "a.tex": "A% \\endinput\nB"}) == "1A% \\endinput\nB2"
    assert (
        flat({"main.tex": "\\def\\x{\\input{a}\\endinput}1\\x 2", "a.tex": "A"}) == "\\def\\x{\\input{a}\\endinput}1A"
    )


def test_a_comment_at_the_end_of_a_file_ends_there() -> None:
    assert flat({"main.tex": "1\\input{a}2", "a.tex": "A % c"}) == "1A % c\n2"


def test_missing_and_circular_files_are_noted() -> None:
    texts = {"main.tex": "\\input{a} \\input{gone} \\input{../up} \\import{x/}{y}", "a.tex": "\\input{main}\\input{a}A"}
    flattened = flatten("main.tex", texts, 1000)
    assert flattened.text == "\\input{main}\\input{a}A \\input{gone} \\input{../up} \\import{x/}{y}"
    assert flattened.missing == ["../up", "a", "gone", "main", "y"]


def test_conditions_on_files_that_tex_may_have() -> None:
    text = r"\IfFileExists{upquote.sty}{\usepackage{upquote}}{}"
    assert flat({"main.tex": text}) == text
    assert flat({"main.tex": r"\IfFileExists{x}{a}{b}"}) == "b"


def test_files_that_are_printed_as_they_stand() -> None:
    for command in (r"\verbatiminput{a.py}", r"\lstinputlisting[language=x]{a.py}", r"\inputminted[x]{python}{a.py}"):
        expected = "\\begin{verbatim}\nif x: % 1\n\\end{verbatim}"
        assert flat({"main.tex": command}, {"a.py": "if x: % 1\n"}) == expected
        assert flatten("main.tex", {"main.tex": command}, 1000).missing == ["a.py"]


def test_depth_and_length_are_limited() -> None:
    chain = {f"{i}.tex": f"<\\input{{{i + 1}}}>" for i in range(MAX_DEPTH + 5)}
    flattened = flatten("0.tex", chain, 1000)
    assert flattened.text == "<" * (MAX_DEPTH + 1) + f"\\input{{{MAX_DEPTH + 1}}}" + ">" * (MAX_DEPTH + 1)
    assert flattened.missing == [str(MAX_DEPTH + 1)]
    many = {f"{i}.tex": f"\\input{{{i + 1}}}" * 10 for i in range(MAX_DEPTH)} | {f"{MAX_DEPTH}.tex": ""}
    with pytest.raises(TooLarge):
        flatten("0.tex", many, 100_000)
    with pytest.raises(TooLarge):
        flatten("main.tex", {"main.tex": "\\def\\x{}" * (MAX_COMMANDS + 1)}, 1 << 24)


# Macros of the paper's own styles.

BODY = r"\documentclass{article}\usepackage[x]{notation}\begin{document}$\D$ \Db{X} \eps"


def inserted(style: str, body: str = BODY, name: str = "notation.sty") -> str:
    """What a style puts in behind the command that loads it."""
    text = flat({"main.tex": body}, {name: style})
    command = body[: body.index(r"\begin{document}")]
    assert text.startswith(command)
    assert text.endswith(body[len(command) :])
    return text[len(command) : len(text) - len(body[len(command) :])].strip()


@pytest.mark.parametrize(
    "definition",
    [
        *(r"\newcommand{\D}{\mathcal{D}}", r"\def\D{\operatorname{\mathcal D}}", r"\newcommand{\Db} [1]{D^b(#1)}"),
        *(
            r"\DeclareMathOperator{\D}{D}",
            r"\NewDocumentCommand\Db{m}{D(#1)}",
            r"\let\eps\varepsilon",
            r"\newcommand\D\Delta",
        ),
        *(r"\DeclarePairedDelimiter{\Db}{(}{)}", r"\renewcommand{\eps}{\varepsilon}"),
    ],
)
def test_definitions_of_a_style_are_taken(definition: str) -> None:
    assert inserted(f"\\ProvidesPackage{{notation}}\n{definition} % c\n\\newcommand{{\\unused}}{{x}}\n") == definition


@pytest.mark.parametrize(
    "definition",
    [
        *(
            r"\def\D{\@ifundefined{x}",
            r"\def\D{\@a}\def\@a{\@b}",
            r"\def\D{\hbox to 1cm{\hrule}}",
            r"\def\Db#1{\relax}",
            r"\def\D{\global\x}",
        ),
        *(r"\def\D{\expandafter\x}", r"% \def\D{x}", r"\def\x{\def\D{x}}", r"\endinput\def\D{x}"),
        r"\ExplSyntaxOn\def\D{x}\ExplSyntaxOff",
    ],
)
def test_what_is_no_notation_is_not_taken(definition: str) -> None:
    assert inserted(definition) == ""


def test_commands_of_running_text_keep_their_meaning() -> None:
    style = r"\renewcommand{\emph}[1]{\textbf{#1}}\renewcommand{\cite}[1]{[#1]}\def\D{D}"
    body = BODY.replace(r"\eps", r"\emph{a}\cite{b}")
    assert inserted(style, body) == r"\def\D{D}"


def test_what_a_definition_uses_is_taken_with_it() -> None:
    style = "\\newcommand{\\cat}{\\mathcal}\n\\newcommand{\\D}{\\cat{D}}\n\\newcommand{\\Db}[1]{\\D^b(#1)}"
    assert inserted(style, BODY.replace(r"$\D$ ", "")) == style


def test_names_with_at_are_taken_where_the_style_says_what_they_are() -> None:
    style = (
        "\\def\\D{\\@ifstar\\@stars\\@plain}\n\\def\\@stars#1{#1^*}\n"
        "\\newcommand{\\@plain}[1]{\\@bar{#1}}\n\\let\\@bar\\bar"
    )
    assert inserted(style) == style
    assert inserted(style.replace("\\let\\@bar\\bar", "")) == ""
    assert inserted("\\def\\D{\\@a}\n\\def\\@a{\\@b}\n\\def\\@b{\\@a}") == ""


@pytest.mark.parametrize(
    ("load", "name"),
    [
        *((r"\usepackage{amsmath,notation}", "notation.sty"), (r"\RequirePackage{notation}", "notation.sty")),
        *(
            (r"\documentclass[12pt]{notation}", "notation.cls"),
            (r"\documentstyle[12pt,notation]{article}", "notation.sty"),
        ),
        *((r"\usepackage{styles/notation}", "styles/notation.sty"), (r"\LoadClass{notation}", "notation.cls")),
    ],
)
def test_ways_to_load_a_style(load: str, name: str) -> None:
    assert inserted(r"\def\D{D}", load + r"\begin{document}\D", name) == r"\def\D{D}"


def test_styles_that_load_styles() -> None:
    support = {
        "notation.sty": r"\RequirePackage{more}\input{defs.def}\def\eps{e}",
        "more.sty": r"\RequirePackage{notation}\def\D{D}",
        "defs.def": r"\def\Db#1{(#1)}",
    }
    flattened = flatten("main.tex", {"main.tex": BODY}, 10_000, support)
    assert flattened.text.count(r"\def") == 3
    assert flattened.styles == support.keys()


def test_a_style_may_use_macros_of_another() -> None:
    support = {
        "one.sty": r"\def\cat{\mathcal}\def\lone{L}",
        "two.sty": r"\def\D{\cat D\more}",
        "three.sty": r"\def\more{M}",
    }
    main = r"\usepackage{one,two}\usepackage{three}\begin{document}\D"
    text = flat({"main.tex": main}, support)
    assert [line for line in text.splitlines() if line.startswith(r"\def")] == [
        r"\def\cat{\mathcal}",
        r"\def\D{\cat D\more}",
        r"\def\more{M}",
    ]
    assert flat({"main.tex": main + r"\usepackage{two}"}, support).count(r"\def\D") == 1


def test_styles_that_load_each_other_end() -> None:
    many = {f"s{number}.sty": rf"\RequirePackage{{s{number + 1}}}\def\D{{{number}}}" for number in range(5_000)}
    assert r"\def\D{3}" in flatten("main.tex", {"main.tex": r"\usepackage{s0}\D"}, 1 << 20, many).text


def test_files_of_definitions_that_are_read() -> None:
    main = "\\input{notation.sty}\n\\input{defs.def}\\input epsf\n\\input{words}\n$\\D$ \\eps \\epsfbox{a}"
    support = {
        "notation.sty": r"\def\D{D}\def\unused{U}",
        "defs.def": r"\def\eps{e}",
        "epsf.sty": r"\def\epsfbox#1{#1}",
    }
    texts = {"main.tex": main, "words.tex": "Words.", "epsf.tex": r"\def\epsfbox#1{\special{#1}}\message{hi}"}
    assert flat(texts, support).split("\n") == [
        r"\def\D{D}",
        "",
        r"\def\eps{e}",
        "",
        "Words.",
        r"$\D$ \eps \epsfbox{a}",
    ]


def test_macros_of_a_style_that_read_files() -> None:
    texts = {"main.tex": r"\usepackage{own}\chap{one}", "ch/one.tex": "ONE"}
    assert flat(texts, {"own.sty": r"\newcommand{\chap}[1]{\input{ch/#1}}"}).endswith("ONE")


@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    r"\input{a}",
                    r"\input a ",
                    r"\import{b/}{",
                    r"\def\x{\input{a}}",
                    r"\x",
                    r"\newcommand{\y}[1]{\input{#1}}",
                ),
                *(
                    r"\y{a}",
                    r"\IfFileExists{a}{",
                    "}{",
                    "}",
                    "%",
                    "\n",
                    r"\endinput",
                    r"\usepackage{s}",
                    r"\let\z\input",
                    r"\z{a}",
                ),
                *(r"\begin{verbatim}", r"\verb|", "|", "{", "\\", r"\lstinputlisting{a}", "word"),
            ]
        )
    )
)
def test_any_mixture(tokens: list[str]) -> None:
    texts = {"main.tex": "".join(tokens), "a.tex": "A" + "".join(reversed(tokens)), "b/a.tex": "B"}
    flattened = flatten("main.tex", texts, 1 << 20, {"s.sty": r"\def\q{Q}" + "".join(tokens)})
    assert flattened.read <= texts.keys()
    if not {r"\endinput"} & set(tokens):
        assert flattened.text.count("word") >= tokens.count("word")


@pytest.mark.parametrize(
    "piece", [r"\input{", r"\input a", r"\begin{verbatim}", r"\def\x{", r"\y{", r"\IfFileExists{a}{", r"\import{", "%"]
)
def test_long_hostile_texts_end(piece: str) -> None:
    flatten("main.tex", {"main.tex": r"\newcommand{\y}[1]{\input{#1}}" + piece * 30_000}, 1 << 24)
