"""One text of the files of a paper: every file put where another reads it, and macros of its own styles."""

import posixpath
import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from corpus.sources.archive import TooLarge
from corpus.sources.tex_files import BEGIN, find_command, find_file
from corpus.text.tex import CONTROL, URL, VERB, VERBATIM, Cursor, Frame, word_set
from corpus.text.tex_macros import DEFINERS, PUBLIC_INPUTS, Macro, read_definition

MAX_DEPTH = 16
"""Files within files; TeX's own limit is 15 open files."""

MAX_COMMANDS = 200_000
"""Commands that are obeyed: files read, definitions, macros that read files. No paper has a tenth of it."""

MAX_ITEMS = 1_000
"""Turns of a loop over files."""

MAX_NAME = 200
"""Characters of a macro that stands in the name of a file."""

MAX_EXPANSIONS = 16
"""Macros within macros, between the text and the command that reads a file."""

STYLES = (".sty", ".cls", ".def", ".clo", ".cfg")
"""Endings of files that hold macros and no text."""

_END = re.compile(r"\\end\s*\{document\}")
_LOOP = re.compile(r"\s*\\([A-Za-z]+)\s*(?:\[[^\[\]]*\]\s*)?in\s*(?=\{)")
_NUMBER = re.compile("[0-9]{1,9}")
_BARE_NAME = re.compile(r'"[^"\n]*"|[^\s{}\\%]+')
_INPUT_PATH = re.compile(r"\{([^{}]*)\}")
_CODE_REGIONS = re.compile(r"\\ExplSyntaxOn(?![A-Za-z]).*?(?:\\ExplSyntaxOff(?![A-Za-z])|\Z)", re.DOTALL)
_STYLE_MACHINERY = word_set(
    """
    accent addtolength advance aftergroup box chardef copy count csname def dimen divide edef everypar fontsize
    futurelet gdef global hrule hsize immediate let long message multiply newbox newcount newdimen newif newread
    newskip newwrite output par parindent parskip penalty selectfont setlength skip toks unhbox unvbox vbox vrule
    vskip vtop xdef
    """
)
"""Commands by which TeX computes, or makes up pages. A macro of a style with one of these is not notation."""

_DOCUMENT = word_set(
    """
    and autoref baselinestretch begin bf caption cite citealt citeauthor citep citet citeyear clearpage Cref cref em
    emph end eqref footnote footnotetext href index it item label maketitle mbox newpage pageref par paragraph proof
    quote ref rm sc section sf sl subsection subsubsection tableofcontents text textbf textit textrm textsc textsf
    textsl texttt thanks tt url verb
    """
)
"""LaTeX's own commands of running text: a style that redefines one changes how it looks."""

_PEEKS = frozenset({"@ifstar", "@ifnextchar", "kernel@ifnextchar"})

_ALONE = ("subfile", "subfileinclude", "includestandalone")
_READS = ("input", "include", "@input", "@@input", "expandableinput", *_ALONE)
_IMPORTS = {f"{sub}{how}": bool(sub) for sub in ("", "sub") for how in ("import", "inputfrom", "includefrom")}
_TESTS = ("InputIfFileExists", "IfFileExists")
_LISTINGS = {"verbatiminput": "m", "VerbatimInput": "om", "lstinputlisting": "om", "inputminted": "omm"}
_LOADS = {
    **dict.fromkeys(("usepackage", "RequirePackage"), ".sty"),
    **dict.fromkeys(("documentclass", "documentstyle", "LoadClass"), ".cls"),
}

_STYLE_STEP = re.compile(
    rf"""%[^\n]*
    | \\(?:(?P<command>{"|".join(sorted(DEFINERS, key=len, reverse=True))})(?![A-Za-z@])
        \s*\*?\s*(?:\{{\s*\\(?P<braced>[A-Za-z@]+)\s*\}}|\\(?P<name>[A-Za-z@]+))(?:[^{{}}%\\\n]{{0,200}}(?P<opens>(?=\{{)))?
    | (?P<load>{"|".join([*_LOADS, "input"])})(?![A-Za-z@])
    | (?P<end>endinput)(?![A-Za-z@])
    | .)""",
    re.VERBOSE | re.DOTALL,
)

