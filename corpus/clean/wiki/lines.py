"""From the text of a page without nested markup to plain lines, and the choice of its sections."""

import html
import re
from collections.abc import Sequence
from typing import NamedTuple

from corpus.clean.wiki.repair import GONE, HOLE, repaired
from corpus.text.mediawiki import EndTitles

_QUOTES = re.compile(r"'{2,}")
_MARK_QUOTES = {2: 2, 3: 3, 4: 3}  # run -> quotes of it that are a mark; of longer runs 5
_DOUBLE_UNDERSCORE = re.compile(r"__([^\W\d_]+(?:_[^\W\d_]+)*)__")
_SWITCHES = frozenset(
    {
        *("NOTOC", "FORCETOC", "TOC", "NOEDITSECTION", "NEWSECTIONLINK", "NONEWSECTIONLINK", "NOGALLERY"),
        *("HIDDENCAT", "EXPECTUNUSEDCATEGORY", "EXPECTUNUSEDTEMPLATE", "NOCONTENTCONVERT", "NOCC"),
        *("NOTITLECONVERT", "NOTC", "START", "END", "INDEX", "NOINDEX", "STATICREDIRECT", "NOGLOBAL", "DISAMBIG"),
        *("NOTALK", "ARCHIVEDTALK", "INHALTSVERZEICHNIS", "SOMMAIRE", "TDC", "NOTDC", "INDICE", "SPIS", "INHOUD"),
        *("KAZALO", "OBSAH"),
    }
)
"""https://www.mediawiki.org/wiki/Help:Magic_words#Behavior_switches, and names of the table of contents."""
_LOCAL_SWITCH = re.compile(
    r"(?:KEIN|AUCUN|SIN|NO|FORCER|FORZAR|FORÇAR|SEM|BEZ|GEEN|INGEN|FĂRĂ|CUPRINS|SENSE|BRAK|INNEHÅLL|INDHOLD|NINCS|TARTALOM"
    r"|LIMITE|EDITEER|PAKOTETTU|VYNUTIT|UTEN|ALLTID|ZONDER|FORCED|AUSGEBLENDETE|ABSCHNITTE)[^\W\d]*"
)
_VARIANT = re.compile(r"-\{(?:[A-Za-z-]*\|)?([^{}]*)\}-")
_EMPTY_BRACKETS = re.compile(r"\((?<![^ ]\()[ ,;:/–-]+\)")  # f( ) stays
_ADDRESS = r"(?:(?:https?|ftps?|irc|news|gopher|git|svn)://|mailto:)"
_BARE_ADDRESS = re.compile(rf"\b{_ADDRESS}[^\s<>\[\]{{}}|\"]+(?<![.,;:!?)'])", re.IGNORECASE)
_ODD_SPACES = tuple(chr(code) for code in range(0x3001) if chr(code).isspace() and chr(code) not in " \n")
_WORD = re.compile(r"\w")
_HEADING = re.compile(r"(={1,6})(.+?)\1")
_LIST = re.compile(r"[*#:;]+[ \t]*|-{4,}[ \t]*")
_LONG = 60
"""Characters from which on a line that is no list item counts as prose."""


class Line(NamedTuple):
    """A plain line.

    Attributes:
        level: of the heading that it is, or 0.
        item: it is an item of a list.
    """

    level: int
    text: str
    item: bool = False


def plain_lines(text: str) -> tuple[list[Line], int]:
    """The lines, and how many sentences were dropped for a value that is not on the page."""
    if "__" in text:
        text = _DOUBLE_UNDERSCORE.sub(lambda found: "" if _is_switch(found[1]) else found[0], text)
    if "-{" in text:
        text = _VARIANT.sub(lambda variant: _first_variant(variant[1]), text)
    odd_spaces = any(space in text for space in _ODD_SPACES)
    has_empty_brackets = _EMPTY_BRACKETS.search(text) is not None
    lines: list[Line] = []
    dropped = 0
    for line in text.split("\n"):
        if not line or (line[0] == GONE and not line.strip(_AFTER_HEADING)):
            lines.append(_BLANK)
            continue
        level, item, code = 0, False, False
        first = line[0]
        if first == "=" and (heading := _HEADING.fullmatch(line.rstrip(_AFTER_HEADING))):
            level, line = len(heading[1]), heading[2].replace(HOLE, GONE)
        elif first in "*#:;-":
            if marks := _LIST.match(line):
                item, line = True, line[marks.end() :]
        elif first == " " and not line.isspace():
            code, line = True, line[1:]
        if "''" in line:
            line = _without_quotes(line)
        if "://" in line or "mailto:" in line:
            line = _BARE_ADDRESS.sub(GONE, line)
        spaced = odd_spaces
        if "&" in line:
            line, spaced = html.unescape(line), True
        indent = len(line) - len(line.lstrip(" ")) if code else 0
        line = " ".join(line.split()) if spaced or "  " in line else line.strip(" ")
        if GONE in line or HOLE in line:
            line, some = repaired(line)
            dropped += some
        if has_empty_brackets and "(" in line:
            line = " ".join(_EMPTY_BRACKETS.sub("", line).split())
        if line and (line[0].isalnum() or _WORD.search(line)):
            lines.append(Line(level, " " * indent + line if indent else line, item))
        else:
            lines.append(_BLANK)
    return lines, dropped


