"""Where the body of a paper begins and ends, and which parts of it are the bibliography."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from corpus.text.tex import Frame, commands

_BEGIN = re.compile(r"\\begin\s*\{document\}|\\document(?![A-Za-z])")  # the second is AMS-TeX's
_END = re.compile(r"\\(?:end\s*\{document\}|(?:enddocument|bye)(?![A-Za-z@]))")
_PLAIN_END = re.compile(r"\\(?:end|bye)(?![A-Za-z@]|\s*\{)")
_HEADING = re.compile(
    r"""\\(?:
        (?:part|chapter|(?:sub){0,2}section|(?:sub)?paragraph|specialsection|addpart|addchap|addsec|newsec|subsec)
            \s*+\*?\s*+(?=[\[{])
            (?:\[[^\[\]]{0,300}\]\s*+)?(?:\{(?P<title>(?:[^{}]++|\{(?:[^{}]++|\{[^{}]*+\})*+\}){0,100}+)\})?
        | (?:beginsection|(?:sub){0,2}head(?:ing)?)(?![A-Za-z@])[ ]*(?P<line>[^\n\\{}]{0,100})
    )""",
    re.VERBOSE,
)
"""Sectioning of LaTeX, amsart, KOMA-Script, harvmac and, in the second line, of plain TeX and AMS-TeX."""
_APPENDIX = re.compile(r"\\(?:appendix(?![A-Za-z@])|begin\s*\{appendi(?:x|ces)\})")

_REFERENCES = re.compile(
    r"""\\(?:
        begin\s*\{(?P<environment>
            (?:(?:chap|mcite)?thebibliography|references|REFERENCES|bibdiv|biblist|harvard|mcbibliography)\*?)\}
        | bibliography\s*\{[^{}]*\}
        | (?:printbibliography|putbib)(?![A-Za-z@])(?:\s*\[[^\[\]]*\])?
        | (?:listrefs|refout)(?![A-Za-z@])
        | (?P<aside>(?:nobibliography|bibliographystyle|nocite)\*?\s*\{[^{}]*\})
        | (?P<refs>Refs|references|numreferences|numrefs)(?![A-Za-z@])
        | (?P<entry>[ln]ref|REF)\s*\\[A-Za-z]+\s*(?=\{)
    )""",
    re.VERBOSE,
)
"""LaTeX, REVTeX, AASTeX, amsrefs, biblatex; \\Refs of AMS-TeX, \\references of jnl.tex and IOP's macros; harvmac and
phyzzx."""
_ITEMS_END = re.compile(r"\\endref(?![A-Za-z])")

_POSITION = r"""
    (?:[ \t{}~]|\\(?:begin|end)\{(?:center|flushleft)\}|\\v(?:skip|space)\*?[ ]?\{?[-.\d]+[a-z]+\}?|\\\\|\\(?:
        noindent|indent|par|(?:big|med|small)(?:skip|break)|(?:center|left|right)line|centering|null|hfil|hfill|vfill?
        |eject|newpage|clearpage|goodbreak|quad|text(?:bf|sc|it|rm|sf)|emph|underline|underbar|uppercase|MakeUppercase
        |[a-z]*(?:bf|bfseries|it|sl|sc|scshape|rm)|[lL]arge|LARGE|[hH]uge|normalsize|large[a-z]+|big[a-z]+|[mh]box
        )(?![A-Za-z@]))
"""
_BIBLIOGRAPHIES = r"""
    (?:references?(?:\s+and\s+notes|\s+cited)?|bibliography|literature(?:\s+cited)?|cited\s+literature|works\s+cited
    |notes\s+and\s+references|r[ée]f[ée]rences(?:\s+bibliographiques)?|bibliographie|literatur(?:verzeichnis)?
    |referencias|bibliograf[íi]a|refer[êe]ncias|riferimenti\s+bibliografici|literatuur
    |(?:список\s+)?литератур[аы]|список\s+использованных\s+источников)
"""
_PLAIN_REFERENCES = re.compile(
    rf"^(?=.*\\)(?:{_POSITION})++[\d. \t]*+{_BIBLIOGRAPHIES}[ \t:.]*+(?:{_POSITION}|[.:])*+$",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
"""A line that says so in the manner of a heading: with commands of font and position, and nothing else."""
_PLAIN_HEADING = re.compile(
    r"""^(?:[ \t]|\\(?:noindent|bigskip|medskip|smallskip|bigbreak|medbreak|vfill?|eject)(?![A-Za-z]))*+
    (?:\\(?:center|left)line[ ]*)?(?:\{[ ]*\\(?:[a-z]*bf|sc)(?![a-z])|\\text(?:bf|sc)[ ]*\{)
    [ ]*[A-Z\d][^{}\\\n]{3,60}\}+[ \t]*$""",
    re.VERBOSE | re.MULTILINE,
)
"""A line with nothing but a few words in bold or small capitals."""
_BEGINS_PARAGRAPH = re.compile(r"(?:\n[ \t]*|\\(?:big|med|small)skip[ \t]*|\\v(?:fill?|skip)[^\n]*|\\eject[ \t]*)\n\Z")
_PAGE_END = re.compile(r"\\(?:vfill?\s*\\eject|newpage|clearpage)(?![A-Za-z@])")
_FLOAT = re.compile(r"\\begin\s*\{(?:figure|table|deluxetable|wrapfigure|longtable)\*?\}")
_ENTRY = re.compile(r"(?:18|19|20)\d\d|\[\d+\]|\\bibitem|\\item")

_BACK_MATTER = re.compile(
    r"""(?:acknowledge?ments?\b.*|acknowledging.*|remerciements|danksagung|agradecimientos
    |appendi(?:x|ces)\b.*|supplement.*|supporting\s.*|additional\s.*|funding.*|author.*contributions?.*|contributions
    |(?:conflicts?|declaration)\s.*|competing\s.*|(?:data|code)\s.*availability.*|availability\s.*
    |(?:online\s+|materials\s+and\s+)?methods|method\s+summary|figure\s+captions?|figures?|tables?|notes?)""",
    re.VERBOSE,
)
_BIBLIOGRAPHY_TITLE = re.compile(_BIBLIOGRAPHIES, re.VERBOSE)
_LABEL = re.compile(r"\\label\s*\{[^{}]*\}")
_NO_LETTERS = re.compile(r"\\[A-Za-z@]+\*?|[^\w\s]|[\d_]")
_NEAR = 300
"""Characters between a bibliography's heading and the command that prints it, at most."""


class Body(NamedTuple):
    """The body of a paper, and what does not belong to it.

    Attributes:
        headed: it begins with the first section, not with the document.
        front: what stands before it.
        bibliography: the pieces that were cut out of it.
        behind: what follows the end of the document.
    """

    text: str
    headed: bool
    front: str
    bibliography: tuple[str, ...]
    behind: str


def find_body(text: str) -> Body:
    """The body of the paper: the first section's heading and what follows it, but for bibliographies.

    It begins with \\begin{document} (in plain TeX, with the file) where there is no section, or where the first is not
    where a text begins: acknowledgments, an appendix, methods at the end of a letter, or anything behind the
    bibliography. Only bibliographies go; chapters, appendices, supplements behind them stay. What is one:

    - a bibliography environment, to its end; commands that print one; entries of harvmac and phyzzx;
    - AMS-TeX's \\Refs to \\endRefs, or else to its last \\endref;
    - a section that is named so, to the next one, an appendix or a float;
    - where there is none of these, a line in the manner of a heading that says so, with entries behind it, to what ends
      a section, the next such line, or a page break.
    """
    begin = _BEGIN.search(text)
    start = 0 if begin is None else begin.end()
    last = next(commands(_END, text, start, len(text)), None)
    if begin is None and last is None:
        last = next(commands(_PLAIN_END, text, start, len(text)), None)
    end = len(text) if last is None else last.start()
    headings = list(commands(_HEADING, text, start, end))
    found = sorted(_bibliographies(text, start, end, headings))
    spans = _merged(found)
    bibliography = next((one.begin for one in found if one.whole), end)
    first = _first_heading(text, start, headings, spans, bibliography)
    at = begins = start if first is None else first
    pieces = []
    removed = []
    for one, behind in spans:
        if behind > at:
            one = max(at, one)
            pieces.append(text[at:one])
            removed.append(text[one:behind])
            at = behind
    pieces.append(text[at:end])
    return Body("".join(pieces), first is not None, text[:begins], tuple(removed), text[end:])


class _Span(NamedTuple):
    """Of a bibliography, or (not `whole`) of something that only belongs to one: a style, a single entry."""

    begin: int
    end: int
    whole: bool


def _first_heading(
    text: str, start: int, headings: list[re.Match[str]], spans: list[tuple[int, int]], bibliography: int
) -> int | None:
    """The place of the heading that the body begins with."""
    begins = [begin for begin, _ in spans]
    for heading in headings:
        at = heading.start()
        number = bisect_right(begins, at)
        if number and at < spans[number - 1][1]:
            continue
        back = bibliography < at or _APPENDIX.search(text, start, at) or _BACK_MATTER.fullmatch(_words(heading))
        return None if back else at
    return None


def _bibliographies(text: str, start: int, end: int, headings: list[re.Match[str]]) -> Iterator[_Span]:
    """In no order; they may overlap."""
    found = list(commands(_REFERENCES, text, start, end))
    breaks = _Breaks(text, end, headings)
    any_whole = False
    for span in _marked(text, end, found, breaks):
        yield span
        any_whole = any_whole or span.whole
    starts = [match.start() for match in found]
    for heading in headings:
        behind = heading.end()
        if _BIBLIOGRAPHY_TITLE.fullmatch(_words(heading)):
            following = starts[number] if (number := bisect_left(starts, behind)) < len(starts) else end
            near = (
                following - behind < _NEAR and not _NO_LETTERS.sub("", _LABEL.sub("", text[behind:following])).strip()
            )
            yield _Span(heading.start(), following if near else breaks.after(behind), True)
            any_whole = True
    reached = start
    for line in _PLAIN_REFERENCES.finditer(text, start, end) if not any_whole else ():
        if line.start() >= reached:
            reached = breaks.after(line.end(), plain=True)
            if _ENTRY.search(text, line.end(), reached):
                yield _Span(line.start(), reached, True)


def _marked(text: str, end: int, found: list[re.Match[str]], breaks: "_Breaks") -> Iterator[_Span]:
    """Of the matches of `_REFERENCES`, those that stand in none before them."""
    reached = 0
    unended: set[str] = set()
    frame = Frame(text)
    for match in found:
        if match.start() < reached:
            continue
        reached = match.end()
        name = match["environment"] or match["refs"]
        if match["entry"]:
            reached = min(frame.group_end(reached) or reached, end)
        elif name:
            closing = f"\\end{{{name}}}" if match["environment"] else f"\\end{name}"
            place = -1 if closing in unended else text.find(closing, reached, end)
            if place >= 0:
                reached = place + len(closing)
            else:
                unended.add(closing)
                items = [] if match["environment"] else [item.end() for item in _ITEMS_END.finditer(text, reached, end)]
                reached = items[-1] if items else breaks.after(reached)
        yield _Span(match.start(), reached, not (match["entry"] or match["aside"]))


class _Breaks:
    """Where a bibliography ends that does not say so itself: places of what begins something else."""

    def __init__(self, text: str, end: int, headings: list[re.Match[str]]) -> None:
        self._text = text
        self._end = end
        self._headings = [heading.start() for heading in headings]

    def after(self, at: int, plain: bool = False) -> int:
        number = bisect_left(self._headings, at)
        end = self._headings[number] if number < len(self._headings) else self._end
        for pattern in (_APPENDIX, _FLOAT, *((_PAGE_END,) if plain else ())):
            match = pattern.search(self._text, at, end)
            end = match.start() if match else end
        for line in _PLAIN_HEADING.finditer(self._text, at, end) if plain else ():
            if _BEGINS_PARAGRAPH.search(self._text, max(at, line.start() - 200), line.start()):
                return line.start()
        return end


def _words(heading: re.Match[str]) -> str:
    """The title in lower case, without commands, numbers and punctuation."""
    title = _LABEL.sub("", heading["title"] or heading["line"] or "")
    return " ".join(_NO_LETTERS.sub(" ", title).lower().split())


def _merged(spans: list[_Span]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end, _ in spans:
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
