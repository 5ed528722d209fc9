"""How TeX writes comments, groups and arguments, as far as they can be read without running it."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

NAME = r"\\([A-Za-z@]+|[^A-Za-z@])"
CONTROL = re.compile(NAME)
"""A control sequence and its name; @ counts as a letter, as in style files."""

HELD = re.compile("\0([0-9]+)\0")
"""Stands for a verbatim passage, by its number, while a text is worked on."""

VERBATIM = r"(?:[BL]?Verbatim|verbatim|lstlisting|minted|alltt|filecontents)\*?"
VERB = r"(?:verb\*?|lstinline(?:\[[^\]\n]*\])?)(?P<mark>[^A-Za-z*\s\[{])[^\n]{0,1000}?(?P=mark)"
URL = r"(?:url|nolinkurl|path|href)[ ]*\{[^{}\n]*\}"
"""Patterns, without their backslash, of what a percent sign or a command stands in without its usual meaning."""

MAX_DELIMITED_CHARS = 5_000
"""What an argument in brackets, or one that ends with a delimiter, may be long; nor may a paragraph end in it. Without
an end to it, TeX would read on to that of the paper."""

NO_VALUE = "-NoValue-"
TRUE, FALSE = "\\BooleanTrue", "\\BooleanFalse"
"""What xparse puts in for an optional argument that is not there, and for a star or another mark."""

_RUN = 200  # of backslashes, looked at
_MARK = re.compile(rf"%[^\n]*|\\(?:{URL}|.)|[{{}}\[\]]", re.DOTALL)
_NEAR = 4_000  # characters in which the end of a group is looked for without going over the whole text
_NESTED = 8


def _nested(depth: int) -> str:
    """A pattern of a group with groups in it, so many deep."""
    inner = f"|{_nested(depth - 1)}" if depth else ""
    return rf"\{{(?:[^{{}}\\%]++|\\.|%[^\n]*+{inner})*+\}}"


_GROUP = re.compile(_nested(_NESTED), re.DOTALL)
_OPTION = re.compile(rf"\[(?:[^\]{{}}\\%]++|\\.|%[^\n]*+|{_nested(_NESTED)})*+\]", re.DOTALL)
_SPACE = re.compile(r"(?:[ \t\n]++|%[^\n]*+\n?)*+")
_MAY_BE_SPACE = frozenset(("", " ", "\t", "\n", "%"))
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_ENDS_IN_WORD = re.compile(r"(?<!\\)(?:\\\\)*\\[A-Za-z@]+\Z")
_PIECE = re.compile(r"%[^\n]*|\\.|[{}]", re.DOTALL)


class Frame:
    """Text that is being read: a file, or above it the expansion of a macro met there, and so on.

    Attributes:
        at: the next character.
        depth: of expansions within expansions, 0 in a file.
    """

    __slots__ = ("_brackets", "at", "depth", "text")

    def __init__(self, text: str, depth: int = 0) -> None:
        self.text = text
        self.at = 0
        self.depth = depth
        self._brackets: _Brackets | None = None

    def group_end(self, at: int) -> int | None:
        """The place behind the brace that closes the one at `at`; None where none does."""
        if self._brackets is None:
            match = _GROUP.match(self.text, at, at + _NEAR)
            if match is not None:
                return match.end()
            self._brackets = _Brackets(self.text)
        return self._brackets.groups.get(at)

    def option_end(self, at: int) -> int | None:
        """The place behind the argument whose opening bracket is at `at`: the first closing one in the same group, as
        LaTeX looks for it, for a bracket within needs braces around it. None where none is near."""
        if self._brackets is None:
            match = _OPTION.match(self.text, at, at + MAX_DELIMITED_CHARS)
            end = None if match is None else match.end()
            if end is None:
                self._brackets = _Brackets(self.text)
        if self._brackets is not None:
            end = self._brackets.options.get(at)
        near = end is not None and end - at <= MAX_DELIMITED_CHARS and not _BLANK_LINE.search(self.text, at, end)
        return end if near else None


class _Brackets:
    """The ends of all groups and options of a text, found in one pass: whatever is asked for, each character is looked
    at a few times at most."""

    def __init__(self, text: str) -> None:
        self.groups: dict[int, int] = {}
        self.options: dict[int, int] = {}
        braces: list[int] = []
        brackets: dict[int, list[int]] = {}  # by depth in braces
        for match in _MARK.finditer(text):
            mark, at = match[0], match.start()
            if mark == "{":
                braces.append(at)
            elif mark == "}":
                brackets.pop(len(braces), None)
                if braces:
                    self.groups[braces.pop()] = at + 1
            elif mark == "[":
                brackets.setdefault(len(braces), []).append(at)
            elif mark == "]":
                for begin in brackets.pop(len(braces), ()):
                    self.options[begin] = at + 1


class Cursor:
    """Reads ahead in frames, from the top one down to the next file; nothing is consumed before `accept`.

    Attributes:
        copied: characters of the arguments read, for the caller's account.
    """

    __slots__ = ("_at", "_frames", "_level", "_text", "copied")

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = frames
        self._level = len(frames) - 1
        self._text = frames[-1].text
        self._at = frames[-1].at
        self.copied = 0

    @property
    def frame(self) -> Frame:
        """The one it has come to."""
        return self._frames[self._level]

    def accept(self) -> None:
        del self._frames[self._level + 1 :]
        self._frames[self._level].at = self._at

    def peek(self) -> str:
        """The next character, "" at the end."""
        return self._text[self._at : self._at + 1]

    def begins_with(self, token: str) -> bool:
        """Whether the next token is this one."""
        match = CONTROL.match(self._text, self._at)
        return (self.peek() if match is None else match[0]) == token

    def skip_space(self) -> bool:
        """Skips space and comments; False where a paragraph ended there."""
        while True:
            if self._text[self._at : self._at + 1] not in _MAY_BE_SPACE:
                return True
            match = _SPACE.match(self._text, self._at)
            end = self._at if match is None else match.end()
            if _BLANK_LINE.search(self._text, self._at, end):
                return False
            self._at = end
            if not self._leave_exhausted():
                return True

    def _leave_exhausted(self) -> bool:
        """Goes down to the next frame where this one is at its end and no file; whether it did."""
        if self._at < len(self._text) or not self._frames[self._level].depth:
            return False
        self._level -= 1
        self._text, self._at = self._frames[self._level].text, self._frames[self._level].at
        return True

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What is here, consumed where it matches; a match lies in one frame."""
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return match

    def literal(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def group(self) -> str | None:
        """The content of the group in braces that begins here."""
        return self._enclosed(self.frame.group_end(self._at)) if self.peek() == "{" else None

    def option(self) -> str | None:
        """The content of the argument in brackets that begins here."""
        return self._enclosed(self.frame.option_end(self._at)) if self.peek() == "[" else None

    def optional(self) -> str | None:
        """An argument in brackets, perhaps behind space; where there is none, nothing is skipped."""
        before = (self._level, self._text, self._at)
        found = self.option() if self.skip_space() else None
        if found is None:
            self._level, self._text, self._at = before
        return found

    def argument(self) -> str | None:
        """A group, without its braces, or else one token; None where there is none in this paragraph."""
        if not self.skip_space():
            return None
        mark = self._text[self._at : self._at + 1]
        if mark == "{":
            return self._enclosed(self._frames[self._level].group_end(self._at))
        return None if mark in ("", "}") else self.token()

    def token(self) -> str:
        token = self.match(CONTROL) or self.match(HELD)
        if token is not None:
            return token[0]
        self._at += 1
        return self._text[self._at - 1]

    def until(self, delimiter: str) -> str | None:
        """The argument before a delimiter outside braces, in this paragraph and frame; its own braces go where they
        enclose all of it."""
        frame, at = self.frame, self._at
        limit = at + MAX_DELIMITED_CHARS
        found = self._text.find(delimiter, at, limit)
        while found >= 0:
            piece = _PIECE.search(self._text, at, found + 1)
            if piece is None or piece.start() == found:
                break
            behind = frame.group_end(piece.start()) if piece[0] == "{" else piece.end()
            if piece[0] == "}" or behind is None:
                return None
            at = behind
            if at > found:
                found = self._text.find(delimiter, at, limit)
        end = found + len(delimiter)
        word = found >= 0 and _ENDS_IN_WORD.search(delimiter) is not None
        if (
            found < 0
            or _BLANK_LINE.search(self._text, self._at, found)
            or (word and self._text[end : end + 1].isalpha())
        ):
            return None
        argument = self._text[self._at : found]
        if argument.startswith("{") and frame.group_end(self._at) == found:
            argument = argument[1:-1]
        self.copied += found - self._at
        self._at = end
        if word:
            self.skip_space()
        return argument

    def arguments(self, parameters: Sequence["Parameter"]) -> list[str] | None:
        """The arguments of a macro that was just read; None where one is missing."""
        found: list[str] = []
        for parameter in parameters:
            argument: str | None = None
            while parameter.kind in "lu" and self._leave_exhausted():
                continue
            if parameter.kind == "l":
                if not self.literal(parameter.text):
                    return None
                continue
            if parameter.kind == "e":
                found += self._marked(parameter)
                continue
            if parameter.kind == "u":
                argument = self.until(parameter.text)
            elif parameter.kind == "m":
                argument = self.argument()
            else:
                argument = self._optional(parameter)
            if argument is None:
                return None
            found.append(argument)
        return found

    def _optional(self, parameter: "Parameter") -> str:
        """An optional argument, or what stands for one that is not there: then nothing is skipped."""
        before = (self._level, self._text, self._at)
        found: str | None = None
        if self.skip_space():
            if parameter.kind in "st":
                found = TRUE if self.literal(parameter.text) else None
            elif parameter.kind == "o":
                found = self.option()
            elif parameter.kind == "g":
                found = self.group()
            elif self.literal(parameter.text[0]):
                found = self.until(parameter.text[1])
        if found is None:
            self._level, self._text, self._at = before
            return FALSE if parameter.kind in "st" else parameter.default
        return found

    def _marked(self, parameter: "Parameter") -> list[str]:
        found = dict.fromkeys(parameter.text, parameter.default)
        while self.skip_space() and self.peek() and self.peek() in found:
            mark = self.token()
            argument = self.argument()
            if argument is None:
                break
            found[mark] = argument
        return list(found.values())

    def _enclosed(self, end: int | None) -> str | None:
        if end is None:
            return None
        begin, self._at = self._at, end
        self.copied += end - begin
        return self._text[begin + 1 : end - 1]


class Parameter(NamedTuple):
    """One parameter of a macro.

    Attributes:
        kind: m, an argument; o, an optional one in brackets; d, one between two other characters; g, one in braces;
            s, a star; t, another token; e, arguments behind one-token marks such as ^, in any order; u, an argument
            before a delimiter; l, text that must stand there and is no argument. The letters are xparse's but for u
            and l, which \\def writes.
        text: the characters, tokens or delimiter of d, t, e, u, l.
        default: of an optional argument that is not there.
    """

    kind: str
    text: str = ""
    default: str = NO_VALUE


def word_set(words: str) -> frozenset[str]:
    """Words with spaces between them, such as names of commands, as a set."""
    return frozenset(words.split())


def join(parts: Sequence[str]) -> str:
    """The parts as one text, with a space where a letter would become part of the control word before it."""
    joined: list[str] = []
    for part in filter(None, parts):
        if joined and run_together(joined[-1], part):
            joined.append(" ")
        joined.append(part)
    return "".join(joined)


def run_together(before: str, after: str) -> bool:
    """Whether `before` ends in a control word that letters of `after` would become part of."""
    if not (before[-1:].isalpha() and after[:1].isalpha()):
        return False
    return _ENDS_IN_WORD.search(before[-80:]) is not None


def commands(pattern: re.Pattern[str], text: str, start: int = 0, end: int | None = None) -> Iterator[re.Match[str]]:
    """The matches of a pattern that begins with a backslash which are commands: that backslash is not itself the second
    of a line break's (`\\\\`)."""
    for match in pattern.finditer(text, start, len(text) if end is None else end):
        before = text[max(0, match.start() - _RUN) : match.start()]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            yield match
