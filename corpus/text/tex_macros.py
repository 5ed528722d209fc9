"""Definitions of macros as LaTeX documents write them, and what a macro stands for."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from corpus.text.tex import FALSE, NAME, NO_VALUE, Cursor, Frame, Parameter, join, word_set

_PAIR = re.compile(r"\s*(?:\{([^{}]*)\}|(.))\s*(?:\{([^{}]*)\}|(.))", re.DOTALL)
_NAME_IN_BRACES = re.compile(rf"\s*\{{\s*{NAME}\s*\}}|\s*{NAME}")
_STAR = re.compile(r"\s*\*")
_COUNT = re.compile(r"\s*\[\s*(\d)\s*\]")
_PLAIN_NAME = re.compile(r"\s*\{([A-Za-z@]+)\}")
_LET = re.compile(rf"\s*{NAME}\s*+=?[ ]?(?:{NAME}|(\S))")
_DEF = re.compile(rf"\s*{NAME}([^{{}}]{{0,200}})(?=\{{)")
_DEF_PARAMETER = re.compile(r"#([1-9#])")
_PARAMETER = re.compile(r"#+[1-9]|##")
_DEFAULT = re.compile(r"\s*(\d)\s*=\s*((?:\{[^{}]*\}|[^,{}])*)")
_FONT = re.compile(
    rf"""\s*{NAME}\s*=?\s*([A-Za-z0-9./-]+)
    (?:\s+(?:scaled\s*(?:\\magstep\s*\d|\\magstephalf|\d+|\\[A-Za-z]+)|at\s*[\d.]+\s*(?:true\s*)?[a-z]{{2}}))?[ ]?""",
    re.VERBOSE,
)
_TEXT_FONT = re.compile(r"(?:cm|am)(?!mi|sy|ex|bsy)|(?:ec|tc|lm|ae)[a-z]|p(?:tm|hv|cr|pl|nc|bk|ag|zc)|[Tt]imes|[Hh]elv")
"""Names of TFM files whose characters are letters in a text font, not symbols: Computer Modern by Knuth's naming
(The TeXbook, appendix F), its successors, and the PostScript base fonts by Berry's (fontname)."""

_ENSURES_MATH = re.compile(r"\s*(?:\\relax\s*)?\\ifmmode(?![A-Za-z@])(.*?)\\else(?![A-Za-z@]).*\\fi\s*", re.DOTALL)
_MACHINERY = re.compile(
    r"""\\(?:
        (?:afterassignment|aftergroup|catcode|char|expandafter|fam|futurelet|halign|lccode|loop|mathcode
        |noalign|openin|openout|read|romannumeral|setbox|special|string|textfont|the|uccode|valign|write)(?![A-Za-z@])
        |if(?!f(?![A-Za-z@])|thenelse|strempty|blank)
    )""",
    re.VERBOSE,
)
"""Commands by which TeX computes. Those with `if` that take their branches in braces are not among them."""


class Macro(NamedTuple):
    """What is put in for a control sequence.

    Attributes:
        body: text, and the numbers of arguments from 1.
        literal: the expansion is not read again: it is an alias of a command that is no macro, or no longer.
        delimiters: of mathtools' \\DeclarePairedDelimiter, else None. Then the first argument is a star, which makes
            them grow, and the second their size.
    """

    parameters: tuple[Parameter, ...]
    body: tuple[str | int, ...]
    literal: bool = False
    delimiters: "Delimiters | None" = None

    def expansion(self, arguments: Sequence[str]) -> str:
        if self.delimiters is not None:
            return self.delimiters.around(self.body, arguments)
        if len(self.body) == 1 and isinstance(self.body[0], str):
            return self.body[0]
        return _fill(self.body, arguments)


