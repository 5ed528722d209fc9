"""Inline expansion of the macros that a LaTeX document defines for itself."""

import re
from typing import NamedTuple

from corpus.text.tex import CONTROL, FALSE, NO_VALUE, TRUE, Cursor, Frame, run_together, word_set
from corpus.text.tex_macros import (
    DEFINERS,
    PREFIXES,
    PROVIDERS,
    Environment,
    Macro,
    read_definition,
    read_environment,
)

MAX_DEPTH = 64
"""Expansions within expansions. TeX has no such limit, but a paper that needs more than this loops."""

MAX_CALL_CHARS = 1 << 20
"""Characters that one use of a macro in the document may read as arguments and put in, at all depths together."""

MAX_CHARS = 1 << 23
"""The same of all uses and definitions together, given-up ones included, besides two for each character of the
document; then the rest of it stays as it is."""

_COST = 64  # characters that each counts for besides its own: what it takes to do nothing

_LAYOUT = word_set(
    """
    abstract appendix author begin bibitem bibliography caption chapter date document end footnote include
    includegraphics input item label maketitle paragraph part printbibliography section subparagraph subsection
    subsubsection thebibliography title usepackage
    """
)
"""Commands of the document's structure: their redefinition is a matter of layout. It is removed, and they stay."""

_TESTS = {
    f"If{test}{branches}": branches
    for test in ("Boolean", "NoValue", "Value", "Blank")
    for branches in ("TF", "T", "F")
}
_PEEKS = frozenset({"@ifstar", "@ifnextchar", "kernel@ifnextchar"})
_WORD = re.compile(r"[A-Za-z@]+")
_BRACES = {"\\bgroup": "{", "\\egroup": "}"}
_COMPARISONS = frozenset({"ifthenelse", "ifstrempty", "ifblank"})
_EQUAL = re.compile(r"\s*\\(?:equal\s*\{([^{}]*)\}\s*\{([^{}]*)\}|isempty\s*\{([^{}]*)\})\s*")

_DEFINER = rf"\\(?:{'|'.join(sorted([*DEFINERS, *PREFIXES, 'newenvironment']))})(?![A-Za-z@])"
_ANY_DEFINER = re.compile(_DEFINER)
_BEGINS_DEFINITION = re.compile(rf"\s*(?={_DEFINER})")
_SPACES = re.compile(r"[ \t]*(?:\n(?![ \t]*\n)[ \t]*)?")  # one line end is a space, two are a paragraph
_REST_OF_LINE = re.compile(r"[ \t]*\n?")
_ENDS_ENVIRONMENT = re.compile(r"\\end\s*\{[^{}]*\}\s*\Z")
_NO_SPACE_BEFORE = frozenset(" \t\n,.'/?;:!~-)\\{}")
"""Behind a macro that ends in \\xspace (documentation of the xspace package)."""


class Expanded(NamedTuple):
    """A text with its macros put in.

    Attributes:
        definitions: characters of the definitions that were removed.
        left: names of the document's macros of which a use may have stayed.
    """

    text: str
    definitions: int
    left: frozenset[str]


class _GiveUpError(Exception):
    def __init__(self, name: str) -> None:
        self.name = name


def expand_macros(text: str) -> Expanded:
    """`text` without its macro definitions, every use that follows one replaced by its expansion.

    As TeX does it: in reading order, arguments put in before the body is read again, spaces behind a control word
    skipped. Known are the commands of `corpus.text.tex_macros`. Within an expansion, xparse's tests of arguments,
    \\@ifstar, \\@ifnextchar, and comparisons of text without commands are decided, \\csname makes a name of letters,
    and \\mathchoice, which has the same in four sizes, gives that of running text. New environments (\\newenvironment)
    are macros as well. Not known: grouping (a definition holds to the end of the document), other conditionals. A use
    stays where its arguments are not there, or where TeX would have to compute (`read_definition`).

    A macro that loops or explodes is not expanded: when a use in the document goes deeper than MAX_DEPTH, the macro
    called there, and when it puts in more than MAX_CALL_CHARS, the macro used in the document, stays as written from
    that use on; the use is then read again. `text` must hold neither comments nor verbatim passages.
    """
    if not _ANY_DEFINER.search(text):
        return Expanded(text, 0, frozenset())
    return _Expander(text).run()


