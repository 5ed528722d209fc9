"""HTML to text: each mark by hand, and made-up pages against the text that they were made of."""

import html
import random
import re
import string
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from corpus.text.html_blocks import MAX_NESTING, html_text, html_texts


def check(source: str, expected: str) -> None:
    assert html_text(source) == dedent(expected).strip("\n")


def test_paragraphs_headings_and_line_breaks() -> None:
    check(
        "<h2>A  title</h2><p>One\n two.</p>\n<p>Three<br>four<br /><br>five</p><hr><div>six</div><div>seven</div>eight",
        """
        A title

        One two.

        Three
        four

        five

        six
        seven
        eight
        """,
    )


def test_lists_nested_numbered_and_loose() -> None:
    check(
        "<p>So:</p><ul><li>one<ul><li>a</li><li>b<ol><li>x</li></ol></li></ul></li><li>two</li></ul>"
        "<ol start='3'><li><p>three</p><p>more of it</p></li><li value=9>nine<li>ten</ol><p>end</p>",
        """
        So:

        - one
          - a
          - b
            1. x
        - two

        3. three

           more of it

        9. nine
        10. ten

        end
        """,
    )


@pytest.mark.parametrize(
    ("start", "mark"),
    [("3", 3), (" 3", 3), ("-2", -2), ("+4", 4), ("0", 0), ("x", 1), ("", 1), ("9" * 30, 999_999_999), ("7up", 7)],
)
def test_a_list_begins_where_it_says(start: str, mark: int) -> None:
    assert html_text(f'<ol class="a > b" start="{start}"><li>x<li>y</ol>').split("\n")[0] == f"{mark}. x"


@pytest.mark.parametrize(
    "tag", ["<ol START=5>", "<ol type='a' start = '5'>", "<ol start=5/>", "<ol data-start=9 start=5>"]
)
def test_attributes_are_read_however_they_are_written(tag: str) -> None:
    assert html_text(f"{tag}<li>x</ol>") == "5. x"


PYTHON = "def f(x):\n    if x:\n\n        return 1\n\treturn 2  # a & b"


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "<p>Run</p>{}",
        "<ol><li><p>Run</p>\n\n{}</li></ol>",
        "<ol><li>{}</li></ol>",
        "<ul><li>Run<ul><li>and{}then</li></ul></li></ul>",
        "<dl><dt>Run<dd>{}</dl>",
        "<table><tr><td>Run</td><td>{}</td></tr></table>",
        "<ul><li>Run{}",
    ],
)
def test_code_stays_as_it_is_wherever_it_stands(around: str) -> None:
    """The list's indentation put in front of the first line alone would make Python invalid."""
    text = html_text(around.format(f"<pre><code>{html.escape(PYTHON)}\n</code></pre>"))
    assert f"\n{PYTHON}\n" in f"\n{text}\n"


def test_code_in_a_quote_has_the_mark_on_each_line() -> None:
    check(
        "<blockquote><p>He ran</p><pre>a:\n    b\n\n\n    c</pre><p>twice.</p></blockquote><p>So.</p>",
        """
        > He ran
        >
        > a:
        >     b
        >
        >
        >     c
        >
        > twice.

        So.
        """,
    )


def test_an_item_that_begins_with_code() -> None:
    check(
        "<ol><li><pre>  x\n    y</pre>then<li>z</ol>",
        "1.\n  x\n    y\n\n   then\n2. z",
    )


def test_blank_lines_around_code_go_and_those_inside_stay() -> None:
    assert html_text("a<pre>\n\n \n  b\n\n\n\n  c  \n \n</pre>d") == "a\n\n  b\n\n\n\n  c\n\nd"
    assert html_text("a<pre> \n </pre>b") == "a\n\nb"
    assert html_text("<pre>\r\n  a\r\n  b\r\n</pre>") == "  a\n  b"
    assert html_text("<pre>  a") == "  a"


def test_blocks_inside_code_are_lines_of_it() -> None:
    assert html_text("<pre><div>a\n</div><div>  b</div><ol><li>c</li></ol></pre>d") == "a\n  b\nc\n\nd"
    assert html_text("<pre>a<br>  b<p>c</pre>d") == "a\n  b\nc\n\nd"
    assert html_text("<ul><li><pre>a\n  b</li><li>c</ul>") == "-\na\n  b\n\n- c"


def test_quotes_and_lists_in_each_other() -> None:
    check(
        "<blockquote><p>Said:</p><ul><li>a<blockquote><p>b</p><p>c</p></blockquote></li><li>d</li></ul></blockquote>"
        "<blockquote>e</blockquote>",
        """
        > Said:
        >
        > - a
        >
        >   > b
        >   >
        >   > c
        >
        > - d

        > e
        """,
    )


