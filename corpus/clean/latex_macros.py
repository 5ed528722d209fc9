"""Inline expansion of the macros that a LaTeX document defines for itself."""

import re
from typing import NamedTuple

MAX_DEPTH = 64
"""Expansions within expansions. TeX has no such limit, but a paper that needs more than this loops."""

MAX_CALL_CHARS = 1 << 20
"""Characters that one use of a macro in the document may read as arguments and put in, at all depths together."""

MAX_CHARS = 1 << 24
"""The same of all uses, given-up ones included; then the rest of the document stays as it is."""

_CALL_COST = 16  # characters that an expansion counts for besides its own, so that empty ones end as well

_SECTIONS = frozenset({"chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph"})
_FIXED = _SECTIONS | {"begin", "end", "document", "bibliography", "printbibliography", "appendix"}
"""Commands whose redefinition is a matter of layout: it is removed, and the command stays in the text."""

_PREFIXES = frozenset({"long", "global", "outer", "protected"})
_NEWCOMMANDS = frozenset({"newcommand", "renewcommand", "providecommand", "DeclareRobustCommand"})
_DEFS = frozenset({"def", "gdef", "edef", "xdef"})
_DEFINERS = _PREFIXES | _NEWCOMMANDS | _DEFS | {"let", "DeclareMathOperator"}

_NAME = r"\\([A-Za-z@]+|[^A-Za-z@])"
_NAME_IN_BRACES = rf"\s*+\*?\s*+(?:\{{\s*+{_NAME}\s*+\}}|{_NAME})\s*+"
_ANY_DEFINER = re.compile(rf"\\(?:{'|'.join(sorted(_DEFINERS))})(?![A-Za-z@])")
_CONTROL = re.compile(_NAME)
_PREFIXED = re.compile(rf"\s*(?=\\(?:{'|'.join(sorted(_DEFINERS))})(?![A-Za-z@]))")
_NEWCOMMAND = re.compile(rf"{_NAME_IN_BRACES}(?:\[\s*(\d)\s*\]\s*)?")
_OPERATOR = re.compile(_NAME_IN_BRACES)
_DEF = re.compile(rf"\s*{_NAME}([^{{}}]{{0,200}})(?=\{{)")
_PARAMETERS = re.compile(r"(?:#[1-9])*\s*")
_LET = re.compile(rf"\s*{_NAME}\s*+=?\s*+{_NAME}")
_PARAMETER = re.compile(r"#([1-9#])")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BRACKET = re.compile(r"\\.|[{}\]]", re.DOTALL)
_SPACES = re.compile(r"[ \t]*(?:\n(?![ \t]*\n)[ \t]*)?")  # one line end is a space, two are a paragraph
_SPACE = re.compile(r"\s*")
_REST_OF_LINE = re.compile(r"[ \t]*\n?")
_ENDS_IN_WORD = re.compile(r"(?<!\\)(?:\\\\)*\\[A-Za-z@]+\Z")
_NO_SPACE_BEFORE = frozenset(" \t\n,.'/?;:!~-)\\{}")
"""Behind a macro that ends in \\xspace (documentation of the xspace package)."""


class _Macro(NamedTuple):
    """`body`: text, and the numbers of parameters. `default`: of the first parameter when that is optional.
    `literal`: the body is written as it stands and not expanded again."""

    parameters: int
    default: str | None
    body: tuple[str | int, ...]
    literal: bool = False


class _Frame:
    """Text that is being read: the document, or above it the expansion of a macro met there, and so on."""

    def __init__(self, text: str, depth: int) -> None:
        self.text = text
        self.at = 0
        self.depth = depth


class _GiveUpError(Exception):
    def __init__(self, name: str) -> None:
        self.name = name


def expand_macros(text: str) -> str:
    """`text` without its macro definitions, every use that follows one replaced by its expansion.

    As TeX does it: in reading order, arguments put in before the body is read again, spaces behind a control word
    skipped. Known are \\newcommand and its kin (star forms, optional argument), \\def and its kin without delimited
    parameters, \\let of one command to another, \\DeclareMathOperator. Not known: grouping (a definition holds to the
    end of the document), conditionals, delimited parameters (definition and uses stay), environments.

    A macro that loops or explodes is not expanded: when a use in the document goes deeper than MAX_DEPTH, the macro
    called there, and when it puts in more than MAX_CALL_CHARS, the macro used in the document, stays as written from
    that use on; the use is then read again. `text` must hold neither comments nor verbatim passages.
    """
    if not _ANY_DEFINER.search(text):
        return text
    return _Expander(text).run()


