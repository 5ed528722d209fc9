import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.latex_macros import expand_macros


def expand(text: str) -> str:
    return expand_macros(text).text


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
        (r"\newcommand{\a}[1]{#1}{\a}", r"{\a}"),
        (r"\newcommand{\a}{", r"\newcommand{\a}{"),
        (r"\newcommand", r"\newcommand"),
        (r"\newcommand{\a}{#1}\a", r"\newcommand{\a}{#1}\a"),
        (r"\def\a#2{}\a", r"\a"),
        (r"\newcommand{\a}[1]{[#1]}\a{x", r"\a{x"),
        ("\\newcommand{\\a}[1]{[#1]}\\a\n\nx", "\\a\n\nx"),
        # Redefined sectioning is layout: the definition goes, the command stays.
        (r"\renewcommand{\section}{\@startsection{section}}\section{One}", r"\section{One}"),
    ],
)
def test_expansion(text: str, expanded: str | None) -> None:
    if expanded is None:
        expanded = r"\operatorname{tr}A\operatorname*{arg\,min}"
    assert expand(text) == expanded


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        # A body without braces.
        (r"\newcommand\arrow\to$a\arrow b$", r"$a\to b$"),
        (r"\renewcommand\phi\varphi$\phi$ $\phi x$", r"$\varphi$ $\varphi x$"),
        (r"\newcommand{\half}2\half", "2"),
        # etoolbox, xargs: optional arguments anywhere.
        (r"\newrobustcmd{\R}{\mathbb{R}}\R", r"\mathbb{R}"),
        (r"\newcommandx{\f}[3][1=x,3={y,z}]{<#1|#2|#3>}\f{a}\f[b]{c}[d]", "<x|a|y,z><b|c|d>"),
        (r"\newcommandx*\f[2][2=\pi,usedefault]{#1#2}\f{a} \f{a}[b]", r"a\pi ab"),
        # xparse.
        (r"\NewDocumentCommand{\vect}{m}{\mathbf{#1}}\vect{x}\vect y", r"\mathbf{x}\mathbf{y}"),
        (r"\DeclareDocumentCommand\Q{}{\mathbb{Q}}$\Q$", r"$\mathbb{Q}$"),
        (r"\ProvideDocumentCommand\Q{}{1}\ProvideDocumentCommand\Q{}{2}\RenewDocumentCommand\P{}{3}\Q\P", "13"),
        (r"\NewDocumentCommand{\pd}{O{f} m}{\partial_{#2} #1}\pd{t}, \pd[g]{t}", r"\partial_{t} f, \partial_{t} g"),
        (r"\NewDocumentCommand\foo{s m}{\IfBooleanTF{#1}{A}{B}#2}\foo*{z}\foo{z}", "AzBz"),
        (r"\NewDocumentCommand\foo{s +m}{\IfBooleanT{#1}{A}\IfBooleanF{#1}{B}#2}\foo*{z}\foo{z}", "AzBz"),
        (r"\NewDocumentCommand\n{m o}{#1\IfNoValueTF{#2}{}{_{#2}}}\n{x}\n{x}[2]", "xx_{2}"),
        (r"\NewDocumentCommand\n{m o}{#1\IfValueT{#2}{_{#2}}}\n{x}\n{x}[2]", "xx_{2}"),
        (r"\NewDocumentCommand\x{D(){q} t+ m}{#1\IfBooleanT{#2}{P}#3}\x(a)+{b}\x{b}", "aPbqb"),
        (r"\NewDocumentCommand\x{r<> g}{#1\IfValueT{#2}{:#2}}\x<a>{b}\x<a>c", "a:bac"),
        (r"\NewDocumentCommand\x{e{^_}}{[#1/#2]}\x_{a}^b", "[b/a]"),
        (r"\NewDocumentCommand\x{>{\TrimSpaces}m !o}{#1}\x{a}", "a"),
        (r"\NewExpandableDocumentCommand\x{m}{<#1>}\x a", "<a>"),
        # mathtools.
        (r"\DeclarePairedDelimiter{\abs}{\lvert}{\rvert}\abs{y}", r"\lvert y\rvert"),
        (r"\DeclarePairedDelimiter\abs||\abs*{\frac12}\abs[\big]{x}", r"\left|\frac12\right|\bigl|x\bigr|"),
        (
            r"\DeclarePairedDelimiterX\set[2]\{\}{#1\delimsize\vert #2}\set{a}{b}\set[\Big]{a}{b}",
            r"\{a\vert b\}\Bigl\{a\Big\vert b\Bigr\}",
        ),
        (r"\DeclarePairedDelimiterXPP\P[1]{\mathbb{P}}(){}{#1}\P{A}", r"\mathbb{P}(A)"),
        # Delimited parameters.
        (r"\def\a(#1){<#1>}\a(x)\a({)})", "<x><)>"),
        (r"\def\a(#1,#2)#3{#1;#2;#3}\a(x,{y,z})w", "x;y,z;w"),
        (r"\def\f#1.{[#1]}\f abc.d", "[abc]d"),
        (r"\def\f#1\end{[#1]}\f ab\c\end d", r"[ab\c]d"),
        # \let to a character; @namedef.
        (r"\let\a=b\let\h=\hat\a\h x", r"b\hat x"),
        (r"\@namedef{q}{Q}\q", "Q"),
        # LaTeX's own tests of what follows, and of text.
        (r"\def\a{\@ifstar{\b}{\c}}\def\b#1{B#1}\def\c#1{C#1}\a*{x}\a{y}", "BxCy"),
        (r"\def\a{\@ifnextchar[{\b}{\b[d]}}\def\b[#1]#2{#1#2}\a{x}\a[y]{z}", "dxyz"),
        (r"\def\x#1{\csname a#1\endcsname}\def\ab{AB}\x{b}\x{c} d", r"AB\ac d"),
        (r"\def\a{\@ifnextchar\bgroup{\b}{\@ifnextchar\c{C}{D}}}\def\b#1{B#1}\a{x}\a\c\a\d", r"BxC\c D\d"),
        (r"\newcommand{\p}[1]{\mathchoice{1#1}{2#1}{3#1}{4#1}}\p x", "{2x}"),
        (r"\newcommand{\z}[2][]{\ifthenelse{\equal{#1}{}}{no #2}{#1 #2}}\z{q}, \z[p]{q}", "no q, p q"),
        (r"\newcommand{\z}[1]{\ifstrempty{#1}{0}{<#1>}}\z{}\z{a}", "0<a>"),
        # Only math mode is made sure of.
        (r"\def\kms{\ifmmode {\rm km}\else ${\rm km}$\fi}10 \kms", r"10 \ensuremath{{\rm km}}"),
        # Fonts of letters are layout, fonts of symbols are not.
        (r"\font\big=cmr10 scaled \magstep1 \font\bbb=msbm10 {\big A} {\bbb R}", r"{A} {\bbb R}"),
        ("\\font\\x=cmbx10 at 12pt\n{\\x A}", "{A}"),
        # New environments.
        (r"\newenvironment{q}{\begin{equation}}{\end{equation}}\begin{q}x\end{q}", r"\begin{equation}x\end{equation}"),
        (r"\newenvironment{p}[1][P]{#1: }{.}\begin{p}a\end{p} \begin{p}[Q]b\end{p}", "P: a. Q: b."),
        (r"\newenvironment{p}{\begin{p}}{\end{p}}\begin{p}x\end{p}", r"\begin{p}x\end{p}"),
        # A line end behind the end of an environment stays.
        (
            "\\def\\be{\\begin{equation}}\\def\\ee{\\end{equation}}\\be\nx\n\\ee\nThe",
            "\\begin{equation}x\n\\end{equation}\nThe",
        ),
    ],
)
def test_every_way_to_define(text: str, expanded: str) -> None:
    assert expand_macros(text)[::2] == (expanded, frozenset({"bbb"} if "bbb" in text else ()))


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        (r"\def\x#1{\expandafter\y\csname a#1\endcsname}\x{b}", r"\x{b}"),
        (r"\def\x#1{\csname a#1\endcsname}\x{1}\x{\y}", r"\csname a1\endcsname\csname a\y\endcsname"),
        (r"\def\x#1{\ifnum#1>0 a\else b\fi}\x{1}", r"\x{1}"),
        (r"\def\x{\@tempa}\def\y{\futurelet\z\w}\x\y", r"\@tempa\y"),
        (r"\NewDocumentCommand\x{v}{#1}\x|a|", r"\x|a|"),
        (r"\let\x={\x", r"\x"),
        ("\\def\\f#1.{[#1]}\\f abc\n\nd.", "\\f abc\n\nd."),
        (r"\newcommand{\x}[1]{\ifthenelse{\equal{#1}{\y}}{a}{b}}\x{1}", r"\ifthenelse{\equal{1}{\y}}{a}{b}"),
    ],
)
def test_what_tex_would_have_to_compute_stays(text: str, expanded: str) -> None:
    assert expand(text) == expanded


