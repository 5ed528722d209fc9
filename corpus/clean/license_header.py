"""Licence and copyright comments at the top of source files."""

import posixpath
import re
from typing import ClassVar

import pyarrow as pa

from corpus.rules import Cleaned, Cleaner

FIRST_LINES = 20
"""A comment is a header when one of so many first lines of it speaks of a licence; a longer preface is a text about
something else. The notice of the GPL has 15 lines."""

_HEAD_CHARS = 100 * FIRST_LINES

_PREAMBLE = re.compile(
    r"""(?:
        \#![^\n]*(?:\n|\Z)                                                     # interpreter
        | [ \t]*(?:\#|//|--|;|%|")[^\n]{0,200}?(?:-\*-|coding[:=]|frozen_string_literal:|\bvim?:)[^\n]*(?:\n|\Z)
        | (?:<\?php|<\?xml[^\n]{0,200}?\?>|<!doctype[^\n>]{0,200}>)[ \t\r]*(?:\n|\Z)
        | [ \t\r]*\n
    )*+""",
    re.VERBOSE | re.IGNORECASE,
)
"""What stays above a header: interpreter, encoding and editor lines, what opens PHP, XML and HTML, empty lines."""

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
    | @licen[cs]e\b""",
    re.VERBOSE | re.IGNORECASE,
)
_DECORATION = re.compile(r"\n[ \t]*(?:/{2,}|\#+|-{2,}|;+|%+|\*+)?")  # between two lines of one sentence

_LINES = {
    name: re.compile(rf"(?:[ \t]*{marker}[^\n]*(?:\n|\Z))++")
    for name, marker in {
        "//": r"//(?!go:|[ \t]*\+build)",
        "#": r"\#(?!!|(?:include|define|undef|if|ifn?def|pragma|import)\b)",
        "--": r"--(?!\[=*\[)",  # but Lua's --[[
        ";": ";",
        "%": r"%(?!\{)",
    }.items()
}
_QUOTED = re.compile(r"[ \t]*(?:(/\*)|(<!--)|[RrUu]?(\"{3}|'{3}))")
_ENDS = {"/*": "*/", "<!--": "-->"}
_EMPTY_LINES = re.compile(r"(?:[ \t\r]*\n)*+")
_REST_OF_LINE = re.compile(r"[ \t\r]*(?:\n|\Z)")

# Where "#" begins a directive, an attribute or a selector, and never a comment.
_NO_HASH = frozenset(
    [
        *(".c", ".h", ".cc", ".hh", ".cpp", ".hpp", ".cxx", ".hxx", ".c++", ".h++", ".cu", ".cuh", ".m", ".mm", ".d"),
        *(".cs", ".fs", ".java", ".kt", ".kts", ".scala", ".groovy", ".gradle", ".dart", ".swift", ".go", ".rs"),
        *(".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".css", ".scss", ".less", ".proto", ".glsl"),
        *(".v", ".sv", ".html", ".xml", ".hs", ".lhs", ".tex"),
    ]
)
# Where it begins a heading, and a hyphen a rule: only <!-- --> is a comment here.
_PROSE = frozenset([".md", ".markdown", ".rst", ".txt"])


class LicenseHeader(Cleaner):
    """LLaMA section 2.1, GitHub: "removed boilerplate, such as headers, with regular expressions".

    Removes the comments at the very top of a file that speak of copyright or a licence in their first FIRST_LINES
    lines: blocks of // # -- ; % lines, /* */, <!-- -->, and triple-quoted strings whose first line does. Interpreter,
    encoding and editor lines and the opening of PHP, XML and HTML above them stay, and so do all other comments,
    preprocessor lines and headings. Which signs begin a comment depends on the ending of the document's id.

    Reason: `empty`, nothing but a header.
    """

    version: ClassVar[int] = 1
    keeps: ClassVar[float] = 0.97  # measured on a few MB of real files
    reasons: ClassVar[tuple[str, ...]] = ("empty",)

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        ids, texts = (batch.column(name).to_pylist() for name in ("id", "text"))
        cleaned = [without_header(text, _ending(id)) for id, text in zip(ids, texts, strict=True)]
        reasons = [None if text.strip() else "empty" for text in cleaned]
        return Cleaned(pa.array(cleaned, pa.large_string()), pa.array(reasons, pa.string()))


def without_header(text: str, ending: str) -> str:
    """`text` without its header. `ending` is that of its file's name, in lower case with the dot."""
    preamble = _PREAMBLE.match(text)
    start = at = 0 if preamble is None else preamble.end()
    while (end := _header_end(text, at, ending)) is not None:
        empty = _EMPTY_LINES.match(text, end)
        at = end if empty is None else empty.end()
    return text if at == start else text[:start] + text[at:]


def _header_end(text: str, at: int, ending: str) -> int | None:
    """Where a comment that begins at `at` and speaks of a licence ends, its line end included."""
    quoted = _QUOTED.match(text, at)
    if quoted:
        sign = quoted[1] or quoted[2] or quoted[3]
        if ending in _PROSE and sign != "<!--":
            return None
        closing = _ENDS.get(sign, sign)
        end = text.find(closing, quoted.end())
        if end < 0:
            return None
        comment = text[at:end]
        if sign == closing:  # a string: mostly documentation, with the licence behind
            comment = comment[quoted.end() - at :].lstrip().split("\n", 1)[0]
        end += len(closing)
        rest = _REST_OF_LINE.match(text, end)
        end = end if rest is None else rest.end()
        return end if _speaks_of_licence(comment) else None
    if ending in _PROSE:
        return None
    for sign, pattern in _LINES.items():
        if sign == "#" and ending in _NO_HASH:
            continue
        if lines := pattern.match(text, at):
            return lines.end() if _speaks_of_licence(lines[0]) else None
    return None


def _speaks_of_licence(comment: str) -> bool:
    lines = comment[:_HEAD_CHARS].split("\n", FIRST_LINES)[:FIRST_LINES]
    return _LICENCE.search(_DECORATION.sub(" ", "\n".join(lines))) is not None


def _ending(id: str) -> str:
    return posixpath.splitext(id)[1].lower()
