"""What rules and sources say of themselves, for people: the settings with their numbers and where these come from, the
reasons, and the tables of docs/recipes.md."""

import inspect
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from ruamel.yaml import YAML

from corpus.per_document import is_per_document
from corpus.registry import Named, rules, sources
from corpus.rules import Dedup, Filter, Rule
from corpus.sources.source import Source
from corpus.steps.rule import kind_of
from corpus.thresholds import thresholds_of

KINDS = ("cleaner", "filter", "dedup")
LONGEST, WIDEST = 6, 60
"""Items and characters of a default that a table shows."""


@dataclass(frozen=True)
class Setting:
    """One field of a rule or a source.

    Attributes:
        default: as YAML, or None where the recipe must give it.
        items: of a default that is a list or a map.
        compares: what a threshold compares: `words >= , else too_few_words`.
        scores_again: another value scores again; only of filters.
        text: what its docstring says of it.
    """

    name: str
    default: str | None
    items: int
    compares: tuple[str, ...]
    scores_again: bool
    text: str


def settings_of(described: type[BaseModel]) -> list[Setting]:
    """The fields of a class in order."""
    texts: dict[str, str] = {}
    for base in reversed(described.__mro__):
        texts |= attributes_of(inspect.cleandoc(base.__doc__ or ""))
    thresholds = list(thresholds_of(described))
    is_filter = issubclass(described, Filter)
    return [
        Setting(
            name,
            None if field.default is PydanticUndefined else as_yaml(field.default),
            len(field.default) if isinstance(field.default, tuple | list | dict) else 1,
            tuple(
                f"{one.mark.score} {one.mark.side}, else {one.reason}"
                for one in thresholds
                if one.field == name and one.mark.side
            ),
            is_filter and name not in {one.field for one in thresholds},
            texts.get(name, ""),
        )
        for name, field in described.model_fields.items()
    ]


def summary_of(described: type[Any]) -> str:
    """One line: the first of the module that holds nothing else, or of the class."""
    module = inspect.getmodule(described)
    ours = module is not None and module.__name__.startswith("corpus.")
    docstring = inspect.getdoc(module if ours else described) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


def attributes_of(docstring: str) -> dict[str, str]:
    """What the section "Attributes" of a docstring says, by name; `a, b: text` is said of both."""
    _, _, section = docstring.partition("Attributes:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if match := re.match(r"    ([a-z_]\w*(?:, [a-z_]\w*)*): (.*)", line):
            names = match[1].split(", ")
            found |= dict.fromkeys(names, match[2])
        elif line.startswith("        ") and names:
            found |= dict.fromkeys(names, f"{found[names[0]]} {line.strip()}")
        elif line.strip():
            break
    return found


def prose_of(described: type[Any]) -> str:
    """The docstring without its list of attributes."""
    return (inspect.getdoc(described) or "").partition("\nAttributes:\n")[0].strip()


def reasons_of(rule: type[Rule]) -> tuple[str, ...]:
    """Every reason that documents are dropped for: of thresholds in their order, then the others."""
    named = [threshold.reason for threshold in thresholds_of(rule) if threshold.mark.side]
    return tuple(dict.fromkeys([*named, *rule.reasons]))


def as_yaml(value: Any) -> str:
    """A default as a recipe would have it, on one line."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if not isinstance(value, dict | list | tuple):
        return str(value)
    sink = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style, yaml.width = True, 1 << 20
    yaml.dump([*value] if isinstance(value, tuple) else value, sink)
    return sink.getvalue().strip()


def facts_of(described: type[Rule] | type[Source]) -> Iterator[tuple[str, str]]:
    """(what, value) of what a class says beside its settings."""
    yield "version", str(described.version)
    if issubclass(described, Source):
        yield "raw files", described.formats
        yield "text in a raw byte", f"{described.text_per_raw:g} bytes"
        yield "text of a document", f"{described.document_bytes:,} bytes"
        return
    if issubclass(described, Filter):
        yield "scores", ", ".join(described.score_names())
        yield "looks at", ", ".join(described.reads)
    yield "reasons", ", ".join(reasons_of(described)) or "none"
    yield "expected to keep", f"{described.keeps:.0%} of the text"
    if issubclass(described, Dedup):
        yield "removes", described.removes
        yield "spills", described.spills
    if is_per_document(described):
        yield "speed", "one document at a time, in Python: slow"


def markdown() -> str:
    """The tables of docs/recipes.md, each behind a comment that names it."""
    found = [named for named in rules() if named.type.__module__.startswith("corpus.")]
    tables = [_table("sources", ["source", "keys", "reads"], map(_source_row, _ours(sources())))]
    for kind in KINDS:
        of_kind = [named for named in _ours(found) if kind_of(named.type) == kind]
        tables.append(_table(f"rules: {kind}", ["rule", "settings", "reasons", "keeps"], map(_rule_row, of_kind)))
    return "\n".join(tables)


def _ours(some: list[Named]) -> list[Named]:
    return [named for named in some if named.type.__module__.startswith("corpus.")]


def _table(mark: str, headings: list[str], rows: Iterator[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return f"<!-- {mark} -->\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _source_row(named: Named) -> list[str]:
    return [_link(named), _settings_cell(named.type), named.type.formats]


def _rule_row(named: Named) -> list[str]:
    reasons = ", ".join(f"`{reason}`" for reason in reasons_of(named.type))
    return [_link(named), _settings_cell(named.type), reasons, f"{named.type.keeps:.0%}"]


def _link(named: Named) -> str:
    folder = Path(inspect.getfile(named.type)).parent.name
    return f"[`{named.name}`](../corpus/{folder}/{named.name}.py)"


def _settings_cell(described: type[BaseModel]) -> str:
    cells = []
    for setting in settings_of(described):
        mark = "*" if setting.scores_again else ""
        if setting.default is None:
            cells.append(f"{mark}`{setting.name}`{mark} (required)")
        elif setting.items <= LONGEST and len(setting.default) < WIDEST:
            cells.append(f"{mark}`{setting.name}: {setting.default}`{mark}")
        else:
            cells.append(f"{mark}`{setting.name}`{mark}" + (f" ({setting.items} of them)" if setting.items > 1 else ""))
    return ", ".join(cells).replace("|", "\\|")