def test_uses_that_stay_are_named() -> None:
    assert expand_macros(r"\newcommand{\a}[1]{A}\newcommand{\b}{B}{\a} \b").left == {"a"}
    assert expand_macros(r"\def\a{\a}\a").left == {"a"}
    assert expand_macros(r"\def\x{\catcode1=1}\x").left == {"x"}
    assert expand_macros(r"\def\x{X}\x").left == frozenset()


def test_an_open_bracket_is_no_optional_argument() -> None:
    definition = r"\newcommand{\I}[1][x]{<#1>}"
    assert expand(definition + r"the interval \I[0,1) holds.") == "the interval <x>[0,1) holds."
    assert expand(definition + "\\I[0,1) holds.\n\nBut \\I[0,1] too.") == "<x>[0,1) holds.\n\nBut <0,1> too."
    assert expand(definition + r"{\I[0,1)} ]") == "{<x>[0,1)} ]"
    assert expand(definition + r"\I[{]}]") == "<{]}>"
    assert expand(definition + r"\I[" + "x" * 6_000 + "]") == "<x>[" + "x" * 6_000 + "]"


def test_verbatim_passages_are_whole_arguments() -> None:
    assert expand("\\def\\p#1{<#1>}\\p\0" + "12\0 x") == "<\0" + "12\0> x"


