"""Pages as blocks, beside what the HTML standard says and what lxml's tree gives."""

import re
import time

import lxml.html
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.web import tags
from corpus.text.web.parse import (
    CHARS,
    DEPTH,
    END,
    FLAGS,
    HIDDEN,
    LINKED,
    MAX_DEPTH,
    NODE,
    PARENT,
    PRE,
    START,
    TAG,
    Page,
    parse,
)


def texts(html: str) -> list[str]:
    page = parse(html.encode())
    return [page.block_text(block) for block in range(len(page.blocks))]


def element(page: Page, block: int) -> str:
    return tags.NAMES[page.nodes[page.blocks[block, NODE], TAG]]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>one<p>two", ["one", "two"]),
        ("<div>a<b>b</b> c<i> d</i></div>e", ["ab c d", "e"]),
        ("a <br> b<br/><br>c", ["a\nb", "c"]),
        ("<p>a\n  b\t c&nbsp;&nbsp;d", ["a b c d"]),
        ("<ul><li>a<li>b<ul><li>c</ul>d</ul>e", ["a", "b", "c", "d", "e"]),
        ("<table><tr><td>a<td>b<tr><th>c</table>d", ["a", "b", "c", "d"]),
        ("<dl><dt>a<dd>b<dt>c</dl>", ["a", "b", "c"]),
        ("<h1>a</h2>b", ["a", "b"]),
        ("<pre>\n  a\n\tb\n</pre>c", ["  a\n\tb\n", "c"]),
        ("<script>var a = '<p>no</p>';</script><p>yes", ["yes"]),
        ("<style>p{}</style><p>yes</p><noscript><p>no</p></noscript>", ["yes"]),
        ("<title>T</title><p>a<textarea><p>no</textarea>b", ["ab"]),
        ("<!-- <p>no --><p>a<!--> b", ["a b"]),
        ("<p>a<!-- never closed b", ["a"]),
        ("a < b and 3<4 &lt;p&gt; &amp;amp; &copy &notit; &#8212;&#x1F600;", ["a < b and 3<4 <p> &amp; © ¬it; —😀"]),
        ("<p title='>'>a<a href=x title=\">\">b</a>", ["ab"]),
        ("10<sup>5</sup>, the 1<sup>st</sup> x<sup>2</sup>", ["10^5, the 1st x^2"]),
        ("<P>A<Br>B</P>", ["A\nB"]),
        ("", []),
        ("<p> <p>&nbsp;", []),
    ],
)
def test_blocks(html: str, expected: list[str]) -> None:
    assert texts(html) == expected


def test_an_end_tag_does_not_reach_out_of_its_cell() -> None:
    page = parse(b"<div><table><tr><td></div>a</td><td>b</td></tr></table></div>")
    assert [element(page, block) for block in (0, 1)] == ["td", "td"]


def test_an_unclosed_nav_does_not_take_the_page_with_it() -> None:
    page = parse(b"<body><div><nav>menu</div><div><p>text</div>")
    parents = page.nodes[:, PARENT]
    at = int(page.blocks[1, NODE])
    seen = set()
    while at >= 0:
        seen.add(tags.NAMES[page.nodes[at, TAG]])
        at = int(parents[at])
    assert "nav" not in seen


def test_what_is_told_of_a_block() -> None:
    html = (
        '<div class="post body" id=x style="display: none"><p>to <a href=y>link</a>ed</p><pre>code</pre></div><p>seen'
    )
    page = parse(html.encode())
    assert page.blocks[0, CHARS] == len("tolinked")  # without the spaces
    assert page.blocks[0, LINKED] == len("link")
    assert [bool(flags & PRE) for flags in page.blocks[:, FLAGS]] == [False, True, False]
    assert page.nodes[page.blocks[:, NODE], HIDDEN].tolist() == [1, 1, 0]


def test_elements_stand_no_deeper_than_in_a_browser() -> None:
    page = parse(b"<div>" * 3000 + b"<p>a" + b"</div>" * 3000 + b"<p>b")
    assert page.nodes[:, DEPTH].max() <= MAX_DEPTH + 1
    assert texts("<div>" * 3000 + "<p>a" + "</div>" * 3000 + "<p>b") == ["a", "b"]


MARKUP = (
    "<p> </p> <div> </div> <ul> <li> </ul> <table> <tr> <td> </table> <b> </b> <pre> </pre> <br> <a@href=x> </a> "
    "<h2> </h2> <nav> </nav> <script> </script> <!-- --> < & &amp; &#x41; &lt; <p/ <div@class='a </ <svg> </svg> "
    "<title> <xmp>"
)
PIECES = st.sampled_from([piece.replace("@", " ") for piece in MARKUP.split()]) | st.text(max_size=6)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_markup_gives_blocks_that_hold_together(html: str) -> None:
    page = parse(html.encode("utf-8", "replace"))
    assert (page.nodes[1:, PARENT] < np.arange(1, len(page.nodes))).all()
    assert (page.nodes[1:, PARENT] >= 0).all()
    assert (page.blocks[:, END] > page.blocks[:, START]).all()
    assert (page.blocks[1:, START] >= page.blocks[:-1, END]).all()
    assert (page.blocks[:, NODE] < len(page.nodes)).all()
    assert (page.blocks[:, LINKED] <= page.blocks[:, CHARS]).all()
    for block in range(len(page.blocks)):
        page.text[page.blocks[block, START] : page.blocks[block, END]].tobytes().decode()  # whole characters


@given(st.binary(max_size=200))
def test_any_bytes_give_text(data: bytes) -> None:
    page = parse(b"<p>" + data)
    page.text.tobytes().decode()


WORDS = st.text(alphabet="abcé", min_size=1, max_size=5)
ELEMENTS = ["div", "p", "ul", "li", "b", "span", "section", "blockquote"]
NESTED = st.recursive(
    WORDS, lambda inside: st.tuples(st.sampled_from(ELEMENTS), st.lists(inside, max_size=4)), max_leaves=20
)


def markup(tree: object) -> str:
    if isinstance(tree, str):
        return tree + " "
    assert isinstance(tree, tuple)
    name, inside = tree
    return f"<{name}>{''.join(map(markup, inside))}</{name}>"


@given(st.lists(NESTED, min_size=1, max_size=5))
def test_words_are_those_of_a_tree(trees: list[object]) -> None:
    html = "".join(map(markup, trees))
    expected = re.findall(r"\w+", lxml.html.document_fromstring(f"<html><body>{html}</body></html>").text_content())
    assert re.findall(r"\w+", " ".join(texts(html))) == expected


OFTEN = [
    "<div>",
    "<p>",
    "<b>",
    "<li>",
    "<table>",
    "<!--",
    "<",
    "</",
    "&",
    "&#",
    "<a href='",
    "<pre>",
    "<script>",
    "<br>",
]


@pytest.mark.parametrize("piece", OFTEN)
def test_work_is_linear(piece: str) -> None:
    """Four times the bytes may not take sixteen times as long: what is quadratic takes minutes here."""
    parse(b"<p>x")
    begun = time.process_time()
    parse(piece.encode() * ((4 << 20) // len(piece)))
    assert time.process_time() - begun < 20
