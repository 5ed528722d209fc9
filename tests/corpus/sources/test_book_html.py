"""Pages of books in HTML."""

import time

import pytest

from corpus.sources.book_html import html_book


@pytest.mark.parametrize(
    "mark",
    [
        '<span class="pagenum">[Pg 2]</span>',
        '<span class="pagenum"><a name="Page_2" id="Page_2">[Pg 2]</a></span>',
        "<span class='pagenum'><a id='Page_2'></a>[2]</span>",
        '<span class="x-pagenum pagenum" id="p2">2</span>',
        '<a class="pageno" id="p2">2</a>',
        '<span role="doc-pagebreak" id="p2">2</span>',
        '<small class="pgnum"><i>p. 2</i></small>',
    ],
)
def test_numbers_of_pages_go(mark: str) -> None:
    pages = html_book([f"<p>the har{mark}bour and the {mark}boats</p>".encode()])
    assert (pages.text, pages.page_numbers) == ("the harbour and the boats\n", 2)


@pytest.mark.parametrize(
    "markup",
    [
        '<span class="note">[2]</span>',
        '<p class="pagenum">On the second page of the manuscript there is a long remark in another hand.</p>',
        '<span class="pagenumbering-of-chapters">2</span>',
    ],
)
def test_other_text_stays(markup: str) -> None:
    assert html_book([markup.encode()]).page_numbers == 0


def test_what_a_page_says_of_itself() -> None:
    pages = html_book(["<html lang='de-AT'><meta charset=utf-8><title>Bär &amp; Co</title><p>Bär".encode("latin-1")])
    assert (pages.title, pages.language, pages.text, pages.encoding) == ("Bär & Co", "de", "Bär\n", "cp1252")
    assert html_book([b"<p>x"])[2:] == ("utf-8", 0, None, None)
    polish = "<?xml version='1.0' encoding='iso-8859-2'?><p>Zażółć gęślą jaźń, ciężko było".encode("iso8859-2")
    assert html_book([polish]).text == "Zażółć gęślą jaźń, ciężko było\n"


@pytest.mark.parametrize(
    "piece",
    [
        '<span class="pagenum">',
        "<a",
        "<a ",
        "<a/",
        ' class="pagenum',
        "<span class='",
        '<span class="pagenum"><a>',
        "<title>",
    ],
)
def test_time_is_linear(piece: str) -> None:
    html_book([b"<p>x"])
    page = b"<span " + piece.encode() * (400_000 // len(piece))
    start = time.process_time()
    html_book([page])
    assert time.process_time() - start < 10
