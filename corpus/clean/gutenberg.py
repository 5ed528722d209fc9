"""Removes what Project Gutenberg puts around a book: header, small print, credits, licence."""

import re
from bisect import bisect_left
from collections.abc import Iterable
from itertools import chain, islice
from typing import ClassVar, NamedTuple

import pyarrow as pa

from corpus.clean.gutenberg_credits import is_aside, is_bare_credit, is_credit
from corpus.rules import Cleaned, Cleaner

_HEADER_LINES = 600
"""The header ends within so many lines. The longest small print, of 1993 to 2003, takes about 260."""

_FOOTER_LINES = 1000
"""A line that ends the book has at most so many lines behind it: the licence takes about 370, the donation appeal and
small print of 2002 to 2005 about 320."""

_AFTER_END_LINES = 12
"""Lines with text that may stand between the end of a book and the next sign of a footer: the end mark itself in a
second language, what the file should be called, a last credit."""

_EDGE_PARAGRAPHS = 10
"""Credits stand within so many paragraphs of the marks."""

_EDGE_LINES = 400


class Gutenberg(Cleaner):
    """The text between the marks, or the whole text where it has none or nothing would be left; never a reason.

    The header ends at the last "*** START OF THE PROJECT GUTENBERG EBOOK ..." or "*END*THE SMALL PRINT! ..." within
    its first lines; without one, behind Project Gutenberg's title line and the fields and sentences of its headers.
    The footer begins at the first line near the end behind which there is nothing but footer: "*** END OF THE PROJECT
    GUTENBERG ...", "End of Project Gutenberg's ..." in any of the languages that its files have, or the licence itself.
    A mark within a book (a collection has several) is not taken for the end.

    Then, near the marks, what credits the makers of the file or speaks of it goes, by its whole wording
    (`corpus.clean.gutenberg_credits`), and the notice that World Library put between the plays of its Shakespeare goes
    everywhere. Notes of transcribers about the text stay.

    Characters removed are stored: `header`, `credits`, `notices` (World Library's), `footer`, and their `share` of the
    text in steps of 0.0001.
    """

    version: ClassVar[int] = 2
    keeps: ClassVar[float] = 0.98  # measured on a few MB of real files

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        books = [strip_book(text) for text in batch["text"].to_pylist()]
        counts = {name: pa.array([getattr(book, name) for book in books], pa.int64()) for name in _COUNTS}
        counts["share"] = pa.array([book.share for book in books], pa.float64())
        return Cleaned(
            pa.array([book.text for book in books], pa.large_string()),
            pa.nulls(len(books), pa.string()),
            counts=pa.RecordBatch.from_pydict(counts),
        )


class Book(NamedTuple):
    """A book without what was put around it, and the characters removed of each kind."""

    text: str
    header: int = 0
    credits: int = 0
    notices: int = 0
    footer: int = 0

    @property
    def share(self) -> float:
        """Of the characters there were, how many were removed, blank lines at the edges aside."""
        removed = sum(self[1:])
        return round(removed / max(1, removed + len(self.text)), 4)


_COUNTS = Book._fields[1:]

_GUTENBERG = r"Pro(?:j|y|g|sj)[a-z]{2,7}[ ]{1,3}Gutenberg"
"""Project, Projekt, Projet, Proyecto, Progetto, Projecto, Projeto, Projektet, Prosjekt ..."""

_SMALL_PRINT = r"^[ \t]{0,80}\*END[ \t]{0,4}\*?[ \t]{0,4}THE[ ]SMALL[ ]PRINT[^\n]*$"
_START = re.compile(
    rf"""
    ^[ \t]{{0,80}}(?:
        \*{{2,}}[ \t]{{0,4}}START[ ]OF[ ](?:(?:THE|THIS)[ ])?(?:COPYRIGHTED[ ])?{_GUTENBERG}
            (?:[^\n]*\*{{3}} | (?:[^\n]+\n){{1,4}}[^\n]*\*{{3}} )?[^\n]*   # the title may take several lines
        | \*{{0,9}}[ \t]{{0,4}}(?:Beginning|Start)[ ]of[ ](?:(?:the|this)[ ])?(?:COPYRIGHTED[ ])?{_GUTENBERG}[^\n]*
    )$
    | {_SMALL_PRINT}
    """,
    re.MULTILINE | re.VERBOSE | re.IGNORECASE,
)
_END_WORDS = (
    r"End|Ende|Fin|Fine|Fim|Fi|Fino|Finis|Einde|Eind|Slut|Slutt|Slutning|Loppu|Koniec|Konec|Kraj|Vége|Sfârșit\w*|"
    r"Sfarsit\w*|Τέλος|Конец|Кінець|Wakas|Diwedd|Críoch"
)
_ENDS = tuple(
    re.compile(rf"^[ \t*]{{0,80}}{mark}", re.MULTILINE | re.IGNORECASE)
    for mark in (
        rf"(?<=\*)[ \t]{{0,4}}END OF (?:(?:THE|THIS) )?(?:COPYRIGHTED )?{_GUTENBERG}",
        rf"(?:{_END_WORDS})\b(?:[ ]{{1,3}}[^\W\d_]{{1,8}}['’]?){{0,3}}[ ]{{0,3}}{_GUTENBERG}",
        rf"(?:A |La |Le )?{_GUTENBERG}\w*[^\n]{{0,100}}\b(?:loppu|vége|končí|päättyy)\W*$",
        rf"The {_GUTENBERG} E-?(?:text|book) of [^\n]{{0,200}}[^.!?\s][ \t]{{0,9}}$",
        r"(?:End|Ende|Fin) (?:of|dieses|des|de) (?:(?:this|the|cet) )?"
        r"(?:is COPYRIGHTED|E-?(?:text|book)\w{0,2}\b)",
        r"Ce document fut pr[ée]sent[ée] en lecture",
    )
)
"""Lines that end a book."""

