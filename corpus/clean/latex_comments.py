"""What TeX skips in the source of a paper: comments, and branches of conditionals that are never taken."""

import re
from typing import NamedTuple

from corpus.text.tex import HELD, URL, VERB, VERBATIM, commands, run_together

_TOKEN = re.compile(
    rf"""%[^\n]*(?:\n[ \t]*%[^\n]*)*
    | \\(?:
        [\\%]                                              # an escaped percent sign, and what could hide one
        | begin[ ]*\{{(?P<environment>comment|{VERBATIM})\}}
        | (?P<verbatim>{VERB}|{URL}))                        # a percent sign is a part of it
    """,
    re.VERBOSE,
)
_LINE_END = re.compile(r"\n[ \t]*")
_REST_OF_LINE = re.compile(r"[ \t]*(?:\n|\Z)")
_INDENT = 200
_BLANK_LINE = re.compile(r"\n[ \t]*(?:\n|\Z)")

_DECIDED = re.compile(r"\\(?:newif|if(?:true|false|\s+false|\s*0))")
_FALSE = re.compile(r"\\if(?:false(?![A-Za-z@])|\s+false(?![A-Za-z])|\s*0(?!\s*0))")
_CONDITIONAL = re.compile(
    r"""\\(?:
        (?P<if>if(?![A-Za-z@])
            |if(?!f(?![A-Za-z@])|thenelse|def(?!ined)|undef|cs(?!name)|str|blank|bool|toggle|(?:num|dim)[a-z])[A-Za-z@]+
                (?!\s*\{))
        | newif\s*\\if[A-Za-z@]+
        | (?P<else>else(?![A-Za-z@]))
        | (?P<fi>fi(?![A-Za-z@]))
    )""",
    re.VERBOSE,
)
"""Those that take their branches in braces are macros of the packages ifthen and etoolbox, and no conditionals."""
_NEWIF = re.compile(r"\\newif\s*\\if([A-Za-z@]+)")
_SWITCH = re.compile(r"\\([A-Za-z@]+?)(true|false)(?![A-Za-z@])")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


def strip_comments(text: str) -> str:
    """`text` as TeX sees it behind its comment signs; the comment environment goes as well.

    A comment ends with its line, and takes the line end and the space before the next line's text with it. Where the
    next line is empty it still ends the paragraph. A line with nothing but a comment disappears.
    """
    text, held = hold_verbatim(text)
    return put_back(text, held)


def hold_verbatim(text: str) -> tuple[str, list[str]]:
    """The text without comments, every verbatim passage replaced by its number between NULs (`corpus.text.tex.HELD`),
    and those passages."""
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
        elif match["verbatim"]:
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


def put_back(text: str, held: list[str]) -> str:
    return HELD.sub(lambda match: held[int(match[1])], text) if held else text


def length(text: str, held: list[str]) -> int:
    """Characters of the text with its verbatim passages."""
    if not held:
        return len(text)
    return len(text) + sum(len(held[int(match[1])]) - len(match[0]) for match in HELD.finditer(text))


class _Conditional(NamedTuple):
    """The places of \\if..., of \\else (the \\fi where there is none) and of \\fi."""

    name: str
    begin: re.Match[str]
    otherwise: re.Match[str]
    end: re.Match[str]


def without_untaken(text: str) -> str:
    """`text` without the branches that are never taken, of conditionals that end: \\iffalse, \\if0, \\if false,
    \\iftrue, and those that \\newif declares and that the paper never sets to true, or only once, outside braces and
    conditionals. Other conditionals keep both branches."""
    if not _DECIDED.search(text):
        return text
    text = _without(text, _conditionals(text), {})
    conditionals = _conditionals(text)
    return _without(text, conditionals, _switches(text, conditionals))


def _conditionals(text: str) -> list[_Conditional]:
    found = []
    open_ones: list[tuple[re.Match[str], re.Match[str] | None]] = []  # with the \else of each
    for match in commands(_CONDITIONAL, text):
        if match["if"]:
            open_ones.append((match, None))
        elif match["else"] and open_ones:
            open_ones[-1] = (open_ones[-1][0], match)
        elif match["fi"] and open_ones:
            begin, otherwise = open_ones.pop()
            name = r"\iffalse" if _FALSE.match(text, begin.start()) else begin[0]
            found.append(_Conditional(name, begin, otherwise or match, match))
    return found


def _without(text: str, conditionals: list[_Conditional], set_true: dict[str, int | None]) -> str:
    """`text` without what is not taken. `set_true`: of a \\newif, the place where it becomes true, or None."""
    spans = []
    for one in conditionals:
        since = 0 if one.name == r"\iftrue" else set_true.get(one.name)
        if one.name == r"\iffalse" or (one.name in set_true and since is None):
            spans.append((one.begin.start(), one.otherwise.end()))
            if one.otherwise is not one.end:
                spans.append(one.end.span())
        elif since is not None and since <= one.begin.start():
            spans += [one.begin.span(), (one.otherwise.start(), one.end.end())]
    out: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if start >= at:
            out.append(text[at:start])
            at = _line_end(text, start, end)
        at = max(at, end)
    out.append(text[at:])
    return "".join(out)


def _switches(text: str, conditionals: list[_Conditional]) -> dict[str, int | None]:
    """The conditionals of \\newif whose value is known, with the place where it becomes true, None where nowhere."""
    settings: dict[str, list[re.Match[str]]] = {match[1]: [] for match in _NEWIF.finditer(text)}
    for match in _SWITCH.finditer(text):
        if match[1] in settings:
            settings[match[1]].append(match)
    known: dict[str, int | None] = {}
    for name, matches in settings.items():
        if all(match[2] == "false" for match in matches):
            known[f"\\if{name}"] = None
        elif len(matches) == 1:
            known[f"\\if{name}"] = matches[0].start()
    places = {place for place in known.values() if place is not None}
    alone = _outside_groups(text, places) - _within(places, conditionals)
    return {name: place for name, place in known.items() if place is None or place in alone}


def _within(places: set[int], conditionals: list[_Conditional]) -> set[int]:
    """Those of the places that stand in a conditional."""
    found = set()
    spans = iter(sorted((one.begin.start(), one.end.start()) for one in conditionals))
    begin, end = next(spans, (0, 0))
    for place in sorted(places):
        while end <= place and (span := next(spans, None)):
            begin, end = span[0], max(end, span[1])
        if begin < place < end:
            found.add(place)
    return found


def _outside_groups(text: str, places: set[int]) -> set[int]:
    """Those of the places of commands that stand in no group."""
    outside = set()
    depth = 0
    for match in _BRACE.finditer(text) if places else ():
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
        elif depth == 0 and match.start() in places:
            outside.add(match.start())
    return outside


def _begins_line(text: str, at: int) -> bool:
    """Whether only space (at most _INDENT characters) stands before `at` on its line."""
    before = text[max(0, at - _INDENT) : at].rstrip(" \t")
    return before.endswith("\n") or (not before and at <= _INDENT)


def _line_end(text: str, start: int, end: int) -> int:
    """`end`, or behind the line end where text[start:end] is all of its lines: what is left would be an empty line,
    which ends a paragraph."""
    rest = _REST_OF_LINE.match(text, end)
    return rest.end() if rest is not None and _begins_line(text, start) else end
