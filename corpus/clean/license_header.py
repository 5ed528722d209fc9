"""Licence and copyright comments at the top of source files."""

import posixpath
import re
from typing import ClassVar, NamedTuple

import pyarrow as pa

from corpus.clean.comment_signs import Signs, preamble_end, signs_of
from corpus.rules import Cleaned, Cleaner

FIRST_LINES = 20
"""A comment has a header when one of so many first lines of it speaks of a licence; a longer preface is a text about
something else. The notice of the GPL has 15 lines."""

_HEAD_CHARS = 100 * FIRST_LINES

_LICENCE = re.compile(
    r"""\bcopyright\b\s*(?:\(c\)|©|&copy;|:|[\[<]?yyyy|[\[<]?\d{4}|by\b|(?-i:[A-Z][a-z]))
    | (?:\(c\)|©)\s*(?:copyright|\d{4})
    | \ball\s+rights\s+reserved\b
    | \blicen[cs]ed\s+(?:[\w-]+\s+){0,6}?under\b
    | \b(?:distributed|released|available|governed)\s+(?:[\w'-]+\s+){0,10}?licen[cs]e
    | \bspdx-license-identifier\b
    | \bpermission\s+is\s+hereby\s+granted\b
    | \bredistribution\s+and\s+use\s+in\s+source\b
    | \bgeneral\s+public\s+licen[cs]e\b
    | \bunder\s+the\s+(?:[\w.-]+\s+){1,4}licen[cs]e\b
    | <copyright\b
    | @licen[cs]e\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""What a comment says when it is a header."""
_GOES_ON = re.compile(
    r"""\bcopyrigh | \blicen[cs] | \bwarrant | \bliab(?:le|ility) | \bas\s+is\b | \bfree\s+software\b
    | \bpublic\s+domain\b | \bredistribut | \bpermi(?:t|ss) | \bconditions?\b | \bnotices?\b | \breserved\b
    | \bapplicable\s+law\b | \bno\s+event\b | \boriginal\s+code\b | \binitial\s+developer\b
    | \bmay\s+not\s+be\b | \b(?:these|those)\s+terms\b
    | \bneither\s+the\s+name | \bfoundation,?\s+inc | \bshould\s+have\s+received\b | \btrademark | \bpatent
    | \A\W*(?:https?://\S+|\S+@\S+)\W*\Z""",
    re.VERBOSE | re.IGNORECASE,
)
"""What a paragraph behind a licence's says when it goes on with it."""
_HOLDER_LINE = re.compile(
    r"""\W*(?:portions\s+)?(?:copyright\b(?!\s+(?:notices?|holders?|owners?|licen[cs]es?|statements?|laws?)\b)|\(c\)|©|spdx-
    |@copyright\b|<copyright\b|</copyright)""",
    re.IGNORECASE | re.VERBOSE,
)
_TAG_LINE = re.compile(r"\W*@licen[cs]e\b", re.IGNORECASE)
_UNFINISHED = re.compile(r"(?:,|&|\band|\d{4})[\s*/]*$", re.IGNORECASE)
_FINISHED = re.compile(
    r"(?:[.!?:;)>]|\blicen[cs]es?|\b(?:MIT|BSD|GPL|LGPL|AGPL|MPL|ISC)|(?<!version )\b(?:v?\d(?:\.\d)?)|\breserved"
    r"|\bdetails|\binformation|/\S+)[\s*/]*$",
    re.IGNORECASE,
)
"""How a line ends that may be the last of a licence."""
_END_OF_LINE = 100  # characters: enough for an address and the end of a box
_BEGINS_ANEW = re.compile(r"(?!\W*(?:rem|REM|[cC])\s*$)\W*(?:[A-Z]|(?<=@)[a-z])")
_OPENER = re.compile(r"[*!=#-]*")  # what belongs to a comment's opening sign: of /** and /*!
_LOWER_CASE = re.compile(r"[^\w]*[a-z]")
_DECORATION = re.compile(
    r"(?:\*/[ \t\r]*)?\n[ \t]*(?:/{2,}|/\*+|\#+|-{2,}|;+|%+|\*+|!+|'+|\"+|::+|rem\b)?", re.IGNORECASE
)  # inside a sentence
_LETTER = re.compile(r"[^\W\d_]")
_QUOTES = ('"""', "'''")
_REST_OF_LINE = re.compile(r"[ \t\r]*(?:\n|\Z)")
_EMPTY_LINES = re.compile(r"(?:[ \t\r]*\n)*+")
_SHORT_COMMENTS = re.compile(r"(?:[ \t]*+/\*(?:(?![*!])(?:(?!\*/)[^\n])*+\*/|\*++/)[ \t\r]*+(?:\n|\Z)){2,}+")
"""Comments of one line each, one below another: they are read as one."""


class LicenseHeader(Cleaner):
    """LLaMA section 2.1, GitHub: "removed boilerplate, such as headers, with regular expressions".

    Of the comments at the very top of a file, removes the paragraphs that speak of copyright or a licence, of those
    comments that do so in their first FIRST_LINES lines; a comment of nothing else goes whole. What else such a comment
    says stays (a module's documentation below its copyright line, a sentence on a new line behind the licence's last
    one, all but the line of a `@license` tag), and so do documentation comments (`//!` and `///` in Rust), strings
    whose first line is documentation, all other comments, and what `comment_signs.preamble_end` passes over:
    interpreter and linter lines, include guards, the opening of PHP and the like. The signs of a comment are those of
    the language (`corpus.clean.comment_signs`), by the name of the file at the end of the document's id.

    Reason: `empty`, nothing but a header.
    """

    version: ClassVar[int] = 3
    keeps: ClassVar[float] = 0.97  # measured on a few MB of real files
    reasons: ClassVar[tuple[str, ...]] = ("empty",)

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        ids, texts = (batch.column(name).to_pylist() for name in ("id", "text"))
        cleaned = [without_header(text, posixpath.basename(id)) for id, text in zip(ids, texts, strict=True)]
        reasons = [None if text.strip() else "empty" for text in cleaned]
        return Cleaned(pa.array(cleaned, pa.large_string()), pa.array(reasons, pa.string()))


class _Comment(NamedTuple):
    """text[start:end] is a comment with its line end; `open` and `close` are its signs, "" for a block of lines."""

    start: int
    end: int
    open: str = ""
    close: str = ""


def without_header(text: str, name: str) -> str:
    """`text` without its header. `name` is that of its file, or an ending with the dot."""
    signs = signs_of(name)
    start = at = preamble_end(text)
    kept: list[str] = []
    while (comment := _comment_at(text, at, signs)) is not None and _has_header(text, comment):
        kept.append(_without_licence(text, comment))
        empty = _EMPTY_LINES.match(text, comment.end)
        at = comment.end if empty is None else empty.end()
        if kept[-1]:
            at = comment.end
    return text if at == start else text[:start] + "".join(kept) + text[at:]


def _comment_at(text: str, at: int, signs: Signs) -> _Comment | None:
    """The comment or string that begins at `at`, if it is whole."""
    if opened := signs.block.match(text, at):
        sign = next(group for group in opened.groups() if group is not None)
        if sign == "/*" and (short := _SHORT_COMMENTS.match(text, at)):
            return _Comment(at, short.end())
        close = signs.closing(sign)
        end = text.find(close, opened.end())
        if end < 0:
            return None
        end += len(close)
        rest = _REST_OF_LINE.match(text, end)
        return _Comment(at, end if rest is None else rest.end(), sign, close)
    if signs.lines is not None and (lines := signs.lines.match(text, at)):
        return _Comment(at, lines.end())
    return None


def _has_header(text: str, comment: _Comment) -> bool:
    content = text[comment.start : min(comment.end, comment.start + _HEAD_CHARS)]
    if comment.close in _QUOTES:  # mostly documentation, with the licence behind
        first = content.partition(comment.open)[2].lstrip().split("\n", 1)[0]
        return _LICENCE.search(first) is not None
    return _speaks_of_licence("\n".join(content.split("\n", FIRST_LINES)[:FIRST_LINES]))


def _speaks_of_licence(lines: str) -> bool:
    return _LICENCE.search(_DECORATION.sub(" ", lines)) is not None


def _without_licence(text: str, comment: _Comment) -> str:
    """What of a comment is no licence, as a comment; "" where nothing else is."""
    whole = text[comment.start : comment.end]
    opening = closing = ""
    body = whole
    if comment.open:
        begin = whole.index(comment.open) + len(comment.open)
        finish = whole.rindex(comment.close)
        opening, body, closing = whole[:begin], whole[begin:finish], whole[finish:]
    lines = body.split("\n")
    last = lines.pop() if not comment.open else None  # behind the last line end
    kept = _kept_lines(lines)
    if kept is None:
        return ""
    if not comment.open:
        return "\n".join(kept) + "\n" + (last or "")
    if kept[0] is not lines[0]:  # the line of the opening sign is gone
        kept.insert(0, _OPENER.match(lines[0])[0])  # type: ignore[index]  # it may match nothing
    if kept[-1] is not lines[-1]:
        kept.append(lines[-1] if not _LETTER.search(lines[-1]) else "")
    return opening + "\n".join(kept) + closing


def _kept_lines(lines: list[str]) -> list[str] | None:
    """The lines of paragraphs that are no licence, with one empty line between; None where there is none."""
    kept: list[str] = []
    in_licence = False
    for paragraph in _paragraphs(lines):
        if not _LETTER.search("".join(paragraph)):
            if kept and not in_licence:
                kept += paragraph[:1]
            continue
        words = "\n".join(paragraph)
        in_licence = _speaks_of_licence("\n" + words) or (in_licence and _GOES_ON.search(words) is not None)
        if not in_licence:
            kept += paragraph
    while kept and not _LETTER.search(kept[-1]):
        kept.pop()
    return kept or None


def _paragraphs(lines: list[str]) -> list[list[str]]:
    """Runs of lines with letters and of lines without. Paragraphs of their own are lines that name holders, one with
    `@license`, and what begins anew behind the last sentence of a licence."""
    paragraphs: list[list[str]] = []
    before = ""
    for line in lines:
        kind = "words" if _LETTER.search(line) else "none"
        if kind == "words" and _TAG_LINE.match(line):
            kind = "tag"
        elif kind == "words" and (
            _HOLDER_LINE.match(line) or (before == "holders" and _goes_on(paragraphs[-1][-1], line))
        ):
            kind = "holders"
        if kind != before:
            paragraphs.append([])
        paragraphs[-1].append(line)
        before = kind
    return [part for paragraph in paragraphs for part in _without_rest(paragraph)]


def _without_rest(paragraph: list[str]) -> list[list[str]]:
    """A paragraph, cut in two where the last sentence of a licence is at its end and something else begins."""
    if _HOLDER_LINE.match(paragraph[0]):
        return [paragraph]
    anew = [k for k in range(1, len(paragraph)) if _begins_anew(paragraph[k - 1], paragraph[k])]
    if not anew or not _speaks_of_licence("\n".join(paragraph)):
        return [paragraph]
    last = len(paragraph) - 1
    while last >= anew[0] - 1 and not _speaks_of_licence("\n".join(paragraph[last : last + 2])):
        last -= 1
    cut = next((k for k in anew if k > last), None)
    return [paragraph] if cut is None else [paragraph[:cut], paragraph[cut:]]


def _begins_anew(line: str, following: str) -> bool:
    """Whether the next line begins with a sentence that does not go on with a licence."""
    return (
        _BEGINS_ANEW.match(following) is not None
        and _FINISHED.search(line[-_END_OF_LINE:]) is not None
        and _GOES_ON.search(following) is None
    )


def _goes_on(line: str, following: str) -> bool:
    """Whether a sentence that names holders is not at its end with the line."""
    if "spdx-" in line.lower():
        return False
    return _UNFINISHED.search(line) is not None or _LOWER_CASE.match(following) is not None