def test_tables() -> None:
    check(
        "<table><thead><tr><th></th><th>A</th><th>B</th></tr></thead>\n<tbody><tr>\n<td><p>x</p></td>\n<td> 1 </td>"
        "<td>2<br>3</td></tr><tr><td></td></tr><tr><td>y<td><td>4</table>after<table><tr><td>alone</table>",
        """
        | A | B
        x | 1 | 2
        3
        y | | 4

        after

        alone
        """,
    )


def test_a_table_in_a_cell() -> None:
    check(
        "<table><tr><td>a</td><td><table><tr><td>b</td><td>c</td></tr><tr><td>d</td></tr></table></td><td>e</td></tr>"
        "<tr><td>f</td></tr></table>",
        """
        a
        b | c
        d | e
        f
        """,
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("10<sup>5</sup>", "10^5"),
        ("10<sup>-5</sup>", "10^-5"),
        ("10<sup> 5 </sup>m", "10^5 m"),
        ("2<sup>n+1</sup>", "2^(n+1)"),
        ("2<sup>(n+1)</sup>", "2^(n+1)"),
        ("2<sup>2<sup>n</sup></sup>", "2^(2^n)"),
        ("e<sup>−x²</sup>", "e^−x²"),
        ("x<sub>i</sub><sup>2</sup>", "x_i^2"),
        ("H<sub>2</sub>O Fe<sub>2</sub>(SO<sub>4</sub>)<sub>3</sub>", "H2O Fe2(SO4)3"),
        ("log<sub>2</sub> C<sub>=</sub>P v<sub>max</sub> a<sub>i, j</sub>", "log_2 C_=P v_max a_(i, j)"),
        ("Ca<sup>2+</sup> Na<sup>+</sup> x<sup>+2</sup> x<sup>2+y</sup>", "Ca^2+ Na^+ x^+2 x^(2+y)"),
        (
            "1<sup>er</sup> XIX<sup>e</sup> 2<sup>ème</sup> N<sup>o</sup> x<sup>a</sup> x<sup>er</sup>",
            "1er XIXe 2ème No x^a x^er",
        ),
        ("<i>a</i><sub><i>n</i></sub>", "a_n"),
        ("1<sup>st</sup> 22<SUP>ND</SUP> n<sup>th</sup> x<sup>st</sup>", "1st 22ND nth x^st"),
        ("so<sup>[1]</sup>, M<sup>®</sup>, z<sup>*</sup>, 5<sup>′</sup>", "so[1], M®, z*, 5′"),
        ("a word<sup>1</sup>.", "a word^1."),
        ("<sup>1 small print</sup> and <sub>more</sub>", "1 small print and more"),
        ("(<sup>1</sup>)", "(1)"),
        ("a<sup></sup>b<sup> </sup>c", "ab c"),
        ("a<sup>b<p>c</sup>d</p>", "ab\n\ncd"),
        ("a<sup>b", "ab"),
        ("a</sup>b", "ab"),
        ("a<sup>b</sub>c", "abc"),
        ("<pre>x = 10<sup>5</sup></pre>", "x = 10^5"),
    ],
)
def test_superscripts_and_subscripts_keep_their_meaning(source: str, text: str) -> None:
    assert html_text(source) == text


