"""Kept blocks as plain text and as Markdown."""

import pytest

from corpus.text.web.parse import parse
from corpus.text.web.render import render


def both(html: str) -> tuple[str, str]:
    """(plain, Markdown)"""
    page = parse(html.encode())
    kept = list(range(len(page.blocks)))
    return render(page, kept), render(page, kept, markdown=True)


@pytest.mark.parametrize(
    ("html", "plain", "markdown"),
    [
        ("<h2>Title</h2><p>One<br>two<p>three", "Title\n\nOne\ntwo\n\nthree", "## Title\n\nOne\ntwo\n\nthree"),
        ("<div>a</div><div>b</div>", "a\nb", "a\nb"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", "- a\n- b\n\n  - c", "- a\n- b\n\n  - c"),
        # An item whose first words stand in a list inside it.
        ("<ol><li><ol><li>a</ol>b<li>c</ol>", "  1. a\n\n   b\n2. c", "  1. a\n\n   b\n2. c"),
        ("<ol><li>a<li><p>b</p><p>more</p></ol>", "1. a\n\n2. b\n\n   more", "1. a\n\n2. b\n\n   more"),
        (
            "<table><tr><th>a<th>b</tr><tr><td>1<td>2</table>",
            "a | b\n1 | 2",
            "| a | b |\n| --- | --- |\n| 1 | 2 |",
        ),
        ("<pre>\nif x:\n    y\n</pre>", "if x:\n    y", "```\nif x:\n    y\n```"),
        ("<pre>```\nx</pre>", "```\nx", "````\n```\nx\n````"),
        ("<blockquote><p>a</p><p>b</p></blockquote>c", "a\n\nb\n\nc", "> a\n>\n> b\n\nc"),
    ],
)
def test_what_a_page_says_by_its_layout(html: str, plain: str, markdown: str) -> None:
    assert both(html) == (plain, markdown)


def test_only_kept_blocks_are_written_and_items_keep_their_numbers() -> None:
    page = parse(b"<p>menu</p><ol><li>a<li>b</ol><p>end</p>")
    assert render(page, [1, 2]) == "1. a\n2. b"


def test_a_table_that_a_page_is_laid_out_with_is_no_table_of_data() -> None:
    long = "word " * 60
    plain, markdown = both(f"<table><tr><td><p>{long}</p><p>{long}</p></td><td>side</td></tr></table>")
    assert "|" not in plain
    assert "|" not in markdown