_SPECIAL = rf"begin[ ]*\{{(?P<environment>comment|{VERBATIM})\}}|{VERB}|{URL}"
_STEP = re.compile(rf"%[^\n]*|(?P<command>\\(?:{_SPECIAL}|(?P<name>[A-Za-z@]+)|.))", re.DOTALL)


def _one_of(names: Iterable[str]) -> str:
    """A pattern of one of the names, quick to say no: by the first letter."""
    letters: dict[str, list[str]] = {}
    for name in sorted(names):
        letters.setdefault(name[0], []).append(name[1:])
    return "|".join([f"{letter}(?:{'|'.join(rest)})(?![A-Za-z@])" for letter, rest in letters.items()])


_OBEYED = _one_of([*_READS, *_IMPORTS, *_LISTINGS, *_LOADS, *_TESTS, *DEFINERS, "endinput", "foreach"])
_NEXT = re.compile(
    rf"""(?:[^\\%]++|%[^\n]*+|\\(?!{_OBEYED}|begin[ ]*\{{(?:comment|{VERBATIM})\}})
        (?:{VERB}|{URL}|[A-Za-z@]++|[^A-Za-z@]))*+
    (?P<command>\\(?:begin[ ]*\{{(?P<environment>[A-Za-z*]+)\}}|(?P<name>[A-Za-z@]+)))""",
    re.DOTALL | re.VERBOSE,
)
"""All up to the next command that is obeyed, and that: quicker than `_STEP`, as long as the paper has made no other."""


class Flattened(NamedTuple):
    """A paper as one text.

    Attributes:
        missing: names that were to be read and are not there, are nested deeper than MAX_DEPTH or within themselves,
            sorted; their commands stay.
        read: names of the files whose text is in it.
        styles: names of the files whose definitions are in it.
    """

    text: str
    missing: list[str]
    read: frozenset[str]
    styles: frozenset[str]


def flatten(main: str, texts: Mapping[str, str], limit: int, support: Mapping[str, str] | None = None) -> Flattened:
    """The text of `main` with every file in the place where TeX would read it.

    Obeyed are \\input, \\include, \\subfile, \\subfileinclude, \\includestandalone, \\import and its kin with their
    folders, \\InputIfFileExists, \\IfFileExists, \\input@path, commands that print a file as it stands (in a verbatim
    environment then), loops of \\foreach over these, and macros of the paper that stand for one of them. `texts` are
    the paper's TeX files, `support` are others that may be read: where that is a style, a class or a file of macros,
    those of its macros are put in that the paper uses and that stand for something in it (`_Style.is_notation`).

    Comments stay; commands in them, in verbatim passages and in definitions are not obeyed. Of a file with a
    \\begin{document} of its own only the body is put in, if the document has begun; of every file only what stands
    before \\endinput.

    Raises:
        TooLarge: the result is longer than `limit` characters, commands replaced included, or there are more than
            MAX_COMMANDS commands to obey.
    """
    return _Flattener(main, texts, support or {}, limit).run()


class _File(Frame):
    """A file that is being read.

    Attributes:
        folder: that \\import named, where names in it are looked for first.
    """

    __slots__ = ("_begin", "folder", "name")

    def __init__(self, name: str, text: str, folder: str | None) -> None:
        super().__init__(text)
        self.name = name
        self.folder = folder
        self._begin: int | None = None

    def has_begun(self) -> bool:
        """Whether its \\begin{document} has been passed."""
        if self._begin is None:
            match = find_command(BEGIN, self.text)
            self._begin = len(self.text) + 1 if match is None else match.start()
        return self._begin < self.at