_BLANK = Line(0, "")
_AFTER_HEADING = f" \t{GONE}{HOLE}"


def _is_switch(word: str) -> bool:
    return word in _SWITCHES or (word.isupper() and (not word.isascii() or _LOCAL_SWITCH.fullmatch(word) is not None))


def sections(lines: Sequence[Line], titles: EndTitles) -> str:
    """Joins the lines, without end sections, headings with nothing below them, and second blank lines."""
    kept: list[str] = []
    headings: list[tuple[int, str]] = []  # those above the current line that are not written yet
    skipped = 0  # level of the end section the current line is in
    ends = _end_sections(lines, titles)
    for number, (level, line, _) in enumerate(lines):
        if level:
            if skipped and level > skipped:
                continue
            headings = [heading for heading in headings if heading[0] < level]
            skipped = level if number in ends else 0
            if not skipped:
                headings.append((level, line.strip()))
        elif skipped:
            continue
        elif line:
            for _, heading in headings:
                kept += ["", heading] if kept and kept[-1] else [heading]
            headings = []
            kept.append(line)
        elif kept and kept[-1]:
            kept.append("")
    return "\n".join(kept).strip("\n")


def _end_sections(lines: Sequence[Line], titles: EndTitles) -> set[int]:
    """The headings of sections that hold references, notes and lists of links.

    A title that is never a topic (`References`) makes one at the level of the page's chapters, and below it where the
    section is no prose. One that can be a topic (`Literature`, `Sources`) makes one only at the end of the page, with
    nothing behind it but other end sections: among the chapters whatever it holds, below them where it is no prose.
    """
    headings = [(number, line) for number, line in enumerate(lines) if line.level]
    if not headings:
        return set()
    top = min(2, min(line.level for _, line in headings))
    chapter = max(2, top)
    ends: set[int] = set()
    at_end = True  # nothing but end sections follows
    for place in range(len(headings) - 1, -1, -1):
        number, (level, text, _) = headings[place]
        title = _title(text)
        sure, possible = title in titles.sure, title in titles.possible
        body = lines[number + 1 : headings[place + 1][0] if place + 1 < len(headings) else len(lines)]
        if (sure and (level <= chapter or not _is_prose(body))) or (
            possible and at_end and (level <= chapter or not _is_prose(body))
        ):
            ends.add(number)
        elif any(line.text for line in body):
            at_end = False
    return ends


def _title(heading: str) -> str:
    return heading.lower().strip().rstrip(":").replace("ş", "ș").replace("ţ", "ț")


def _is_prose(body: Sequence[Line]) -> bool:
    """More long lines that are no items than there are items."""
    items = sum(line.item for line in body)
    return sum(len(line.text) >= _LONG and not line.item for line in body) > items


def _without_quotes(line: str) -> str:
    """Runs of 2, 3 and 5 quotes are italic, bold and both; what is over is text (as in MediaWiki's Parser::doQuotes).

    Where neither italic nor bold would be closed, one bold mark is an apostrophe before italic: l'''Iliade''.
    """
    runs = list(_QUOTES.finditer(line))
    lengths = [_MARK_QUOTES.get(len(run[0]), 5) for run in runs]
    elided = None
    if sum(n != 3 for n in lengths) % 2 and sum(n != 2 for n in lengths) % 2:
        bold = [run.end() - 3 for run, n in zip(runs, lengths, strict=True) if n == 3]
        letter = [start for start in bold if line[start - 1 : start] != " " and line[max(0, start - 2)] == " "]
        word = [start for start in bold if line[start - 1 : start] != " "]
        elided = next(iter(letter or word or bold), None)
    pieces: list[str] = []
    position = 0
    for run, length in zip(runs, lengths, strict=True):
        literal = run.end() - length
        pieces += [line[position:literal], "'" if literal == elided else ""]
        position = run.end()
    return "".join([*pieces, line[position:]])


def _first_variant(content: str) -> str:
    """Of -{sr-ec: ...; sr-el: ...}- the first; of -{...}- the whole."""
    first = re.match(r"\s*[a-z]{2}(?:-[a-z]+)?\s*:([^;]*)", content)
    return first[1].strip() if first else content