def test_quotation_marks_spaces_and_what_shows_nothing() -> None:
    assert html_text("He said <q>yes</q>.") == 'He said "yes".'
    assert html_text("a&nbsp;b \u00a0 c<p>&nbsp;</p><p>d\u00a0</p>") == "a\u00a0b \u00a0c\n\nd"
    assert html_text("a\x00b\x01c\x0c d\x0be&#1;f") == "abc d ef"
    assert html_text("<p>a</p> <img src=x alt='not text'> <script>if (a<b) x()</script><style>p{}</style>b") == "a\n\nb"
    assert (
        html_text("<title>t</title><svg><text>s</text></svg><textarea><b></textarea>x<select><option>o</select>") == "x"
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a < b and c <- d <3 </3 x", "a < b and c <- d <3 </3 x"),
        ("a<!-- x > y -->b<!-->c<!--->d<!-- e", "abcd e"),
        ("<!DOCTYPE html><?php x ?>a</>b<![CDATA[c]]>d", "abd"),
        ("<a title='x > y' b=\">\" c = '>'>link</a>", "link"),
        ("<a title='x > y>link</a>", "y>link"),
        ("a <img alt='x", "a <img alt='x"),
        ("<b", "<b"),
        ("<", "<"),
        ("</", "</"),
        ("&lt;b&gt; &amp;lt; &#60;i>", "<b> &lt; <i>"),
        ("a<script>never closed", "anever closed"),
        ("a<style>x</script>y", "axy"),
        ("<script>x</script >y</script>z", "yz"),
        ("<P>a</P><Pre>b\n c</PRE>", "a\n\nb\n c"),
        ("<unknown-element>a<o:p>b</o:p></unknown-element>", "ab"),
        ("</p></ul></li></table></td></blockquote></pre>a", "a"),
        ("<td>a</td><td>b</td><li>c", "a\nb\n- c"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_odd_markup_loses_no_text(source: str, text: str) -> None:
    assert html_text(source) == text


def test_deep_nesting_gives_the_text_without_marks() -> None:
    text = html_text("<ul><li>" * 40 + "deep" + "</li></ul>" * 40 + "<p>after</p>")
    assert text.count("-") == MAX_NESTING // 2
    assert text.endswith("deep\n\nafter")
    assert html_text("<blockquote>" * 40 + "deep<br>x" + "</blockquote>" * 40).count("> ") == 2 * MAX_NESTING


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a ",
        '<a ="',
        "<a b='\"",
        "<!--",
        "<script>",
        "<svg></script>",
        "&",
        "&#",
        "<sup>a",
        "<ul><li>",
        "<td>",
        "<tr><td>",
        "<table>",
        "<blockquote>",
        "<br>x",
        "<pre>",
        "<pre><div>",
        "\u00a0",
        "&nbsp;",
        "<blockquote><pre>\n",
    ],
)
def test_work_is_linear(piece: str) -> None:
    """200 kB of what might make a parser look again and again: quadratic work would take minutes, not the limit of a
    test. The text does not explode either."""
    source = piece * (200_000 // len(piece)) + ">\"'"
    assert len(html_text(source)) <= 40 * len(source)


def test_many_are_each_by_itself() -> None:
    sources = ["<ul><li>a", "b", "", "<pre> c", "x" * 5000, "<blockquote>d</blockquote>", "10<sup>2", "</sup>"]
    assert html_texts(sources) == [html_text(source) for source in sources]
    assert html_texts([]) == []


def test_lone_surrogates_are_replaced() -> None:
    assert set(html_text("a\ud800b")) == {"a", "\ufffd", "b"}


NAMES = ["p", "div", "ul", "ol", "li", "blockquote", "pre", "table", "tr", "td", "b", "sup", "br", "q", "script", "svg"]
TOKENS = st.one_of(
    st.sampled_from([f"<{name}>" for name in NAMES] + [f"</{name}>" for name in NAMES]),
    st.sampled_from(["<ol start=-7 a='>'>", "<!-- c -->", "<!--", '<a b="', ">", "&amp;", "&nbsp;", "\n", "  ", "<"]),
    st.text(string.ascii_letters + "é中\U0001f600\x00\u00a0<&'\"", max_size=5),
)


@given(st.lists(TOKENS, max_size=40).map("".join))
@settings(max_examples=400, deadline=None)
def test_anything_gives_text(source: str) -> None:
    text = html_text(source)
    assert text == text.rstrip()
    assert not re.search(r"[ ]\n\n\n|\x00", text)


def page(words: random.Random, depth: int = 0) -> str:
    """Well-formed HTML of many kinds of blocks; its words are all different."""
    out = []
    for _ in range(words.randint(1, 4)):
        kind = words.choice(["p", "text", "ul", "ol", "blockquote", "table", "pre", "h3", "div", "inline"])
        text = " ".join(f"w{words.randrange(10**9)}" for _ in range(words.randint(1, 6)))
        if kind in ("ul", "ol") and depth < 4:
            out.append(f"<{kind}>" + "".join(f"<li>{page(words, depth + 1)}</li>" for _ in range(3)) + f"</{kind}>")
        elif kind in ("blockquote", "div") and depth < 4:
            out.append(f"<{kind}>{page(words, depth + 1)}</{kind}>")
        elif kind == "table" and depth < 4:
            out.append(
                f"<table><tr><td>{page(words, depth + 1)}</td><td>{text}</td></tr><tr><td>{text}</td></tr></table>"
            )
        elif kind == "pre":
            out.append(f"<pre><code>{text}\n    {text}\n</code></pre>")
        elif kind == "inline":
            out.append(f"<p>{text} <b>{text}</b> <a href='#'>{text}</a> {text}<sup>x</sup></p>")
        else:
            out.append(f"<p>{text}</p>" if kind != "h3" else f"<h3>{text}</h3>")
    return "\n".join(out)


@given(st.integers(0, 10**9))
@settings(max_examples=100, deadline=None)
def test_all_words_come_out_in_their_order(seed: int) -> None:
    """As lxml's tree has them."""
    source = page(random.Random(seed))
    expected = re.findall(r"w\d+", lxml_html.fromstring(f"<div>{source}</div>").text_content())
    assert re.findall(r"w\d+", html_text(source)) == expected