class _Flattener:
    def __init__(self, main: str, papers: Mapping[str, str], support: Mapping[str, str], limit: int) -> None:
        self.papers = papers
        self.texts: Mapping[str, str] = ChainMap(papers, support)  # type: ignore[arg-type]
        self.main = main
        self.left = limit
        self.commands_left = MAX_COMMANDS
        self.unended: set[tuple[str, str]] = set()  # (file, end of an environment) that is not in its rest
        self.pieces: list[str] = []
        self.missing: set[str] = set()
        self.read = {main}
        self.styles: set[str] = set()
        self.input_path: list[str] = []
        self.files = [_File(main, papers[main], None)]
        self.frames: list[Frame] = [self.files[0]]
        self.macros: dict[str, Macro] = {}  # that read a file, or may be part of a file's name
        self.handlers = dict(_HANDLERS)
        self.style = _Style()
        self.used: set[str] = set()  # names of commands in the paper, and in what was taken from styles

    def run(self) -> Flattened:
        while self.frames:
            frame = self.frames[-1]
            match = self.next_command(frame)
            if match is None:
                self.put(frame.text[frame.at :])
                self.end_frame()
                continue
            self.put(frame.text[frame.at : match.start("command")])
            frame.at = match.end()
            self.commands_left -= 1
            if self.commands_left < 0:
                raise TooLarge
            if match["environment"]:
                self.pass_verbatim(frame, match["environment"], match.start("command"))
            elif not self.handlers[match["name"]](self, match["name"]):
                self.put(match["command"])
        return Flattened("".join(self.pieces), sorted(self.missing), frozenset(self.read), frozenset(self.styles))

    def next_command(self, frame: Frame) -> re.Match[str] | None:
        if len(self.handlers) == len(_HANDLERS):
            return _NEXT.match(frame.text, frame.at)
        for match in _STEP.finditer(frame.text, frame.at):
            if match["name"] in self.handlers or match["environment"]:
                return match
        return None

    def pass_verbatim(self, frame: Frame, environment: str, begin: int) -> None:
        closing = f"\\end{{{environment}}}"
        place = (frame.name if isinstance(frame, _File) else "", closing)
        end = -1 if place in self.unended else frame.text.find(closing, frame.at)
        if end < 0 and place[0]:
            self.unended.add(place)
        frame.at = max(end, frame.at)
        self.put(frame.text[begin : frame.at])

    def put(self, piece: str) -> None:
        self.spend(len(piece))
        self.pieces.append(piece)

    def spend(self, characters: int) -> None:
        self.left -= characters
        if self.left < 0:
            raise TooLarge

    def end_frame(self) -> None:
        frame = self.frames.pop()
        if isinstance(frame, _File):
            self.files.pop()
            last_line = frame.text[frame.text.rfind("\n") + 1 :]
            if self.files and "%" in last_line:  # or what follows the command would become part of the comment
                self.put("\n")

    # What the commands do: True where they have been obeyed, False where they are to stay.

    def input(self, command: str) -> bool:
        cursor = Cursor(self.frames)
        alone = command in _ALONE
        if alone:
            cursor.optional()
        wanted = self.file_name(cursor, bare=not alone)
        return wanted is not None and self.put_in(wanted, cursor, self.files[-1].folder, alone)

    def import_from(self, command: str) -> bool:
        cursor = Cursor(self.frames)
        cursor.literal("*")
        folder, wanted = self.file_name(cursor, bare=False), self.file_name(cursor, bare=False)
        if folder is None or wanted is None:
            return False
        here = self.files[-1].folder if _IMPORTS[command] else None
        base = posixpath.dirname(self.main) if here is None else here
        return self.put_in(wanted, cursor, posixpath.normpath(posixpath.join(base, folder)))

    def if_exists(self, command: str) -> bool:
        cursor = Cursor(self.frames)
        wanted = self.file_name(cursor, bare=False)
        yes, no = cursor.argument(), cursor.argument()
        if wanted is None or yes is None or no is None:
            return False
        depth = self.frames[-1].depth + 1
        found = self.find(wanted, self.files[-1].folder)
        if (found is None and wanted.lower().endswith(STYLES)) or depth > MAX_EXPANSIONS:
            return False  # TeX's distribution may have it
        if found is not None and command == "InputIfFileExists":
            if not self.put_in(wanted, cursor, self.files[-1].folder):
                return False
        else:
            cursor.accept()
        self.spend(len(yes) + len(no))
        self.frames.append(Frame(no if found is None else yes, depth))
        return True

    def listing(self, command: str) -> bool:
        cursor = Cursor(self.frames)
        cursor.literal("*")
        for letter in _LISTINGS[command]:
            wanted = cursor.optional() if letter == "o" else self.file_name(cursor, bare=False)
        if wanted is None:
            return False
        found = self.find(wanted, self.files[-1].folder)
        if found is None or "\\end{verbatim}" in self.texts[found]:
            self.missing.add(wanted)
            return False
        cursor.accept()
        self.read.add(found)
        self.put(f"\\begin{{verbatim}}\n{self.texts[found].rstrip()}\n\\end{{verbatim}}")
        return True

    def for_each(self, command: str) -> bool:
        """A loop of pgffor over files: its body, once for each item of the list."""
        cursor = Cursor(self.frames)
        head = cursor.match(_LOOP)
        items = None if head is None else cursor.group()
        cursor.skip_space()
        body = None if items is None else cursor.group()
        depth = self.frames[-1].depth + 1
        if head is None or items is None or body is None or depth > MAX_EXPANSIONS or not self.reads(body):
            return False
        variable = re.compile(rf"\\{head[1]}(?![A-Za-z@])[ ]*")
        turns = [item.join(variable.split(body)) for item in _items(items)]
        self.spend(sum(map(len, turns)) + 1)
        cursor.accept()
        self.frames.append(Frame("\n".join(turns), depth))
        return True

    def end_input(self, command: str) -> bool:
        while not isinstance(self.frames[-1], _File):
            self.frames.pop()
        self.frames[-1].at = len(self.frames[-1].text)
        return True

    def load(self, command: str) -> bool:
        """Puts the definitions of the paper's own styles behind the command that loads them."""
        cursor = Cursor(self.frames)
        options = cursor.optional()
        names = cursor.argument()
        if names is None:
            return False
        wanted = [name.strip() + _LOADS[command] for name in names.split(",")]
        if command == "documentstyle" and options:  # LaTeX 2.09: options are styles
            wanted = [f"{name.strip()}.sty" for name in [*options.split(","), names]] + wanted
        found = [self.find(name, None) for name in wanted]
        frame = self.frames[-1]
        definitions = "".join([self.definitions_of(name) for name in found if name is not None])
        if not definitions or cursor.frame is not frame:
            return False
        start = frame.at
        cursor.accept()
        self.put(f"\\{command}{frame.text[start : frame.at]}\n{definitions}")
        return True

    def define(self, command: str) -> bool:
        """Passes over a definition, and remembers a macro that reads a file, or that a file's name may hold."""
        frame = self.frames[-1]
        start = frame.at
        cursor = Cursor(self.frames)
        definition = read_definition(command, cursor)
        if definition is None or cursor.frame is not frame:
            return False
        cursor.accept()
        self.put(f"\\{command}{frame.text[start : frame.at]}")
        name = definition.name
        if name == "input@path":
            paths = _INPUT_PATH.findall(frame.text[start : frame.at])
            self.input_path += [path.strip() for path in paths]
        elif definition.alias in self.handlers and definition.alias not in DEFINERS:
            self.handlers[name] = self.handlers[definition.alias]
            if definition.alias in self.macros:
                self.macros[name] = self.macros[definition.alias]
        elif definition.macro is not None:
            self.remember(name, definition.macro)
        return True

    def remember(self, name: str, macro: Macro) -> None:
        body = "".join([piece for piece in macro.body if isinstance(piece, str)])
        if self.reads(body) and name not in CONTROL.findall(body):
            self.macros[name] = macro
            self.handlers[name] = _Flattener.expand
        elif not macro.parameters and len(body) < MAX_NAME and name not in self.handlers:
            self.macros[name] = macro

    def reads(self, body: str) -> bool:
        return any(command in self.handlers and command not in DEFINERS for command in CONTROL.findall(body))

    def expand(self, name: str) -> bool:
        depth = self.frames[-1].depth + 1
        cursor = Cursor(self.frames)
        cursor.skip_space()
        arguments = cursor.arguments(self.macros[name].parameters) if depth <= MAX_EXPANSIONS else None
        if arguments is None:
            return False
        expansion = self.macros[name].expansion(arguments)
        self.spend(len(expansion) + cursor.copied + 1)
        cursor.accept()
        self.frames.append(Frame(expansion, depth))
        return True

    # Files.

    def put_in(self, wanted: str, cursor: Cursor, folder: str | None, alone: bool = False) -> bool:
        """Goes on with the file of that name; `alone`: that can be compiled alone, and of which the body is read."""
        found = self.find(wanted, folder)
        public = posixpath.splitext(posixpath.basename(wanted.lower()))[0] in PUBLIC_INPUTS
        open_files = {file.name for file in self.files}
        if found is None or found in open_files or len(self.files) > MAX_DEPTH:
            if not public:
                self.missing.add(wanted)
            return False
        if public or found.lower().endswith(STYLES):
            definitions = self.definitions_of(found)
            cursor.accept()
            self.put(definitions)
            return True
        cursor.accept()
        text = self.texts[found]
        if alone or any(file.has_begun() for file in self.files):
            text = _body(text)
        self.spend(len(wanted) + 8)  # so that files which read files and hold nothing else end as well
        file = _File(found, text, folder)
        self.read.add(found)
        self.files.append(file)
        self.frames.append(file)
        return True

    def file_name(self, cursor: Cursor, bare: bool) -> str | None:
        """The name that follows, with the paper's macros in it put in; None where none does."""
        cursor.skip_space()
        if cursor.peek() == "{":
            name = cursor.group()
        else:
            match = cursor.match(_BARE_NAME) if bare else None
            name = None if match is None else match[0]
        for _ in range(MAX_EXPANSIONS):
            if not name or "\\" not in name:
                break
            name = CONTROL.sub(self.named, name)
        if not name or "#" in name or "\n" in name.strip():
            return None
        return name.strip().strip('"').replace("\\", "/")

    def named(self, match: re.Match[str]) -> str:
        macro = self.macros.get(match[1])
        return match[0] if macro is None or macro.parameters else macro.expansion(())

    def find(self, wanted: str, folder: str | None) -> str | None:
        """The file that is read: with .tex or as it is named, seen from the folder of \\import, of the main file, of
        the reader, then from those of \\input@path."""
        own = posixpath.dirname(self.main)
        folders = [
            own,
            posixpath.dirname(self.files[-1].name),
            *(posixpath.join(own, path) for path in self.input_path),
        ]
        return find_file(wanted, folders if folder is None else [folder, *folders], self.texts)

    # Styles.

    def definitions_of(self, style: str) -> str:
        """The definitions of a style and of those it loads that the paper uses, one a line, with what they use of
        styles before it; none the second time."""
        if not self.used:
            self.used = {name for text in self.papers.values() for name in CONTROL.findall(text)}
        known = self.style
        for name, frame, at, command in self.all_definitions(style, 0):
            known.add(name, frame, at, command)
        waiting = [name for name in known.places if name in self.used]
        chosen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in known.places and name not in chosen and known.is_notation(name):
                chosen.add(name)
                for one in known.read(name):
                    self.used |= one.names
                    waiting += one.names
                    self.remember(name, one.macro)
        return "".join([source for name in known.places if name in chosen for source in known.take(name)])

    def all_definitions(self, style: str, depth: int) -> Iterator[tuple[str, Frame, int, str]]:
        """(name, text, place behind the defining command, that command) of every definition that a style, and those
        that it loads, make outside other definitions; each style once."""
        if style in self.styles or depth > MAX_DEPTH:
            return
        self.styles.add(style)
        text = _CODE_REGIONS.sub("", self.texts[style])
        self.spend(len(text))
        frame = Frame(text)
        at = 0
        while match := _STYLE_STEP.search(text, at):
            at = match.end()
            if match["end"]:
                return
            name = match["braced"] or match["name"]
            if name:
                yield name, frame, match.end("command"), match["command"]
                if match["opens"] is not None:
                    at = frame.group_end(at) or at
            elif match["load"]:
                frame.at = at
                cursor = Cursor([frame])
                cursor.optional()
                names = self.file_name(cursor, bare=match["load"] == "input")
                for wanted in (names or "").split(","):
                    ending = _LOADS.get(match["load"], "")
                    loaded = find_file(wanted.strip() + ending, [posixpath.dirname(self.main)], self.texts)
                    if loaded is not None:
                        yield from self.all_definitions(loaded, depth + 1)