_LICENCE = re.compile(
    r"""^(?:[^\w\n]|_){0,80}(?:
        START:?[ ](?:OF[ ])?(?:THE[ ])?FULL[ ]LICENSE
        | THE[ ]FULL[ ]PROJECT[ ]GUTENBERG(?:-tm|™)?[ ]LICENSE
        | START[ \t]{0,4}\*{0,3}[ \t]{0,4}THE[ ]SMALL[ ]PRINT
        | Updated[ ]editions[ ]will[ ]replace[ ]the[ ]previous[ ]one
        | Creating[ ]the[ ]works[ ]from[ ](?:public[ ]domain|print)
        | This[ ]file[ ]should[ ]be[ ]named[ ]\S+\.(?:txt|zip)
        | This[ ]and[ ]all[ ]associated[ ]files[ ]of[ ]various[ ]formats
        | Corrected[ ]EDITIONS[ ]of[ ]our
        | Information[ ]about[ ]Project[ ]Gutenberg[ ]\(one[ ]page\)
        | More[ ]information[ ]about[ ]this[ ]book[ ]is[ ]at[ ]the[ ]top[ ]of[ ]this[ ]file
        | This[ ]is[ ]a[ ]COPYRIGHTED[ ]Project[ ]Gutenberg[ ]E-?(?:text|book),?[ ]Details[ ]Above
        | We[ ]need[ ]your[ ]donations[ ]more[ ]than[ ]ever
    )""",
    re.MULTILINE | re.VERBOSE | re.IGNORECASE,
)
"""Lines that begin the licence, the small print or the appeal behind a book."""

