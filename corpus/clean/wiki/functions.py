"""Parser functions of MediaWiki whose value is on the page: https://www.mediawiki.org/wiki/Help:Extension:ParserFunctions
and https://www.mediawiki.org/wiki/Help:Magic_words."""

import math
import operator
import re
from collections.abc import Callable

from corpus.clean.wiki.locale import iso_date, number, plain_number
from corpus.clean.wiki.repair import GONE, HOLE

_LONGEST = 300
"""Characters of an expression that is worked out."""

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][-+]?\d{1,3})?|\.\d+)|([a-z]+|<>|!=|<=|>=|[-+*/^()<>=]))")
_CALLS: dict[str, Callable[[float], float]] = {
    **{"not": lambda x: float(not x), "abs": abs, "sqrt": math.sqrt, "exp": math.exp, "ln": math.log},
    **{"sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin, "acos": math.acos, "atan": math.atan},
    **{"floor": math.floor, "ceil": math.ceil, "trunc": math.trunc},
}
_BINARY: dict[str, tuple[int, Callable[[float, float], float]]] = {
    "^": (7, lambda x, y: math.pow(x, y)),
    **{"*": (6, operator.mul), "/": (6, operator.truediv), "div": (6, operator.truediv), "mod": (6, math.fmod)},
    **{"+": (5, operator.add), "-": (5, operator.sub)},
    "round": (4, lambda x, digits: _rounded(x, digits)),
    **{"=": (3, operator.eq), "<>": (3, operator.ne), "!=": (3, operator.ne)},
    **{"<": (3, operator.lt), ">": (3, operator.gt), "<=": (3, operator.le), ">=": (3, operator.ge)},
    "and": (2, lambda x, y: float(bool(x) and bool(y))),
    "or": (1, lambda x, y: float(bool(x) or bool(y))),
}
_CONSTANTS = {"pi": math.pi, "e": math.e}


def expression(text: str) -> str | None:
    """The value of `{{#expr: ...}}`, "" of an empty one, or None where it has none."""
    if not text.strip():
        return ""
    if len(text) > _LONGEST:
        return None
    try:
        value = float(_Parser(text.lower().replace("\u2212", "-").replace("&minus;", "-")).value())
        return None if not math.isfinite(value) else f"{value:.14g}" if abs(value) < 1e15 else f"{value:.14g}".upper()
    except (ValueError, ArithmeticError, IndexError, RecursionError):
        return None


class _Parser:
    """Precedence climbing over the tokens of an expression."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise ValueError(text)
            self._tokens.append(found[1] or found[2])
            position = found.end()
        self._next = 0

    def value(self) -> float:
        value = self._binary(0)
        if self._next < len(self._tokens):
            raise ValueError("something follows")
        return value

    def _binary(self, least: int) -> float:
        left = self._unary()
        while self._next < len(self._tokens) and (found := _BINARY.get(self._tokens[self._next])) and found[0] > least:
            self._next += 1
            left = float(found[1](left, self._binary(found[0])))
        return left

    def _unary(self) -> float:
        token = self._tokens[self._next]
        self._next += 1
        if token in ("+", "-"):
            value = self._binary(7)
            return -value if token == "-" else value
        if token in _CALLS:
            return float(_CALLS[token](self._binary(8)))
        if token == "(":
            value = self._binary(0)
            if self._tokens[self._next] != ")":
                raise ValueError("not closed")
            self._next += 1
            return value
        return _CONSTANTS[token] if token in _CONSTANTS else float(token)


def _rounded(value: float, digits: float) -> float:
    """Halves go away from zero, as in PHP."""
    scale = 10.0 ** max(-20, min(20, int(digits)))
    return math.copysign(math.floor(abs(value) * scale + 0.5) / scale, value)


def parser_function(name: str, p: list[str], language: str) -> str | None:
    """The value of a parser function, or None where it is not on the page.

    Args:
        name: of the table: `if`, `formatnum`, ...
        p: its arguments, stripped, cut at "|" alone.
    """
    x, y, z, w = (*p, "", "", "", "")[:4]
    match name:
        case "if":
            return y if x else z
        case "ifeq":
            return z if _same(x, y) else w
        case "ifexpr":
            value = expression(x)
            return None if value is None else y if value not in ("", "0") else z
        case "ifexist":
            return y
        case "iferror":
            return z if len(p) > 2 else x
        case "expr":
            return expression(x)
        case "switch":
            return _switch(x, p[1:])
        case "formatnum":
            if not x.strip(f"{GONE}{HOLE}"):  # of a template that nobody knows
                return None
            return plain_number(x, language) if y in ("R", "NOSEP") else number(x, language, exact=True)
        case "dateformat":
            return iso_date(x, language, y == "dmy")
        case "lc" | "uc" | "lcfirst" | "ucfirst":
            return _cased(name, x)
        case "padleft" | "padright":
            width = min(int(y), 99) if y.isdecimal() else 0
            return x.rjust(width, z[:1] or "0") if name == "padleft" else x.ljust(width, z[:1] or "0")
        case "plural":
            return y if x == "1" else next((form for form in reversed(p[1:]) if form), "")
        case "gender" | "grammar":
            return y
        case "tag":
            return "" if x.lower() in ("ref", "references", "gallery", "templatestyles") else y
    return None


def _same(x: str, y: str) -> bool:
    try:
        return float(x) == float(y)
    except ValueError:
        return x == y


def _cased(name: str, text: str) -> str:
    if name == "lc":
        return text.lower()
    if name == "uc":
        return text.upper()
    return (text[:1].lower() if name == "lcfirst" else text[:1].upper()) + text[1:]


def _switch(value: str, cases: list[str]) -> str:
    """A case without "=" falls through to the next that has one; the last without is the default, as is #default."""
    default = ""
    hit = default_follows = False
    for number_, case in enumerate(cases):
        key, equals, result = (part.strip() for part in case.partition("="))
        hit = hit or (key == value and (bool(equals) or number_ + 1 < len(cases)))
        default_follows = default_follows or key == "#default"
        if equals:
            if hit:
                return result
            if default_follows:
                default, default_follows = result, False
        elif number_ + 1 == len(cases):
            default = key
    return default