def _items(items: str) -> list[str]:
    """The items of a list of pgffor, `1,...,3` written out."""
    found: list[str] = []
    listed = [item.strip() for item in items.split(",")]
    for number, item in enumerate(listed):
        if item == "..." and found and number + 1 < len(listed):
            first, last = found[-1], listed[number + 1]
            if _NUMBER.fullmatch(first) and _NUMBER.fullmatch(last) and int(last) - int(first) < MAX_ITEMS:
                found += [str(between) for between in range(int(first) + 1, int(last))]
        else:
            found.append(item)
    return found[:MAX_ITEMS]


def _body(text: str) -> str:
    """What stands between \\begin{document} and \\end{document}, where they are."""
    if begin := find_command(BEGIN, text):
        text = text[begin.end() :]
        if end := find_command(_END, text):
            text = text[: end.start()]
    return text


_HANDLERS: dict[str, Callable[[_Flattener, str], bool]] = {
    **dict.fromkeys(_READS, _Flattener.input),
    **dict.fromkeys(_IMPORTS, _Flattener.import_from),
    **dict.fromkeys(_LISTINGS, _Flattener.listing),
    **dict.fromkeys(_LOADS, _Flattener.load),
    **dict.fromkeys(_TESTS, _Flattener.if_exists),
    **dict.fromkeys(DEFINERS, _Flattener.define),
    "endinput": _Flattener.end_input,
    "foreach": _Flattener.for_each,
}
"""What is done about each command; of no instance, which would keep a paper in memory as long as Python likes."""