class _Expander:
    def __init__(self, text: str) -> None:
        self.frames = [Frame(text)]
        self.macros: dict[str, Macro] = {}
        self.environments: dict[str, Environment] = {}
        self.known = {*DEFINERS, *PREFIXES, *_TESTS, *_PEEKS, *_COMPARISONS}
        self.known |= {"csname", "mathchoice", "newenvironment", "xspace"}
        self.given_up: set[str] = set()
        self.left: set[str] = set()
        self.out: list[str] = []
        self.definitions = 0
        self.used = 0  # characters read and put in by the present use
        self.left_to_use = MAX_CHARS + 2 * len(text)

    def run(self) -> Expanded:
        use, use_at, use_out = "", 0, 0
        known = self.known
        while self.frames:
            frame = self.frames[-1]
            for match in CONTROL.finditer(frame.text, frame.at):
                if match[1] in known:
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
                self.left_to_use -= self.used
                self.used = 0
                if self.left_to_use < 0:
                    self.left |= self.macros.keys()
                    self.write(frame.text[use_at:])
                    break
            try:
                done = self.obey(name, match.start(), use)
            except _GiveUpError as error:
                self.forget(error.name)
                self.given_up.add(error.name)
                del self.frames[1:], self.out[use_out:]
                self.frames[0].at = use_at
                continue
            if not done:
                if name in self.macros:
                    self.left.add(name)
                self.write(match[0])
        return Expanded("".join(self.out), self.definitions, frozenset(self.left | self.given_up))

    def write(self, piece: str) -> None:
        """Keeps `\\alpha` and a letter apart that came together only now."""
        if piece:
            if self.out and run_together(self.out[-1], piece):
                self.out.append(" ")
            self.out.append(piece)

    def obey(self, name: str, at: int, use: str) -> bool:
        """Does what a known control sequence, which has just been read, asks for; False where it is to stay."""
        self.used += _COST
        macro = self.macros.get(name)
        if macro is not None:
            return self.call(name, macro, use)
        if name in DEFINERS:
            return self.define(name, at)
        if name == "newenvironment":
            return self.define_environment(at)
        if name in ("begin", "end"):
            return self.call_environment(name, use)
        if name in PREFIXES:
            cursor = Cursor(self.frames)
            if not cursor.match(_BEGINS_DEFINITION):
                return False
            cursor.accept()
            return True
        if name == "xspace":
            return self.xspace()
        return self.frames[-1].depth > 0 and self.decide(name, use)

    def define(self, command: str, at: int) -> bool:
        """Obeys a defining command; False where what follows makes no sense to it."""
        cursor = Cursor(self.frames)
        definition = read_definition(command, cursor)
        self.used += cursor.copied
        if definition is None:
            return False
        cursor.accept()
        name, macro = definition.name, definition.macro
        if definition.alias is not None:
            macro = self.macros.get(definition.alias, macro)
        if command not in PROVIDERS or name not in self.macros:
            self.learn(name, macro)
        self.count_definition(at)
        return True

    def define_environment(self, at: int) -> bool:
        cursor = Cursor(self.frames)
        definition = read_environment(cursor)
        self.used += cursor.copied
        if definition is None:
            return False
        cursor.accept()
        name, environment = definition
        if environment is not None:
            self.environments[name] = environment
            self.known |= {"begin", "end"}
        self.count_definition(at)
        return True

    def count_definition(self, at: int) -> None:
        """Of a definition that began at `at` and has just been passed."""
        frame = self.frames[-1]
        if len(self.frames) == 1:
            begins_line = not self.out or self.out[-1].rstrip(" \t").endswith("\n")
            if begins_line and (rest := _REST_OF_LINE.match(frame.text, frame.at)):
                frame.at = rest.end()  # or its line would become an empty one, a paragraph's end
            self.definitions += frame.at - at

    def learn(self, name: str, macro: Macro | None) -> None:
        if name in _LAYOUT or name in DEFINERS or name in self.given_up:
            return
        if macro is None:
            self.forget(name)
            self.left.add(name)
        else:
            self.macros[name] = macro
            self.known.add(name)

    def forget(self, name: str) -> None:
        if self.macros.pop(name, None) is not None:
            self.known.discard(name)

    def call(self, name: str, macro: Macro, use: str) -> bool:
        """Puts the expansion of a macro on top of what is to be read; False where its arguments are missing."""
        frame = self.frames[-1]
        depth = frame.depth + 1
        if depth > MAX_DEPTH:
            raise _GiveUpError(name)
        spaces = _SPACES.match(frame.text, frame.at) if name[-1].isalpha() else None
        behind = frame.at if spaces is None else spaces.end()
        if macro.parameters:
            before, frame.at = frame.at, behind
            cursor = Cursor(self.frames)
            arguments = cursor.arguments(macro.parameters)
            self.used += cursor.copied
            if arguments is None:
                frame.at = before
                return False
            cursor.accept()
            expansion = macro.expansion(arguments)
        else:
            expansion = macro.expansion(())
            if not (expansion[-1:] == "}" and _ENDS_ENVIRONMENT.search(expansion, max(0, len(expansion) - 80))):
                frame.at = behind  # else the line end behind it stays
        self.put(expansion, use, depth, macro.literal)
        return True

    def call_environment(self, which: str, use: str) -> bool:
        """Puts what an environment of the paper begins or ends with in the place of its tag."""
        cursor = Cursor(self.frames)
        environment = self.environments.get(cursor.group() or "")
        depth = self.frames[-1].depth + 1
        if environment is None or depth > MAX_DEPTH:
            return False
        macro = environment.begin if which == "begin" else environment.end
        arguments = cursor.arguments(macro.parameters)
        self.used += cursor.copied
        if arguments is None:
            return False
        cursor.accept()
        self.put(macro.expansion(arguments), use, depth)
        return True

    def put(self, expansion: str, use: str, depth: int, literal: bool = False) -> None:
        self.used += len(expansion)
        if self.used > MAX_CALL_CHARS:
            raise _GiveUpError(use)
        if literal or "\\" not in expansion:
            self.write(expansion)
        elif expansion:
            self.frames.append(Frame(expansion, depth))

    def xspace(self) -> bool:
        cursor = Cursor(self.frames)
        while len(self.frames) > 1 and self.frames[-1].at == len(self.frames[-1].text):
            self.frames.pop()
        cursor = Cursor(self.frames)
        if cursor.peek() and cursor.peek() not in _NO_SPACE_BEFORE:
            self.write(" ")
        return True

    def decide(self, name: str, use: str) -> bool:
        """Chooses between the arguments of a test within an expansion; False where that is for TeX to do."""
        cursor = Cursor(self.frames)
        depth = self.frames[-1].depth
        chosen: str | None = None
        if name == "csname":
            made = cursor.until("\\endcsname")
            chosen = f"\\{made.strip()}" if made and _WORD.fullmatch(made.strip()) else None
        elif name == "mathchoice":
            styles = [cursor.argument() for _ in range(4)]
            chosen = None if None in styles else f"{{{styles[1]}}}"
        elif name in _PEEKS:
            wanted = "*" if name == "@ifstar" else cursor.argument()
            yes, no = cursor.argument(), cursor.argument()
            if wanted is not None:
                found = cursor.skip_space() and cursor.begins_with(_BRACES.get(wanted, wanted))
                chosen = yes if found else no
                if found and name == "@ifstar":
                    cursor.token()
        else:
            tested = cursor.argument()
            branches = {branch: cursor.argument() for branch in _TESTS.get(name, "TF")}
            found_true = None if tested is None or None in branches.values() else _is_true(name, tested)
            if found_true is not None:
                chosen = branches.get("T" if found_true else "F", "")
        self.used += cursor.copied
        if chosen is None:
            return False
        cursor.accept()
        self.put(chosen, use, depth)
        return True


def _is_true(name: str, tested: str) -> bool | None:
    """What a test of `tested` gives; None where that hangs on more than the text."""
    if name.startswith("IfBoolean"):
        return {TRUE: True, FALSE: False}.get(tested.strip())
    if name.startswith("IfNoValue"):
        return tested == NO_VALUE
    if name.startswith("IfValue"):
        return tested != NO_VALUE
    if name.startswith("IfBlank"):
        return not tested.strip()
    if name == "ifthenelse":
        match = _EQUAL.fullmatch(tested)
        if match is None or "\\" in "".join(filter(None, match.groups())):
            return None
        return match[1] == match[2] if match[3] is None else not match[3].strip()
    return not tested.strip() if "\\" not in tested else False
