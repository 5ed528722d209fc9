"""Removes what Project Gutenberg puts around a book: header, small print, credits, licence."""

import re
from itertools import islice
from typing import ClassVar

import pyarrow as pa

from corpus.rules import Cleaned, Cleaner

_HEADER_LINES = 600
"""The header ends within so many lines. The longest small print, of 1993 to 2003, takes about 260."""

_FOOTER_LINES = 1000
"""A line that ends the book has at most so many lines behind it: the licence takes about 370, the donation appeal and
small print of 2002 to 2005 about 320."""

_MARK_GAP_LINES = 10
"""A weaker mark this close above the one that ends the book belongs to the footer too."""

_EDGE_PARAGRAPHS = 10
"""Credits stand within so many paragraphs of the marks."""

_CREDIT_LINES = 20
"""A longer paragraph is no credit."""


class Gutenberg(Cleaner):
    """The text between the marks, or the whole text where it has none or nothing would be left; never a reason.

    The header ends at the last "*** START OF THE PROJECT GUTENBERG EBOOK ..." or "*END*THE SMALL PRINT! ..." within
    its first lines; the footer begins at the last "*** END OF THE PROJECT GUTENBERG ..." or "End of Project
    Gutenberg's ..." that is near enough to the end. Then paragraphs that credit those who made the file, or speak of
    Project Gutenberg, go from both ends, and the notice that World Library put between the plays of its Shakespeare
    goes everywhere. A mark within a book (a collection has several) is not taken for the end.
    """

    version: ClassVar[int] = 1
    keeps: ClassVar[float] = 0.98  # measured on a few MB of real files

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        texts = [book_text(text) for text in batch["text"].to_pylist()]
        return Cleaned(pa.array(texts, pa.large_string()), pa.nulls(len(texts), pa.string()))


_SMALL_PRINT = r"^[ \t]*\*END[ \t]*\*?[ \t]*THE[ ]SMALL[ ]PRINT[^\n]*$"
_SMALL_PRINT_END = re.compile(_SMALL_PRINT, re.MULTILINE | re.IGNORECASE)
_START = re.compile(
    rf"""
    ^[ \t]*\*{{3}}[ \t]*START[ ]OF[ ](?:(?:THE|THIS)[ ])?(?:COPYRIGHTED[ ])?PROJECT[ ]GUTENBERG
        (?:[^\n]*\*{{3}} | (?:[^\n]+\n){{1,4}}[^\n]*\*{{3}} )?[^\n]*$   # the title may take several lines
    | {_SMALL_PRINT}
    """,
    re.MULTILINE | re.VERBOSE | re.IGNORECASE,
)
_ENDS = tuple(
    re.compile(rf"^[ \t]*{mark}", re.MULTILINE | re.IGNORECASE)
    for mark in (
        r"\*{3}[ \t]*END OF (?:(?:THE|THIS) )?(?:COPYRIGHTED )?PROJECT GUTENBERG",
        r"\**[ \t]*(?:End of (?:(?:the|this) )?|Fin d[eu] |Ende (?:dieses|des) |Einde van (?:het )?)"
        r"Proje[ck]t Gutenberg",
        r"\*{3}[ \t]*START[ \t]*\*{2}[ \t]*THE SMALL PRINT",
    )
)
"""Strongest first."""

# With its capitals: a title page has "PRODUCED BY".
_CREDIT = re.compile(
    r"""
    \W*(?:
        (?:Produced|Transcribed|Transcription|Scanned|Digiti[sz]ed|Typed|Proof(?:ed|read))
            (?:[ ]and[ ][\w-]+)?[ ](?:by|from)\b
        | (?:This[ ])?(?:[Ee]-?(?:text|book)|[Ff]ile|[Ee]dition|HTML[ ]version)[ ](?:was[ ])?\w+[ ](?:by|from)\b
        | Credits?[ ]for[ ][Ee]-?text
    )
    """,
    re.VERBOSE,
)
_MAKERS = re.compile(
    r"Project\s+Gutenberg|gutenberg\.(?:org|net)|ibiblio\.org|pgdp\.net|Distributed\s+Proofread|\betexts?\b|"
    r"\b(?:scanned|proof-?read|reproofed|typed|editing)\b[^\n]{0,40}\bby\b",
    re.IGNORECASE,
)
_WORLD_LIBRARY = re.compile(r"<<THIS ELECTRONIC VERSION OF[^<>]{0,2000}>>[ \t]*\n?", re.IGNORECASE)
_PARAGRAPH = re.compile(r"(?:[ \t]*\S[^\n]*\n?)+")


def book_text(text: str) -> str:
    """The book without what was put around it, or `text` itself. Lines end in "\\n"."""
    end = _footer(text)
    start = _header(text, end)
    body = _WORLD_LIBRARY.sub("", text[start:end])
    if start:
        body = _without_credits(body, list(islice(_PARAGRAPH.finditer(body), _EDGE_PARAGRAPHS)))
    if end < len(text):
        tail = _last_lines(body, _EDGE_PARAGRAPHS * _CREDIT_LINES)
        body = _without_credits(body, list(_PARAGRAPH.finditer(body, tail))[-_EDGE_PARAGRAPHS:])
    if len(body) == len(text) or not body.strip():
        return text
    return body.strip("\n") + "\n"


def _footer(text: str) -> int:
    """Where the footer begins, or the end of the text."""
    within = _last_lines(text, _FOOTER_LINES)
    for strength, mark in enumerate(_ENDS):
        found = [match.start() for match in mark.finditer(text, within) if not _before_book(text, match)]
        if found:
            last, above = found[-1], _last_lines(text, _MARK_GAP_LINES, found[-1])
            weaker = (match.start() for other in _ENDS[strength:] for match in other.finditer(text, above, last))
            return min(weaker, default=last)
    return len(text)


def _before_book(text: str, mark: re.Match[str]) -> bool:
    """Whether the mark begins small print of the header: then its end has text behind it."""
    small_print_end = _SMALL_PRINT_END.search(text, mark.end())
    return small_print_end is not None and bool(text[small_print_end.end() :].strip())


def _header(text: str, end: int) -> int:
    """Where the header ends, or 0."""
    position = 0
    for _ in range(_HEADER_LINES):
        position = text.find("\n", position) + 1
        if not position:
            position = len(text)
            break
    return max((mark.end() for mark in _START.finditer(text, 0, min(position, end))), default=0)


def _last_lines(text: str, count: int, end: int | None = None) -> int:
    """Where the last `count` lines before `end` begin."""
    position = len(text) if end is None else end
    for _ in range(count):
        position = text.rfind("\n", 0, position)
        if position < 0:
            return 0
    return position + 1


def _without_credits(body: str, paragraphs: list[re.Match[str]]) -> str:
    for paragraph in reversed(paragraphs):
        text = paragraph[0]
        if text.count("\n") <= _CREDIT_LINES and (_CREDIT.match(text) or _MAKERS.search(text)):
            body = body[: paragraph.start()] + body[paragraph.end() :]
    return body