class _Expander:
    def __init__(self, text: str) -> None:
        self.frames = [_Frame(text, 0)]
        self.macros: dict[str, _Macro] = {}
        self.known = {*_DEFINERS, "xspace"}  # the names that something is done about
        self.given_up: set[str] = set()
        self.out: list[str] = []
        self.used = 0  # characters read and put in by the present use
        self.used_before = 0

    def run(self) -> str:
        use, use_at, use_out = "", 0, 0
        while self.frames:
            frame = self.frames[-1]
            for match in _CONTROL.finditer(frame.text, frame.at):
                if match[1] in self.known:
                    break
            else:
                self.write(frame.text[frame.at :])
                self.frames.pop()
                continue
            name = match[1]
            self.write(frame.text[frame.at : match.start()])
            frame.at = match.end()
            if len(self.frames) == 1:
                use, use_at, use_out = name, match.start(), len(self.out)
                self.used_before += self.used
                self.used = 0
                if self.used_before > MAX_CHARS:
                    self.write(frame.text[use_at:])
                    break
            try:
                done = self.define(name) if name in _DEFINERS else self.call(name, use)
            except _GiveUpError as error:
                self.forget(error.name)
                self.given_up.add(error.name)
                del self.frames[1:], self.out[use_out:]
                self.frames[0].at = use_at
                continue
            if not done:
                self.write(match[0])
        return "".join(self.out)

    def write(self, piece: str) -> None:
        """Keeps `\\alpha` and a letter apart that came together only now."""
        if piece:
            if self.out and run_together(self.out[-1], piece):
                self.out.append(" ")
            self.out.append(piece)

    def define(self, command: str) -> bool:
        """Obeys a defining command that has just been read; False where what follows makes no sense to it."""
        self.leave_exhausted()
        frame = self.frames[-1]
        text = frame.text
        if command in _PREFIXES:
            match = _PREFIXED.match(text, frame.at)
            if match:
                frame.at = match.end()
            return match is not None
        end = self.definition_end(command, text, frame.at)
        if end is None:
            return False
        frame.at = end
        if len(self.frames) == 1 and (not self.out or self.out[-1].rstrip(" \t").endswith("\n")):
            frame.at = _end(_REST_OF_LINE, text, end)  # or its line would become an empty one, a paragraph's end
        return True

    def definition_end(self, command: str, text: str, at: int) -> int | None:
        """Takes the definition at `at` into the table; where it ends, or None."""
        if command == "let":
            match = _LET.match(text, at)
            if match is None:
                return None
            alias = _Macro(0, None, (f"\\{match[2]}",), literal=True)
            self.learn(match[1], self.macros.get(match[2], alias))
            return match.end()
        if command in _DEFS:
            match = _DEF.match(text, at)
            group = None if match is None else self.group(text, match.end())
            if match is None or group is None:
                return None
            if not _PARAMETERS.fullmatch(match[2]):  # delimited: left as it is
                self.forget(match[1])
                self.write(f"\\{command}{text[at : group[1]]}")
                return group[1]
            return self.learn_body(match[1], match[2].count("#"), None, group)
        if command == "DeclareMathOperator":
            star = text[at : at + 1] == "*"
            match = _OPERATOR.match(text, at)
            group = None if match is None else self.group(text, match.end())
            if match is None or group is None:
                return None
            operator = f"\\operatorname{'*' if star else ''}{{{group[0]}}}"
            return self.learn_body(match[1] or match[2], 0, None, (operator, group[1]))
        match = _NEWCOMMAND.match(text, at)
        if match is None:
            return None
        name, parameters, at, default = match[1] or match[2], int(match[3] or 0), match.end(), None
        if text[at : at + 1] == "[" and parameters:
            option = _option(text, at)
            if option is None:
                return None
            default, at = option[0], _end(_SPACE, text, option[1])
        group = self.group(text, at)
        if group is None:
            return None
        if command == "providecommand" and name in self.macros:
            return group[1]
        return self.learn_body(name, parameters, default, group)

    def learn_body(self, name: str, parameters: int, default: str | None, group: tuple[str, int]) -> int | None:
        pieces = _PARAMETER.split(group[0])
        body = tuple(piece if i % 2 == 0 or piece == "#" else int(piece) for i, piece in enumerate(pieces))
        if any(isinstance(piece, int) and piece > parameters for piece in body):
            return None
        self.learn(name, _Macro(parameters, default, body))
        return group[1]

    def learn(self, name: str, macro: _Macro) -> None:
        if name not in _FIXED and name not in _DEFINERS and name not in self.given_up:
            self.macros[name] = macro
            self.known.add(name)

    def forget(self, name: str) -> None:
        if self.macros.pop(name, None) is not None:
            self.known.discard(name)

    def call(self, name: str, use: str) -> bool:
        """Puts the expansion of a macro that has just been read on top of what is to be read; False where its
        arguments are missing."""
        macro = self.macros.get(name)
        if macro is None:  # \xspace of the package
            self.leave_exhausted()
            frame = self.frames[-1]
            if frame.at < len(frame.text) and frame.text[frame.at] not in _NO_SPACE_BEFORE:
                self.write(" ")
            return True
        depth = self.frames[-1].depth + 1
        if depth > MAX_DEPTH:
            raise _GiveUpError(name)
        arguments = self.arguments(name, macro)
        if arguments is None:
            return False
        parts = [arguments[piece - 1] if isinstance(piece, int) else piece for piece in macro.body]
        self.used += _CALL_COST + sum(map(len, parts))
        if self.used > MAX_CALL_CHARS:
            raise _GiveUpError(use)
        if macro.literal:
            self.write(parts[0])
        else:
            self.frames.append(_Frame(_join(parts), depth))
        return True

    def arguments(self, name: str, macro: _Macro) -> list[str] | None:
        """The arguments of a macro that has just been read, consumed; None, and nothing consumed, where one is
        missing."""
        level = len(self.frames) - 1
        text, at = self.frames[level].text, self.frames[level].at
        if name[-1].isalpha():
            at = _end(_SPACES, text, at)
        found: list[str] = []
        for number in range(macro.parameters):
            after = _end(_SPACE, text, at)
            while after == len(text) and level:
                level -= 1
                text, at = self.frames[level].text, self.frames[level].at
                after = _end(_SPACE, text, at)
            if number == 0 and macro.default is not None:
                option = _option(text, after) if text[after : after + 1] == "[" else (macro.default, at)
                if option is None:
                    return None
                found.append(option[0])
                at = option[1]
                continue
            if after == len(text) or text[after] == "}" or text.count("\n", at, after) > 1:
                return None
            if text[after] == "{":
                group = self.group(text, after)
                if group is None:
                    raise _GiveUpError(name)
                found.append(group[0])
                at = group[1]
                continue
            token = _CONTROL.match(text, after)
            at = token.end() if token else after + 1
            found.append(text[after:at])
        del self.frames[level + 1 :]
        self.frames[level].at = at
        return found

    def group(self, text: str, at: int) -> tuple[str, int] | None:
        """(content, end) of the group in braces that begins at `at`; None where none begins, or it does not end."""
        if text[at : at + 1] != "{":
            return None
        depth = 0
        for match in _BRACE.finditer(text, at):
            if match[0] == "{":
                depth += 1
            elif match[0] == "}":
                depth -= 1
                if depth == 0:
                    self.used += match.end() - at
                    return text[at + 1 : match.start()], match.end()
        self.used += len(text) - at
        return None

    def leave_exhausted(self) -> None:
        while len(self.frames) > 1 and self.frames[-1].at == len(self.frames[-1].text):
            self.frames.pop()


def _option(text: str, at: int) -> tuple[str, int] | None:
    """(content, end) of the optional argument in brackets that begins at `at`."""
    depth = 0
    for match in _BRACKET.finditer(text, at + 1):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth < 0:
                return None
        elif match[0] == "]" and depth == 0:
            return text[at + 1 : match.start()], match.end()
    return None


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where `pattern`, which matches anywhere, ends when it begins at `at`."""
    match = pattern.match(text, at)
    return at if match is None else match.end()


def run_together(before: str, after: str) -> bool:
    """Whether `before` ends in a control word that letters of `after` would become part of."""
    if not (before[-1:].isalpha() and after[:1].isalpha()):
        return False
    return _ENDS_IN_WORD.search(before[-80:]) is not None


def _join(parts: list[str]) -> str:
    joined: list[str] = []
    for part in filter(None, parts):
        if joined and run_together(joined[-1], part):
            joined.append(" ")
        joined.append(part)
    return "".join(joined)