class _Read(NamedTuple):
    """A definition of a style: its source, the macro, and names of the commands in it."""

    source: str
    macro: Macro
    names: frozenset[str]


class _Style:
    """The definitions of the styles of a paper, read when they are asked for.

    Attributes:
        places: of each name, (text, place behind the defining command, that command).
    """

    def __init__(self) -> None:
        self.places: dict[str, list[tuple[Frame, int, str]]] = {}
        self._read: dict[str, list[_Read]] = {}
        self._notation: dict[str, bool] = {}
        self._taken: dict[str, int] = {}

    def add(self, name: str, frame: Frame, at: int, command: str) -> None:
        self.places.setdefault(name, []).append((frame, at, command))
        self._read.pop(name, None)
        self._notation.pop(name, None)

    def take(self, name: str) -> list[str]:
        """The sources of the definitions of a name, without those that were taken before."""
        found = [one.source for one in self.read(name)]
        before, self._taken[name] = self._taken.get(name, 0), len(found)
        return found[before:]

    def read(self, name: str) -> list[_Read]:
        """The definitions of a name whose uses can be expanded."""
        if name not in self._read:
            found = self._read[name] = []
            for frame, at, command in self.places.get(name, ()):
                frame.at = at
                cursor = Cursor([frame])
                definition = read_definition(command, cursor)
                if definition is not None and definition.macro is not None:
                    cursor.accept()
                    names = frozenset(CONTROL.findall("".join(map(str, definition.macro.body))))
                    found.append(_Read(f"\\{command}{frame.text[at : frame.at]}\n", definition.macro, names))
        return self._read[name]

    def is_notation(self, name: str, depth: int = 0) -> bool:
        """Whether a macro stands for something in a text, and for all that is given to it: no redefinition of a command
        of running text; nothing in it by which TeX computes, or that is not known, as names with @ are but for those
        of such macros of the style itself."""
        if name not in self._notation:
            self._notation[name] = False  # one that comes back to itself
            found = self.read(name)
            self._notation[name] = (
                bool(found)
                and len(found) == len(self.places[name])
                and name not in _DOCUMENT
                and depth <= MAX_EXPANSIONS
                and all(self._is_plain(one, depth) for one in found)
            )
        return self._notation[name]

    def _is_plain(self, one: _Read, depth: int) -> bool:
        arguments = () if one.macro.delimiters else one.macro.parameters
        used = all(number in one.macro.body for number in range(1, 1 + sum(one.kind != "l" for one in arguments)))
        internal = [name for name in one.names if "@" in name and name not in _PEEKS]
        known = all(name in self.places and self.is_notation(name, depth + 1) for name in internal)
        return used and known and not one.names & _STYLE_MACHINERY
