"""The table of template kinds, and what a template in the text stands for.

`templates.tsv` beside this file has a row for each name of each Wikipedia ("*": of the English one, which the others
fall back to): its kind (`corpus.clean.wiki.kinds`), a rule that the kind reads, and where the name and its meaning are
from. Names are in lower case, "*" in a name stands for anything.

| source | what it is |
|---|---|
| dbpedia | names and redirects of each Wikipedia (`mappingstats_*.txt`), settings of parsers: extraction framework |
| wtf_wikipedia | the templates of spencermountain/wtf_wikipedia |
| article, used in | a real page or a test of a public project that uses it so |
| mediawiki.org | Help:Magic words, Help:Extension:ParserFunctions |
| memory | documentation of the template, not looked up again |
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from corpus.clean.wiki.kinds import KINDS, Call
from corpus.clean.wiki.locale import number
from corpus.clean.wiki.units import is_unit, unit_symbol
from corpus.text.mediawiki import names

COMPUTED = "computed"
"""The rule of a `drop` whose value readers see and the page does not hold."""

_COMMON_PREFIXES = ("subst", "safesubst", "msg", "template", "t")
_ARGUMENT_NAME = re.compile(r"[\w \-()/.]+")
_CODE = re.compile(r"[A-Z]{3}")
_SHORT_NAME = re.compile(r"(?=\w{0,5}[A-Z])\w{2,6}")
_NUMBER = re.compile(r"[-−+]?\d[\d.,]*")
_WIKI_CODE = re.compile(r"[a-z]{2,3}")
_QUOTED = ("text", "quote", "1", "texte", "citation", "texto", "cita", "testo", "zitat", "tekst", "citat", "citaat")
_QUOTED_TOO = ("цитата", "текст", "treść", "szöveg", "besedilo")
_LEAST_QUOTE = 40
_LONGEST_NAME = 255  # of a page; only the argument of a parser function makes it longer


class Entry(NamedTuple):
    """What the table says of a name."""

    kind: str
    rule: str


class _Table(NamedTuple):
    exact: dict[str, Entry]
    patterns: list[tuple[re.Pattern[str], Entry]]

    def find(self, name: str) -> Entry | None:
        if name in self.exact:
            return self.exact[name]
        return next((entry for pattern, entry in self.patterns if pattern.fullmatch(name)), None)


@cache
def _tables() -> dict[str, _Table]:
    tables: dict[str, _Table] = {}
    rows = files("corpus.clean.wiki").joinpath("templates.tsv").read_text("utf-8").splitlines()[1:]
    for language, name, kind, rule, _ in (row.split("\t") for row in rows):
        table = tables.setdefault(language, _Table({}, []))
        table.exact[name] = Entry(kind, rule)
        if "*" in name and name != "*":
            table.patterns.append((re.compile(".*".join(map(re.escape, name.split("*")))), Entry(kind, rule)))
    return tables


@cache
def _prefix(language: str) -> re.Pattern[str]:
    words = sorted({*_COMMON_PREFIXES, *names(language, "template")})
    return re.compile(rf"(?:(?:{'|'.join(map(re.escape, words))})\s*:\s*)+", re.IGNORECASE)


@lru_cache(maxsize=1 << 16)
def find(language: str, written: str) -> tuple[str, Entry | None, bool]:
    """The plain name, its entry, and whether it is a parser function, whose first argument follows a colon.

    Args:
        written: what stands in front of the first bar; of a parser function up to its colon.
    """
    written = " ".join(written.replace("_", " ").split())
    tables = [_tables()[own] for own in (language, "*") if own in _tables()]
    head, colon, _ = written.partition(":")
    if colon:
        function = next(filter(None, (table.find(f"{head.lower()}:") for table in tables)), None)
        if function is not None:
            return head, function, True
        written = _prefix(language).sub("", written, count=1)
    name = written.lower()
    return written, next(filter(None, (table.find(name) for table in tables)), None), False


class Template(NamedTuple):
    """One use of a template, looked up."""

    call: Call
    entry: Entry | None

    def value(self) -> str | None:
        """The text of one that the table gives a kind with a text; None where it is not on the page."""
        if self.entry is None or self.entry.kind == "drop":
            return None
        if _CODE.fullmatch(self.call.name) and not self.call.parts and "[{1:n}]" not in self.entry.rule:
            return self.call.name  # {{PHI}} is a country, {{phi}} a letter
        return KINDS[self.entry.kind](self.entry.rule, self.call)

    def guess(self) -> str | None:
        """Of a name that is not in the table and stands within a sentence: a measure, its only argument, the text of
        what looks like a link to another wiki, or a short name such as {{CO2}}; None where nothing can be guessed."""
        name, positional = self.call.name, [value for value in self.call.positional if value]
        if not self.call.parts:
            return name if _SHORT_NAME.fullmatch(name) else None
        if is_unit(name) and positional and _NUMBER.fullmatch(positional[0]):
            return f"{number(positional[0], self.call.language)} {unit_symbol(name)}"
        if len(positional) == 1 or (len(positional) > 1 and _WIKI_CODE.fullmatch(positional[1])):
            return positional[0]
        return None

    def quotation(self) -> str:
        """The long text in it, for one that stands behind a colon; "" without."""
        found = self.call.first("|".join((*_QUOTED, *_QUOTED_TOO)))
        return found if len(found) >= _LEAST_QUOTE else ""


def template(body: str, language: str, title: str, redirects: Mapping[str, str]) -> Template:
    """From what stands between the braces, its own templates and links already text.

    Args:
        redirects: of the dump, from a name in lower case that is not in the table to one that is.
    """
    written, *parts = body.split("|")
    name, entry, function = find(
        language, written if len(written) <= _LONGEST_NAME else written.partition(":")[0] + ":"
    )
    if entry is None and name.lower() in redirects:
        name, entry, function = find(language, redirects[name.lower()])
    if function:
        parts = [written.partition(":")[2], *parts]
    stripped = [part.strip() for part in parts]
    if function or (entry is not None and entry.kind == "function"):
        positional: Sequence[str] = stripped
        named: dict[str, str] = {}
    else:
        positional, named = _arguments(parts)
    given = {str(number): value for number, value in enumerate(positional, 1)}
    return Template(Call(name, stripped, positional, given | named, language, title), entry)


def _arguments(parts: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    positional: list[str] = []
    named: dict[str, str] = {}
    for part in parts:
        key, equals, content = part.partition("=")
        if equals and _ARGUMENT_NAME.fullmatch(key.strip()):
            named[key.strip().lower()] = content.strip()
        else:
            positional.append(part.strip())
    return positional, named