def test_removed_definitions_are_counted() -> None:
    assert expand_macros("a\n\\def\\x{X}  \nb\\x").definitions == len("\\def\\x{X}  \n")


def test_a_removed_definition_leaves_no_empty_line() -> None:
    assert expand("one\n  \\def\\a{A}  \n\\newcommand{\\b}{B}\ntwo \\a\\b.\n") == "one\n  two AB.\n"


def test_loops_stay_as_written() -> None:
    assert expand(r"\def\a{x\a}1\a2\a") == r"1\a2\a"
    assert expand(r"\def\a{\b}\def\b{y\a}\def\c{C}\a\c") == r"\a C"
    assert expand(r"\newcommand{\vec}[1]{\vec{#1}}\vec{x} \vec{y}") == r"\vec{x} \vec{y}"


def test_explosions_stay_as_written() -> None:
    doubling = "".join(
        rf"\def\{a}{{\{b}\{b}}}"
        for a, b in zip("abcdefghijklmnopqrstuvwxyzABCDEF", "bcdefghijklmnopqrstuvwxyzABCDEFG", strict=True)
    )
    assert expand(doubling + r"\def\good{ok}\a\good\F") == r"\a ok\G\G"
    assert expand(r"\def\a#1{\a{#1#1}}\def\good{ok}\a{x}\good") == r"\a{x}ok"


def test_expansions_within_expansions_are_limited() -> None:
    text = r"\newcommand{\i}[1]{<#1>}" + r"\i{" * 60 + "x" + "}" * 60
    assert expand(text) == "<" * 60 + "x" + ">" * 60
    text = r"\newcommand{\i}[1]{<#1>}" + r"\i{" * 70 + "x" + "}" * 70
    assert expand(text) == text.removeprefix(r"\newcommand{\i}[1]{<#1>}")


@given(st.lists(st.sampled_from([*"ab{}[]#12*= \n\\", r"\a", r"\b", r"\def", r"\newcommand", r"\let", r"\xspace"])))
def test_nothing_raises_or_hangs(tokens: list[str]) -> None:
    text = r"\def\a#1{\b#1}\newcommand{\b}[2][x]{#1\a#2}" + "".join(tokens)
    assert expand(text) == expand(text)


@given(st.text(st.sampled_from("ab\\{}[]\n #1%é")))
def test_text_without_definitions_is_untouched(text: str) -> None:
    assert expand(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        *(r"\a[", r"\a{", r"\b{", r"\a", r"\b ", r"\c x", r"\d*[", r"\e", r"\f{x}", r"\g[", "{", "[", "]", "}"),
        *(r"\def\x{", r"\def\x#1.{#1}\x", r"\newcommand{\x}[1]", r"\newcommandx{\x}[1][1=", r"\NewDocumentCommand\x{"),
        *(r"\DeclarePairedDelimiterX{\x}[1]{", r"\let\x", r"\font\x=", r"\long\def", r"\@ifnextchar", r"\xspace"),
    ],
)
def test_long_hostile_texts_end(piece: str) -> None:
    definitions = (
        r"\newcommand{\a}[1][x]{#1}\newcommand{\b}[1]{#1}\def\c#1.{#1}\NewDocumentCommand{\d}{s O{x} m d()}{#1#2#3#4}"
        r"\def\e{\e\e}\def\f#1{\f{#1#1}}\DeclarePairedDelimiter\g()"
    )
    expand(definitions + piece * 10_000)