class Delimiters(NamedTuple):
    """A pair of delimiters, and what \\DeclarePairedDelimiterXPP puts before and behind it."""

    left: str
    right: str
    before: tuple[str | int, ...] = ()
    behind: tuple[str | int, ...] = ()

    def around(self, body: Sequence[str | int], arguments: Sequence[str]) -> str:
        """As mathtools' manual says (section 3.6): `\\abs{x}`, `\\abs*{x}` with \\left and \\right, `\\abs[\\big]{x}`
        with \\bigl and \\bigr; \\delimsize in the body is the size."""
        star, size, *rest = arguments
        left, right, middle = ("\\left", "\\right", "\\middle") if star != FALSE else ("", "", "")
        if size != NO_VALUE and not left:
            left, right, middle = f"{size.strip()}l", f"{size.strip()}r", size
        inner = _fill(body, rest).replace("\\delimsize", middle)
        return join([_fill(self.before, rest), left, self.left, inner, right, self.right, _fill(self.behind, rest)])


class Definition(NamedTuple):
    """A definition that was read.

    Attributes:
        macro: None where its uses cannot be expanded: what they stand for is for TeX to find out.
        alias: the name that \\let copies the meaning of, else None.
    """

    name: str
    macro: Macro | None
    alias: str | None = None


def read_definition(command: str, cursor: Cursor) -> Definition | None:
    """The definition that follows a command of `DEFINERS`, which has just been read; None where nothing that it could
    define does.

    A macro is not to be expanded (`Definition.macro` is None) whose body holds commands by which TeX computes: its
    expansion would be the program and not what it writes. The exceptions are bodies that only make sure of math mode,
    and xparse's and LaTeX's own tests of arguments, which `corpus.clean.latex_macros` decides.
    """
    cursor.skip_space()
    return DEFINERS[command](command, cursor)


class Environment(NamedTuple):
    """What is put in for \\begin and \\end of an environment."""

    begin: Macro
    end: Macro


def read_environment(cursor: Cursor) -> tuple[str, Environment | None] | None:
    """The name of the environment that follows \\newenvironment, and the environment, None where its uses cannot be
    expanded; None where nothing is defined."""
    cursor.skip_space()
    cursor.match(_STAR)
    cursor.skip_space()
    name = cursor.group()
    signature = None if name is None else _signature("newcommand", cursor)
    begin = None if signature is None else cursor.argument()
    end = None if begin is None else cursor.argument()
    if name is None or signature is None or begin is None or end is None:
        return None
    before, behind = _definition(name, signature, begin), _definition(name, (), end)
    if before is None or before.macro is None or behind is None or behind.macro is None:
        return name, None
    return name, Environment(before.macro, behind.macro)


def _newcommand(command: str, cursor: Cursor) -> Definition | None:
    name = _defined_name(cursor)
    parameters = None if name is None else _signature(command, cursor)
    return None if name is None or parameters is None else _definition(name, parameters, cursor.argument())


def _signature(command: str, cursor: Cursor) -> list[Parameter] | None:
    """The parameters that \\newcommand and its kin state: `[2][default]`, or with xargs `[2][1=default]`."""
    cursor.skip_space()
    count = cursor.match(_COUNT)
    parameters = [Parameter("m")] * (int(count[1]) if count else 0)
    cursor.skip_space()
    if parameters and cursor.peek() == "[":
        option = cursor.option()
        if option is None:
            return None
        if command.endswith("x"):
            for number, default in _DEFAULT.findall(option):
                if 0 < int(number) <= len(parameters):
                    parameters[int(number) - 1] = Parameter("o", default=_unbraced(default.strip()))
        else:
            parameters[0] = Parameter("o", default=option)
    return parameters


def _new_document_command(command: str, cursor: Cursor) -> Definition | None:
    name = _defined_name(cursor)
    specification = None if name is None else cursor.argument()
    body = None if specification is None else cursor.argument()
    if name is None or specification is None or body is None:
        return None
    parameters = _xparse(specification)
    return Definition(name, None) if parameters is None else _definition(name, parameters, body)


