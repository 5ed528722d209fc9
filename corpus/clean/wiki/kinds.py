"""The kinds of templates that `templates.tsv` names: each is a function from a call and the rule that stands in the
table beside the name to the text that a reader sees, or None where that is not on the page."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from corpus.clean.wiki.functions import expression, parser_function
from corpus.clean.wiki.locale import date, iso_date, number, ordinal
from corpus.clean.wiki.units import RANGES, unit_name, unit_symbol
from corpus.text.scripts import superscript

BAR, EQUALS = "\ue001", "\ue002"
"""Stand for "|" and "=" that a template gave, so that they do not separate the arguments of the one around it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a template.

    Attributes:
        name: as written, without the namespace.
        parts: everything between the bars behind the name, stripped.
        positional: the arguments without a name, stripped.
        given: all arguments, by number from "1" on or by name in lower case.
        language, title: of the page.
    """

    name: str
    parts: Sequence[str]
    positional: Sequence[str]
    given: Mapping[str, str]
    language: str
    title: str

    def first(self, keys: str) -> str:
        """The first argument that is not empty, of names and numbers separated by "|"."""
        return next((value for key in keys.split("|") if (value := self.given.get(key))), "")


Kind = Callable[[str, Call], str | None]

_DATE_PART = re.compile(r"[-\w'’ .,]+")
_ISO_DATE = re.compile(r"\d{3,4}-\d\d?(?:-\d\d?)?")
_MONTH = re.compile(r"\d{1,2}|[^\W\d]+\.?")
_YEAR = re.compile(r"-?\d{3,4}")


def _text(rule: str, call: Call) -> str:
    return rule[1:-1].replace('\\"', '"').replace("|", BAR).replace("=", EQUALS)


def _argument(rule: str, call: Call) -> str:
    return call.first(rule)


def _quote(rule: str, call: Call) -> str:
    text = call.first(rule)
    return f"\n{text}\n" if "\n" in text else text


def _span(rule: str, call: Call) -> str:
    """Of marks such as `{{cn|...}}` the text in question, not the date or the note that many hold in its place."""
    text = call.first(rule)
    return text if len(text.split()) > 2 and not re.search(r"\b20\d\d$", text) else ""


def _magic(rule: str, call: Call) -> str:
    return call.title if rule == "title" else ""


def _name(rule: str, call: Call) -> str:
    return call.name


def _rest(rule: str, call: Call) -> str:
    return call.name.partition(" ")[2]


def _join(rule: str, call: Call) -> str:
    start, separator = rule.split('"')[:2]
    return separator.replace("\\n", "\n").join(value for value in call.positional[int(start) - 1 :] if value)


def _music(rule: str, call: Call) -> str:
    signs = {"flat": "♭", "b": "♭", "sharp": "♯", "#": "♯", "natural": "♮", "n": "♮"}
    signs |= {"doubleflat": "𝄫", "bb": "𝄫", "doublesharp": "𝄪", "##": "𝄪", "x": "𝄪"}
    return signs.get(call.first("1").lower(), "")


def _language_name(rule: str, call: Call) -> str:
    czech = "de=německy en=anglicky fr=francouzsky la=latinsky ru=rusky pl=polsky it=italsky es=španělsky el=řecky"
    czech += " hu=maďarsky sk=slovensky pt=portugalsky nl=nizozemsky sv=švédsky ja=japonsky zh=čínsky ar=arabsky"
    return dict(pair.split("=") for pair in czech.split()).get(call.first("1"), "")


def _ordinal(rule: str, call: Call) -> str:
    return ordinal(call.first("1"), call.language)


def _ipa_parts(rule: str, call: Call) -> str:
    """Of `{{IPAc-en|...}}` the sounds; what says how they are shown, and sound files, are left out."""
    shown = (
        "uk",
        "us",
        "ca",
        "au",
        "nz",
        "lang",
        "pron",
        "also",
        "local",
        "ipa",
        "us-uk",
        "uk-us",
        "audio",
        "small",
        "icon",
    )
    sounds = [value for value in call.positional if value.lower() not in shown and "." not in value[1:]]
    text = "".join(" " if sound == "_" else sound for sound in sounds)
    return f"/{text}/" if text else ""


def _ship(rule: str, call: Call) -> str:
    """`{{USS|Enterprise|CVN-65|2}}`: the last number says which of prefix, name and hull number are shown."""
    ship, hull, style = (*call.positional, "", "", "")[:3]
    if not ship:
        return ""
    shown = {"1": hull, "2": f"{rule} {ship}", "3": f"{ship} ({hull})", "5": f"{rule} {hull}", "6": ship}
    return shown.get(style, f"{rule} {ship}" + (f" ({hull})" if hull else "")).strip()


def _ship_with_prefix(rule: str, call: Call) -> str:
    if not call.positional:
        return ""
    rest = call.positional[1:]
    return _ship(call.positional[0], Call(call.name, rest, rest, call.given, call.language, call.title))


def _chemistry(rule: str, call: Call) -> str:
    text = ""
    for value in call.positional:
        text += superscript(text, value) if re.fullmatch(r"\d*[-−+]", value) else value
    return text


def _uncertain(rule: str, call: Call) -> str:
    """A measured value. `{{val|5|0.2}}`: 5 ± 0.2; `{{val|5|0.3|0.2}}`: 5 +0.3 −0.2; `{{val|5|(2)}}`, an uncertainty of
    the last digit: 5(2). The rule says what stands behind (documentation of Template:Val)."""
    value, above, below = (call.first(key) for key in "123")
    text = number(value, call.language)
    signs = "+-−±"
    if above and below:
        text += f" +{above.lstrip(signs)} −{below.lstrip(signs)}"
    elif above:
        text += above if above.startswith("(") else f" ± {above.lstrip(signs)}"
    if " " in text and call.first("e"):
        text = f"({text})"
    return text + _format_behind(rule, call, text)


def _cited_author(rule: str, call: Call) -> str:
    """`{{harvtxt|Jones|Brown|2001|p=3}}`: Jones & Brown (2001, p. 3), part of a sentence (documentation of
    Template:Harvtxt: of four names and more the first and "et al.")."""
    *names, year = call.positional or ("",)
    pages = f", p. {page}" if (page := call.first("p|page")) else f", pp. {some}" if (some := call.first("pp")) else ""
    if len(names) > 3:
        names = [f"{names[0]} et al."]
    who = " & ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
    return f"{who} ({year}{pages})" if who else year


def _fraction(rule: str, call: Call) -> str:
    """`{{frac|1|2}}`: 1/2; `{{frac|3|1|2}}`: 3 1/2; `{{frac|2}}`: 1/2."""
    numbers = [f"({value})" if re.search(r"\w\s*[-−+]\s*\w", value) else value for value in call.positional if value]
    if "/" in "".join(numbers):
        return " ".join(numbers)
    return {1: "1/{}", 2: "{}/{}", 3: "{} {}/{}"}.get(len(numbers), "").format(*numbers)


def _percent(rule: str, call: Call) -> str | None:
    if len(call.positional) < 2:
        return "".join(f"{number(value, call.language)}%" for value in call.positional)
    part, whole, *digits = call.positional
    share = expression(f"100 * ({part}) / ({whole}) round {digits[0] if digits and digits[0] else 0}")
    return share and f"{number(share, call.language, exact=True)}%"


def _country(rule: str, call: Call) -> str:
    """A code stays a code. `1 if nome`: only where the argument behind "if" is given."""
    keys, condition, needed = rule.partition(" if ")
    return call.first(keys) if not condition or call.first(needed) else ""


def _date(rule: str, call: Call) -> str:
    """Year, month and day in whatever order they stand in; the names of months stay as written."""
    p = [value.replace("&nbsp;", " ") for value in call.positional[:3]]
    p = [value for value in p if _DATE_PART.fullmatch(value)]
    if p and _ISO_DATE.fullmatch(p[0]):
        return iso_date(p[0], call.language, "dmy" in p[1:])
    if len(p) < 2 or not _MONTH.fullmatch(p[1]):
        return p[0] if p else ""
    place = next((n for n, v in enumerate(p) if _YEAR.fullmatch(v) or (v.isdecimal() and int(v) > 31)), None)
    year_first = place == 0 or (place is None and len(p) == 3 and rule.startswith("ymd"))
    ordered = p if year_first else p[::-1]
    year, month, day = (*ordered, "", "")[:3] if place is not None or len(p) == 3 else ("", *ordered[:2])
    day_first = call.given.get("df", "n")[:1] in "yd" or not (month.isdecimal() or year_first)
    return date(call.language, year, month, day, day_first=day_first and call.language in ("en", "simple"))


def _as_of(rule: str, call: Call) -> str:
    if alternative := call.given.get("alt"):
        return alternative
    words = rule.split('"')[3 if call.given.get("lc") else 1]
    given = {"df": "y", **call.given} if "df" not in call.given and "mf" not in call.given else call.given
    when = _date("", Call(call.name, call.parts, call.positional, given, call.language, call.title))
    return ("" if call.given.get("bare") else words) + when + call.given.get("post", "")


def _age(rule: str, call: Call) -> str | None:
    """Between two dates. To today: not on the page, and another number every year."""
    n = [int(value) for value in call.positional if value.isdecimal() and len(value) < 5]
    if len(n) < 6:
        return None
    born, then = (n[:3], n[3:6]) if n[0] > 31 else (n[2::-1], n[5:2:-1])
    return str(then[0] - born[0] - (then[1:] < born[1:]))


def _convert(rule: str, call: Call) -> str:
    """The measure as the author gave it, without the ones converted to; in English with the unit's name, elsewhere with
    its symbol."""
    p, language = call.positional, call.language
    abbreviated = call.given.get("abbr", "").lower() in ("on", "y", "yes", "in") or call.name.lower() == "cvt"
    adjective = call.given.get("adj", "").lower() in ("on", "j", "1", "mid")
    out: list[str] = []
    at = 0
    while at + 1 < len(p) and re.match(r"[-−+]?[\d.,]", p[at].replace("&nbsp;", "")):
        value, what = number(p[at].replace("+", " ", 1) if "/" in p[at] else p[at], language), p[at + 1]
        if sign := RANGES.get(what.lower()):
            out += [value, sign if language in ("en", "simple") or len(sign) == 1 else "–"]
            at += 2
            continue
        if language not in ("en", "simple") or abbreviated:
            unit = unit_symbol(what)
        else:
            unit = unit_name(what, p[at], singular=adjective)
        out += [f"{value}-{unit.replace(' ', '-')}" if adjective and not abbreviated else f"{value} {unit}"]
        at += 2
        if what not in ("ft", "lb", "st", "yd", "mi", "h", "oz"):  # {{convert|6|ft|2|in}}
            break
    return re.sub(r"(?<=\d) – (?=\d)", "–", " ".join(out or p[:2]))


def _density(rule: str, call: Call) -> str | None:
    """`{{pop density|people|area|unit|prec=1}}`."""
    people, area, unit = (*call.positional, "", "", "")[:3]
    share = expression(f"({people}) / ({area}) round {call.given.get('prec') or 0}".replace(",", ""))
    return share and f"{number(share, call.language, exact=True)}/{unit_symbol(unit)}"


def _biography(rule: str, call: Call) -> str:
    """The first sentence of a biography, which the template Bio of the Italian Wikipedia writes."""

    def given(key: str) -> str:
        return call.given.get(key, "").strip()

    ends = [
        ", ".join(
            part
            for part in (given("luogo" + end), f"{given('giornomese' + end)} {given('anno' + end)}")
            if part.strip()
        )
        for end in ("nascita", "morte")
        if given("anno" + end).strip("? ")
    ]
    female = given("sesso").upper() == "F"
    verb = ("è stata" if female else "è stato") if given("annomorte") else "è"
    work = " e ".join(part for part in (given("attività"), given("attività2")) if part)
    if third := given("attività3"):
        work = f"{given('attività')}, {given('attività2')} e {third}"
    article = "una" if female else "uno" if re.match(r"s[^aeiou]|z|ps|gn|x|y", work.lower()) else "un"
    if female and work[:1].lower() in "aeiou":
        article = "un'"
    place = f" ({' – '.join(ends)})" if ends else ""
    after = f", {given('postcognomevirgola')}," if given("postcognomevirgola") else ""
    extra = f" {given('postcognome')}" if given("postcognome") else ""
    nationality = " ".join(part for part in (given("nazionalità"), given("nazionalitànaturalizzato")) if part)
    what = given("fineincipit") or f"{verb} {article} {work} {nationality}{given('postnazionalità')}.".replace(
        "' ", "'"
    )
    if not given("nome") or not (work or given("fineincipit")):
        return ""
    sentence = " ".join(f"{given('titolo')} {given('nome')} {given('cognome')}{extra}{after}{place} {what}".split())
    return re.sub(r" ([.,])", r"\1", f"{sentence} {given('incipit')}".strip())


def _function(rule: str, call: Call) -> str | None:
    return parser_function(rule, list(call.parts), call.language)


@dataclass(frozen=True, slots=True)
class _Field:
    keys: tuple[str, ...]
    style: str
    optional: bool
    otherwise: str


_Piece = str | _Field | tuple["_Piece", ...]


@lru_cache(maxsize=4096)
def _compiled(rule: str) -> tuple[_Piece, ...]:
    """`{1|text:n}` an argument; `[...]` only where all arguments in it are given; `{1?}` one that may lack;
    `{1|'e'}` with a text in its place; the styles: n number, o ordinal, ^ superscript, 0 not shown."""
    tokens = re.findall(r"\{[^{}]*\}|[\[\]]|[^\[\]{}]+", rule)[::-1]

    def group() -> tuple[_Piece, ...]:
        pieces: list[_Piece] = []
        while tokens and (token := tokens.pop()) != "]":
            if token == "[":
                pieces.append(group())
            elif token[0] == "{":
                names, _, style = token[1:-1].partition(":")
                keys = names.rstrip("?").split("|")
                quoted = next((key[1:-1] for key in keys if key[0] == "'"), "")
                named = tuple(key for key in keys if key[0] != "'")
                pieces.append(_Field(named, style, names.endswith("?"), quoted))
            else:
                pieces.append(token)
        return tuple(pieces)

    return group()


def _styled(value: str, style: str, before: str, call: Call) -> str:
    if style == "n":
        digits, space, unit = value.partition(" ")  # {{unité|123253 habitants}}
        return number(digits, call.language) + space + unit if unit[:1].isalpha() else number(value, call.language)
    if style == "o":
        return ordinal(value, call.language)
    if style == "^":
        return superscript(before, value)
    return "" if style == "0" else value


def _filled(pieces: tuple[_Piece, ...], call: Call, before: str) -> tuple[str, bool, bool]:
    """The text, whether an argument was given, and whether one lacks."""
    text, got, lacks, fields = "", False, False, 0
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
        elif isinstance(piece, tuple):
            inner, some, none = _filled(piece, call, before + text)
            if some and not none:
                text += inner
                got = True
        else:
            fields += 1
            value = next((value for key in piece.keys if (value := call.given.get(key))), "")
            got = got or bool(value)
            value = value or piece.otherwise
            lacks = lacks or not (value or piece.optional)
            text += _styled(value, piece.style, before + text, call) if value else ""
    return text, got or not fields, lacks


def _format_behind(rule: str, call: Call, before: str) -> str:
    """What a rule of optional groups adds to a text."""
    return _filled(_compiled(rule), call, before)[0]


def _format(rule: str, call: Call) -> str:
    pieces = _compiled(rule)
    text, got, _ = _filled(pieces, call, "")
    if not got:
        literal = all(not isinstance(piece, _Field) or piece.otherwise for piece in pieces)
        text = text if literal else ""
    text = " ".join(text.split())
    # ⟦ ⟧ are brackets that the reader sees; those of a link to an address must not become one again.
    text = text.replace("⟦[", "⟦").replace("]⟧", "⟧")  # the author may have written them too
    return text.replace("⟦", "&#91;").replace("⟧", "&#93;")


KINDS: dict[str, Kind] = {
    **{"text": _text, "argument": _argument, "quote": _quote, "span": _span, "magic": _magic, "name": _name},
    **{"rest": _rest, "join": _join, "music": _music, "langname": _language_name, "ordinal": _ordinal},
    **{"ipac": _ipa_parts, "ship": _ship, "shipx": _ship_with_prefix, "chem": _chemistry, "fraction": _fraction},
    **{"percent": _percent, "country": _country, "date": _date, "asof": _as_of, "age": _age, "convert": _convert},
    **{"density": _density, "uncertain": _uncertain, "author": _cited_author},
    **{"bio": _biography, "function": _function, "format": _format},
}
"""Every kind of the table but `drop`, which has no text."""