_TITLE_LINE = re.compile(
    rf"[\W_]*(?:(?:The|This\s+is\s+the|Das|Le|El|O|De)\s+)?(?:COPYRIGHTED\s+)?{_GUTENBERG}"
    r"(?:(?:-tm|\(TM\)|™)?\s+(?:E-?text|E-?book|edition)\b|['’]s\s)",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"[\[*_ \t]*(?:Title|Subtitle|Alternate Title|Author|Authors|Editor|Translator|Illustrator|Contributor|Compiler|"
    r"Commentator|Release Date|Posting Date|First Posted|Last Updated|Most Recently Updated|Date last updated|"
    r"Original Publication|Language|Cha[rt]acter set encoding|Credits|Edition|Other information and formats):[ \t]*\S"
    r"|\[(?:Most recently updated|Date last updated|Last updated|This file was (?:first|last)|Yes, we are)|"
    r"[^\w\n]{0,80}(?:\w{1,12},? ?\d{0,2},? \d{4} {1,9})?\[E-?(?:text|book) ?#? ?\d+\]",
    re.IGNORECASE,
)
_HEADER_SENTENCE = re.compile(
    r"""
    This\s+e-?(?:book|text)\s+is\s+for\s+the\s+use\s+of\s+anyone | almost\s+no\s+restrictions\s+whatsoever
    | under\s+the\s+terms\s+of\s+the\s+Project\s+Gutenberg | laws\s+of\s+the\s+country\s+where\s+you\s+are\s+located
    | Copyright\s+laws\s+are\s+changing\s+all\s+over | look\s+at\s+the\s+important\s+information\s+in\s+this\s+header
    | Please\s+(?:do\s+not|don't)\s+(?:remove\s+this|change\s+or\s+edit\s+the\s+header)
    | This\s+header\s+should\s+be\s+the\s+first\s+thing\s+seen
    | Please\s+read\s+the\s+"legal\s+small\s+print | encourage\s+you\s+to\s+keep\s+this\s+file
    | Plain\s+Vanilla\s+Electronic\s+Texts | Readable\s+By\s+Both\s+Humans\s+and\s+By\s+Computers
    | (?:Were\s+)?Prepared\s+By\s+(?:Hundreds|Thousands)\s+of\s+Volunteers
    | (?:Information\s+on\s+)?contacting\s+Project\s+Gutenberg\s+to\s+get
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Sentences that headers have and books do not."""

_WORLD_LIBRARY = re.compile(r"<<THIS ELECTRONIC VERSION OF[^<>]{0,2000}>>[ \t]*\n?", re.IGNORECASE)
_PARAGRAPH = re.compile(r"(?:^[ \t]*\S[^\n]*\n?)+", re.MULTILINE)


def strip_book(text: str) -> Book:
    """The book without what was put around it, or `text` itself. Lines end in "\\n"."""
    end = _footer(text)
    start = _header(text, end)
    body = text[start:end]
    without_notices = _WORLD_LIBRARY.sub("", body)
    notices = len(body) - len(without_notices)
    body = without_notices
    if start:
        body = _without_credits(body, islice(_PARAGRAPH.finditer(body), _EDGE_PARAGRAPHS))
    if end < len(text):
        tail = _last_lines(body, _EDGE_LINES)
        body = _without_credits(body, reversed(list(_PARAGRAPH.finditer(body, tail))[-_EDGE_PARAGRAPHS:]))
    if len(body) == len(text) or not body.strip():
        return Book(text)
    credits = len(without_notices) - len(body)
    return Book(body.strip("\n") + "\n", start, credits, notices, len(text) - end)


def _footer(text: str) -> int:
    """Where the footer begins, or the end of the text: the first mark behind which there is nothing but footer."""
    within = _last_lines(text, _FOOTER_LINES)
    # Small print of the header, and the marks of a book that another one follows, have text behind them.
    headers = [mark.end() for mark in _START.finditer(text, within)]
    within = max((header for header in headers if _has_book(text, header)), default=within)
    ends, *other_ends = ([match.start() for match in mark.finditer(text, within)] for mark in _ENDS)
    certain = sorted([*ends, *(match.start() for match in _LICENCE.finditer(text, within))])
    for mark in sorted([*certain, *chain.from_iterable(other_ends)]):
        following = bisect_left(certain, mark)
        if _is_short(text, mark, certain[following] if following < len(certain) else len(text)):
            return mark
    return len(text)


def _has_book(text: str, start: int) -> bool:
    """Whether there is more than a mark of an end behind a place."""
    paragraph = _PARAGRAPH.search(text, start)
    return paragraph is not None and not any(mark.match(paragraph[0]) for mark in _ENDS)


def _is_short(text: str, start: int, stop: int) -> bool:
    """Whether there are at most `_AFTER_END_LINES` lines with text between two places."""
    lines = 0
    while start < stop:
        end = text.find("\n", start, stop)
        end = stop if end < 0 else end
        lines += not text[start:end].isspace() and end > start
        if lines > _AFTER_END_LINES:
            return False
        start = end + 1
    return True


def _header(text: str, end: int) -> int:
    """Where the header ends, or 0."""
    limit = min(_line_end(text, _HEADER_LINES), end)
    marks = max((mark.end() for mark in _START.finditer(text, 0, limit)), default=0)
    return marks or _unmarked_header(text[:limit])


def _unmarked_header(beginning: str) -> int:
    """Where a header without a mark ends, or 0: a title line of Project Gutenberg, and fields or sentences of headers,
    with nothing else between them."""
    paragraphs = titles = end = 0
    for paragraph in _PARAGRAPH.finditer(beginning):
        is_title = _TITLE_LINE.match(paragraph[0]) is not None
        if not (is_title or _FIELD.match(paragraph[0]) or _HEADER_SENTENCE.search(paragraph[0])):
            break
        titles += is_title
        paragraphs += 1
        end = paragraph.end()
    return end if titles and paragraphs > 1 else 0


def _without_credits(body: str, paragraphs: Iterable[re.Match[str]]) -> str:
    """`paragraphs` are those at one edge, the outermost first."""
    removed: list[tuple[int, int]] = []
    beside_mark = True
    for paragraph in paragraphs:
        if is_credit(paragraph[0]) or (beside_mark and is_bare_credit(paragraph[0])) or _is_end_mark(paragraph[0]):
            removed.append(paragraph.span())
        elif not is_aside(paragraph[0]):
            beside_mark = False
    for start, stop in sorted(removed, reverse=True):
        body = body[:start] + body[stop:]
    return body


def _is_end_mark(paragraph: str) -> bool:
    return paragraph.strip("\n").count("\n") < 2 and any(mark.match(paragraph) for mark in _ENDS)


def _line_end(text: str, count: int) -> int:
    """Where the first `count` lines end."""
    position = 0
    for _ in range(count):
        position = text.find("\n", position) + 1
        if not position:
            return len(text)
    return position


def _last_lines(text: str, count: int) -> int:
    """Where the last `count` lines begin."""
    position = len(text)
    for _ in range(count):
        position = text.rfind("\n", 0, position)
        if position < 0:
            return 0
    return position + 1