def _def(command: str, cursor: Cursor) -> Definition | None:
    match = cursor.match(_DEF)
    body = None if match is None else cursor.group()
    if match is None or body is None:
        return None
    parameters: list[Parameter] = []
    pieces = _DEF_PARAMETER.split(match[2])
    if pieces[0]:
        parameters.append(Parameter("l", pieces[0]))
    for expected, (number, behind) in enumerate(zip(pieces[1::2], pieces[2::2], strict=True), 1):
        if number != str(expected):
            return Definition(match[1], None)
        delimiter = behind if behind.strip() else ""
        parameters.append(Parameter("u", delimiter) if delimiter else Parameter("m"))
    if match[2].endswith("#"):  # the last parameter ends with a brace
        return Definition(match[1], None)
    return _definition(match[1], parameters, body)


def _named_def(command: str, cursor: Cursor) -> Definition | None:
    match = cursor.match(_PLAIN_NAME)
    return None if match is None else _definition(match[1], (), cursor.argument())


def _let(command: str, cursor: Cursor) -> Definition | None:
    match = cursor.match(_LET)
    if match is None:
        return None
    if match[3] is not None:  # a character; a brace that is not seen as one is beyond us
        return Definition(match[1], None if match[3] in "{}#%" else Macro((), (match[3],), literal=True))
    return Definition(match[1], Macro((), (f"\\{match[2]}",), literal=True), alias=match[2])


def _operator(command: str, cursor: Cursor) -> Definition | None:
    star = cursor.match(_STAR)
    name = _defined_name(cursor)
    text = None if name is None else cursor.argument()
    if name is None or text is None:
        return None
    return _definition(name, (), f"\\operatorname{'*' if star else ''}{{{text}}}")


def _paired_delimiter(command: str, cursor: Cursor) -> Definition | None:
    """\\DeclarePairedDelimiter{\\name}{left}{right}, X: {\\name}[n]{left}{right}{body}, XPP: {\\name}[n]{before}{left}
    {right}{behind}{body}."""
    name = _defined_name(cursor)
    if name is None:
        return None
    extended = command != "DeclarePairedDelimiter"
    count = cursor.match(_COUNT) if extended else None
    groups = [cursor.argument() for _ in range(5 if command.endswith("XPP") else 3 if extended else 2)]
    if None in groups or (extended and count is None):
        return None
    given = [str(group) for group in groups]
    if len(given) == 5:
        before, left, right, behind, body = given
    else:
        before, behind = "", ""
        left, right, body = (*given, "#1") if len(given) == 2 else given
    arguments = int(count[1]) if count else 1
    parameters = (Parameter("s", "*"), Parameter("o"), *[Parameter("m")] * arguments)
    parts = [_pieces(part, arguments) for part in (before, behind, body)]
    if any(part is None for part in parts):
        return Definition(name, None)
    pieces = [part or () for part in parts]
    return Definition(name, Macro(parameters, pieces[2], delimiters=Delimiters(left, right, pieces[0], pieces[1])))


def _font(command: str, cursor: Cursor) -> Definition | None:
    """A font of letters is a matter of layout: its name stands for nothing. That of symbols (\\Bbb's) stays."""
    match = cursor.match(_FONT)
    if match is None:
        return None
    return Definition(match[1], Macro((), ("",)) if _TEXT_FONT.match(match[2]) else None)


_Reader = Callable[[str, Cursor], Definition | None]
_XPARSE = [f"{how}{kind}" for how in ("New", "Renew", "Provide", "Declare") for kind in ("", "Expandable")]
DEFINERS: dict[str, _Reader] = {
    **dict.fromkeys(("newcommand", "renewcommand", "providecommand", "DeclareRobustCommand"), _newcommand),
    **dict.fromkeys(("newrobustcmd", "renewrobustcmd", "providerobustcmd"), _newcommand),
    **dict.fromkeys(("newcommandx", "renewcommandx", "providecommandx", "DeclareRobustCommandx"), _newcommand),
    **{f"{name}DocumentCommand": _new_document_command for name in _XPARSE},
    **dict.fromkeys(("def", "gdef", "edef", "xdef"), _def),
    **dict.fromkeys((f"DeclarePairedDelimiter{kind}" for kind in ("", "X", "XPP")), _paired_delimiter),
    "DeclareMathOperator": _operator,
    "@namedef": _named_def,
    "font": _font,
    "let": _let,
}
"""Commands that define a macro: LaTeX's, etoolbox's, xargs', xparse's, mathtools' and TeX's own."""

