"""What a response holds that is no page."""

import random

import pytest

from corpus.sources.web_page import NoPage, Page, read_page

TEXT = "<p>A page of some words, which is long enough to be a paragraph of a text that a reader would read.</p>" * 3


def message(body: bytes, *fields: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: text/html", *fields, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"\x1f\x9d\x90" + random.Random(0).randbytes(3000), "application/x-compress"),
        (random.Random(0).randbytes(3000), "packed as compress"),
        (b"wOFF" + b"\xe9\xfa" * 500, "font/woff"),
    ],
)
def test_packed_bodies_and_fonts_are_no_pages(body: bytes, detail: str) -> None:
    assert read_page(message(body, "Content-Encoding: compress"), "", 1 << 20) == NoPage("binary", detail)


def test_an_encoding_that_was_undone_already_does_no_harm() -> None:
    found = read_page(message(TEXT.encode(), "Content-Encoding: compress"), "", 1 << 20)
    assert isinstance(found, Page)
    assert found.text.startswith("A page of some words")
