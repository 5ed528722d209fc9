"""Books in HTML: the text of their pages, without the page numbers of the printed book."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from corpus.sources.book_encoding import Decoded, decode_book
from corpus.text.html_blocks import html_texts

_HEAD_BYTES = 4096
"""Where the encoding is stated. The standard says 1,024, and browsers look further."""

_CHARSET = re.compile(
    rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([^"'>]+) | <meta\s[^>]*?charset\s*=\s*["']?\s*([^\s"'/>;]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_LANGUAGE = re.compile(rb"""<html\b[^>]*?\s(?:xml:)?lang\s*=\s*["']?([a-z]{2})\b""", re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^<>]*>([^<]*)</title", re.IGNORECASE)
_CLOSED = re.compile(r"<([a-zA-Z][\w:.-]*)(?=[\s/])[^<>]*/>")
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_PAGE_NUMBER = re.compile(
    r"""<(span|a|p|div|small|sup)\s
        [^<>]{0,200}?(?:class=["'][^"'<>]{0,99}\b(?:pagenum|pageno|page-?number|pagebreak|pgnum|newpage)\b
            | (?:epub:type|role)=["'](?:doc-)?pagebreak["'])[^<>]{0,200}>
        (?:[^<>]{0,30}</?(?:a|b|i|em|small)\b[^<>]{0,200}>){0,4}?[^<>]{0,30}</\1>""",
    re.IGNORECASE | re.VERBOSE,
)


class Pages(NamedTuple):
    """The pages of a book.

    Attributes:
        text: with an empty line between pages.
        page_numbers: how many were taken out.
        encoding: of the first page.
        replaced: how many U+FFFD stand for broken bytes.
        title: as the first page's `<title>` has it.
        language: as the first page states it, ISO 639-1.
    """

    text: str
    page_numbers: int
    encoding: str
    replaced: int
    title: str | None
    language: str | None


def html_book(pages: Sequence[bytes], language: str | None = None) -> Pages:
    """The text of the pages of a book, HTML or XHTML, in order. `language` is an ISO 639-1 code, where it is known.

    Numbers of printed pages go where they are marked as such: they stand in the middle of sentences.
    """
    languages = [_language(page) or language for page in pages]
    decoded = [_decoded(page, stated) for page, stated in zip(pages, languages, strict=True)]
    cleared = [_PAGE_NUMBER.subn("", _opened(page.text)) for page in decoded]
    texts = html_texts([markup for markup, _ in cleared])
    return Pages(
        text="\n\n".join(text for text in texts if text) + "\n",
        page_numbers=sum(count for _, count in cleared),
        encoding=decoded[0].encoding if decoded else "utf-8",
        replaced=sum(page.replaced for page in decoded),
        title=_title(decoded[0].text) if decoded else None,
        language=languages[0] if languages else None,
    )


def _title(page: str) -> str | None:
    found = _TITLE.search(page[:_HEAD_BYTES])
    return " ".join(html_texts([found[1]])[0].split()) or None if found else None


def _language(page: bytes) -> str | None:
    found = _LANGUAGE.search(page[:_HEAD_BYTES])
    return found[1].decode("ascii").lower() if found else None


def _decoded(page: bytes, language: str | None) -> Decoded:
    found = _CHARSET.search(page[:_HEAD_BYTES])
    return decode_book(page, (found[1] or found[2]).decode("latin-1") if found else None, language)


def _opened(markup: str) -> str:
    """Elements that XHTML closes in their own tag are nothing; HTML would leave them open, and drop what follows a
    `<title/>`."""
    if "/>" not in markup:
        return markup
    return _CLOSED.sub(lambda tag: tag[0] if tag[1].lower() in _VOID else "", markup)