PROVIDERS = frozenset(name for name in DEFINERS if name.lower().startswith("provide"))
"""Those that leave a macro that exists as it is."""

PUBLIC_INPUTS = word_set(
    """
    amstex amssym amsppt mssymb cyracc eplain lamstex harvmac lanlmac phyzzx jnl reforder eqnorder iopppt vanilla tables
    epsf psfig psbox boxedeps pictex prepictex postpictex colordvi xy xypic diagrams rotate btxmac glyphtounicode
    """
)
"""Files of macros that papers read by \\input, without their endings: nobody's text, and in TeX's distributions."""

PREFIXES = frozenset({"long", "global", "outer", "protected"})


def _definition(name: str, parameters: Sequence[Parameter], body: str | None) -> Definition | None:
    if body is None:
        return None
    if "\\ifmmode" in body and (ensured := _ENSURES_MATH.fullmatch(body)):
        body = f"\\ensuremath{{{ensured[1].strip()}}}"
    count = sum(len(parameter.text) if parameter.kind == "e" else parameter.kind != "l" for parameter in parameters)
    pieces = _pieces(body, count)
    if pieces is None:
        return None
    return Definition(name, None if _MACHINERY.search(body) else Macro(tuple(parameters), pieces))


def _pieces(body: str, parameters: int) -> tuple[str | int, ...] | None:
    """The body with the numbers of its parameters; None where it has one too many. `##` is a single mark for a macro
    that is defined within."""
    if "#" not in body:
        return (body,) if body else ()
    pieces: list[str | int] = []
    at = 0
    for match in _PARAMETER.finditer(body):
        marks = match[0].rstrip("123456789")
        digit = match[0][len(marks) :]
        pieces.append(body[at : match.start()] + "#" * (len(marks) // 2))
        if len(marks) % 2:
            if int(digit) > parameters:
                return None
            pieces.append(int(digit))
        else:
            pieces.append(digit)
        at = match.end()
    pieces.append(body[at:])
    return tuple(piece for piece in pieces if piece != "")


def _fill(body: Sequence[str | int], arguments: Sequence[str]) -> str:
    return join([arguments[piece - 1] if isinstance(piece, int) else piece for piece in body])


def _defined_name(cursor: Cursor) -> str | None:
    """The control sequence that is defined, in braces or not, behind a star."""
    cursor.match(_STAR)
    match = cursor.match(_NAME_IN_BRACES)
    return None if match is None else match[1] or match[2]


def _unbraced(text: str) -> str:
    return text[1:-1] if text.startswith("{") and Frame(text).group_end(0) == len(text) else text


def _xparse(specification: str) -> list[Parameter] | None:
    """The parameters of an argument specification (interface3's usrguide, section 2); None where one is unknown."""
    parameters: list[Parameter] = []
    cursor = Cursor([Frame(specification)])
    for letter in _letters(cursor):
        if letter in "+!":
            continue
        if letter == ">":
            if cursor.argument() is None:
                return None
        elif letter in "mos":
            parameters.append(Parameter(letter, "*" if letter == "s" else ""))
        elif letter in "OgG":
            default = NO_VALUE if letter == "g" else cursor.argument()
            if default is None:
                return None
            parameters.append(Parameter("o" if letter == "O" else "g", default=default))
        elif letter == "t":
            parameters.append(Parameter("t", cursor.token()))
        elif letter in "dDrR":
            pair = cursor.match(_PAIR)
            default = cursor.argument() if letter in "DR" else NO_VALUE
            if pair is None or default is None:
                return None
            parameters.append(Parameter("d", (pair[1] or pair[2]) + (pair[3] or pair[4]), default))
        elif letter == "e":
            marks = cursor.argument()
            if not marks or "\\" in marks:
                return None
            parameters.append(Parameter("e", "".join(dict.fromkeys(marks.replace(" ", "")))))
        else:
            return None
    return parameters


def _letters(cursor: Cursor) -> Iterator[str]:
    while cursor.skip_space() and cursor.peek():
        yield cursor.token()
