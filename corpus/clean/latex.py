"""From the LaTeX source of a paper to its body."""

import re
from typing import ClassVar

import pyarrow as pa

from corpus.clean.latex_macros import expand_macros, run_together
from corpus.rules import Cleaned, Cleaner

_VERBATIM = r"(?:[BL]?Verbatim|verbatim|lstlisting|minted|alltt|filecontents)\*?"
_TOKEN = re.compile(
    rf"""%[^\n]*(?:\n[ \t]*%[^\n]*)*
    | \\(?:
        [\\%]                                              # an escaped percent sign, and what could hide one
        | begin[ ]*\{{(?P<environment>comment|{_VERBATIM})\}}
        | (?P<verb>(?:verb\*?|lstinline(?:\[[^\]\n]*\])?)(?P<mark>[^A-Za-z*\s\[{{])[^\n]{{0,1000}}?(?P=mark))
        | (?P<url>(?:url|nolinkurl|path|href)[ ]*\{{[^{{}}\n]*\}}))    # a percent sign is a part of it
    """,
    re.VERBOSE,
)
_HELD = re.compile("\0([0-9]+)\0")
_LINE_END = re.compile(r"\n[ \t]*")
_REST_OF_LINE = re.compile(r"[ \t]*(?:\n|\Z)")
_INDENT = 200
_BLANK_LINE = re.compile(r"\n[ \t]*(?:\n|\Z)")


_FALSE = re.compile(r"\\if(?:false(?![A-Za-z@])|\s+false(?![A-Za-z])|\s*0(?!\s*0))")
_CONDITIONAL = re.compile(
    r"""(?P<if>\\if(?:|case|cat|csname|defined|dim|eof|false|hbox|hmode|inner|mmode|num|odd|true|vbox|vmode|void|x)
            (?![A-Za-z@]))
    | \\newif\s*\\if[A-Za-z@]+
    | (?P<else>\\else(?![A-Za-z@]))
    | (?P<fi>\\fi(?![A-Za-z@]))
    | (?P<user>\\if[A-Za-z@]+)
    | \\.""",
    re.VERBOSE | re.DOTALL,
)
_NEWIF = re.compile(r"\\newif\s*(\\if[A-Za-z@]+)")

_BODY = re.compile(r"\\begin\s*\{document\}|\\document(?![A-Za-z])")  # the second is AMS-TeX's
_SECTION = re.compile(r"(?<!\\)\\(?:part|chapter|(?:sub){0,2}section|(?:sub)?paragraph)\s*+\*?\s*[\[{]")
_END = re.compile(
    r"""\\(?:
        begin\s*\{(?:thebibliography|chapthebibliography|references|REFERENCES|bibdiv|biblist)\*?\}
        | bibliography\s*\{
        | (?:printbibliography|Refs|enddocument|bye)(?![A-Za-z])
        | end\s*\{document\}
        | (?:chapter|(?:sub){0,2}section)\s*+\*?\s*+\{\s*+(?i:references|bibliography)\s*\})""",
    re.VERBOSE,
)
_STYLE = re.compile(r"\\bibliographystyle\s*\{[^{}]*\}")
_BLANK_LINES = re.compile(r"\n{3,}")


class Latex(Cleaner):
    """LLaMA section 2.1, ArXiv: "we removed everything before the first section, as well as the bibliography. We also
    removed the comments from the .tex files, and inline-expanded definitions and macros written by users".

    In this order:

    1. Comments go as TeX skips them, with the comment environment and what stands between \\iffalse (or \\if0) and
       its \\else or \\fi. Verbatim passages are left alone, here and later.
    2. Macros are expanded and their definitions removed (`corpus.clean.latex_macros`, which states the limits).
    3. Everything before the first sectioning command of any level goes; where there is none, before
       \\begin{document}.
    4. Everything from the bibliography on goes (a bibliography environment or command, or a section that is named so),
       or else from the end of the document on. An appendix stays where it stands before the bibliography.
    5. Spaces at line ends and repeated blank lines go.

    Reason: `empty`, nothing is left.
    """

    version: ClassVar[int] = 1
    keeps: ClassVar[float] = 0.75  # measured on a few MB of real files
    reasons: ClassVar[tuple[str, ...]] = ("empty",)

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        texts = [clean_latex(text) for text in batch.column("text").to_pylist()]
        reasons = [None if text else "empty" for text in texts]
        return Cleaned(pa.array(texts, pa.large_string()), pa.array(reasons, pa.string()))


def clean_latex(text: str) -> str:
    text, held = _without_comments(text)
    text = expand_macros(_without_false(text))
    body = _BODY.search(text)
    start = 0 if body is None else body.end()
    section = _first(_SECTION, text, start)
    start = start if section is None else section.start()
    end = _first(_END, text, start)
    text = text[start:] if end is None else text[start : end.start()]
    lines = [line.rstrip(" \t") for line in _STYLE.sub("", text).split("\n")]
    text = _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
    return _HELD.sub(lambda match: held[int(match[1])], text)


def _first(command: re.Pattern[str], text: str, at: int) -> re.Match[str] | None:
    """The first match from `at` whose backslash is not itself the second of a line break's."""
    for match in command.finditer(text, at):
        before = text[max(0, match.start() - _INDENT) : match.start()]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return match
    return None


def strip_comments(text: str) -> str:
    """`text` as TeX sees it behind its comment signs; the comment environment goes as well.

    A comment ends with its line, and takes the line end and the space before the next line's text with it. Where the
    next line is empty it still ends the paragraph. A line with nothing but a comment disappears.
    """
    text, held = _without_comments(text)
    return _HELD.sub(lambda match: held[int(match[1])], text)


def _without_comments(text: str) -> tuple[str, list[str]]:
    """The text without comments, every verbatim passage replaced by its number between NULs, and those passages."""
    text = text.replace("\0", "")
    out: list[str] = []
    held: list[str] = []
    unended: set[str] = set()
    at = 0
    position = 0
    while match := _TOKEN.search(text, position):
        position = match.end()
        environment = match["environment"]
        if match[0][0] == "%":
            before = text[at : match.start()]
            if _begins_line(text, match.start()):
                out.append(before.rstrip(" \t"))
                position = min(position + 1, len(text))  # the whole line, with its end
            else:
                out.append(before)
                if not _BLANK_LINE.match(text, position) and (end := _LINE_END.match(text, position)):
                    position = end.end()
                    if run_together(before, text[position : position + 1]):
                        out.append(" ")
            at = position
        elif match["verb"] or match["url"]:
            out += (text[at : match.start()], f"\0{len(held)}\0")
            held.append(match[0])
            at = position
        elif environment and environment not in unended:
            end_at = text.find(f"\\end{{{environment}}}", position)
            if end_at < 0:
                unended.add(environment)
                continue
            position = end_at + len(f"\\end{{{environment}}}")
            out.append(text[at : match.start()])
            if environment == "comment":
                position = _line_end(text, match.start(), position)
            else:
                out.append(f"\0{len(held)}\0")
                held.append(text[match.start() : position])
            at = position
    out.append(text[at:])
    return "".join(out), held


def _without_false(text: str) -> str:
    """`text` without the false branch of \\iffalse, \\if0 and \\if false; one that does not end stays."""
    if not _FALSE.search(text):
        return text
    conditionals = {match[1] for match in _NEWIF.finditer(text)}
    out: list[str] = []
    at = 0
    spans: list[tuple[int, int]] = []
    open_ones: list[tuple[re.Match[str], re.Match[str] | None]] = []  # with the \else of each
    for match in _CONDITIONAL.finditer(text):
        if match["if"] or match["user"] in conditionals:
            open_ones.append((match, None))
        elif match["else"] and open_ones:
            open_ones[-1] = (open_ones[-1][0], match)
        elif match["fi"] and open_ones:
            begin, otherwise = open_ones.pop()
            if not _FALSE.match(text, begin.start()):
                continue
            if otherwise is None:
                spans.append((begin.start(), match.end()))
            else:
                spans += ((begin.start(), otherwise.end()), match.span())
    for start, end in sorted(spans):
        if start >= at:
            out.append(text[at:start])
            at = _line_end(text, start, end)
        at = max(at, end)
    out.append(text[at:])
    return "".join(out)


def _begins_line(text: str, at: int) -> bool:
    """Whether only space (at most _INDENT characters) stands before `at` on its line."""
    before = text[max(0, at - _INDENT) : at].rstrip(" \t")
    return before.endswith("\n") or (not before and at <= _INDENT)


def _line_end(text: str, start: int, end: int) -> int:
    """`end`, or behind the line end where text[start:end] is all of its lines: what is left would be an empty line,
    which ends a paragraph."""
    rest = _REST_OF_LINE.match(text, end)
    return rest.end() if rest is not None and _begins_line(text, start) else end
