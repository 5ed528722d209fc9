"""From the YAML of a recipe to a `Recipe` whose every part was checked. Every mistake is told, each with its line."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from typing import Any, TypeVar

from pydantic import BaseModel
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from corpus.errors import UserError
from corpus.recipe.document import RecipeDocument, Where, parse_yaml, read_document
from corpus.recipe.sections import MixtureSection, SourceSection, TokenizerSection, Top
from corpus.registry import find_rule, find_source, short_name
from corpus.rules import Rule
from corpus.settings import unset_variable
from corpus.sources.source import Source
from corpus.steps.rule import NamedRule, locate, named_files

S = TypeVar("S", bound=BaseModel)

_SOURCE_NAME = re.compile(r"(?!tokens$|recipes$|removed$|tokenizer-|mixture-)[A-Za-z0-9][A-Za-z0-9_.-]*")
"""It is the name of a folder in that of the run, beside the others that lie there."""


@dataclass(frozen=True)
class SourceEntry:
    """One source of a recipe: where its raw files are, how to read them, and its rules in order.

    Attributes:
        name: that folders, documents, the mixture and the trainer know it by.
        type: of its class, as `corpus.registry` finds it.
    """

    name: str
    type: str
    source: Source
    input: str
    include: tuple[str, ...]
    split_bytes: int
    steps: tuple[NamedRule, ...]


@dataclass(frozen=True)
class Recipe:
    """A recipe whose every part was checked.

    Attributes:
        across: rules over all sources, after all their own steps; in a dedup earlier sources win.
        body: the YAML as it was read, for the sections that other packages type (`training`).
    """

    path: str
    output: str
    sources: tuple[SourceEntry, ...]
    across: tuple[NamedRule, ...]
    tokenizer: TokenizerSection | None
    mixture: MixtureSection | None
    body: CommentedMap

    def section(self, name: str, model: type[S]) -> S | None:
        """A top-level section typed by the package that uses it, or None when the recipe has none."""
        if name not in self.body:
            return None
        document = RecipeDocument(self.path, self.body)
        section = document.typed((name,), model)
        document.raise_mistakes()
        return section


def bundled(name: str) -> str:
    """The path of a recipe that comes with the package ("demo", "llama").

    Raises:
        UserError: there is none of that name.
    """
    path = str(resources.files("corpus") / "recipes" / f"{name}.yaml")
    if not os.path.exists(path):
        names = ", ".join(bundled_names())
        raise UserError(f"no recipe file {name}, and no bundled recipe of that name: bundled are {names}")
    return path


def bundled_names() -> list[str]:
    """Of the recipes that come with the package, sorted."""
    files = (resources.files("corpus") / "recipes").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def load(
    path: str,
    overrides: Mapping[str, str] | None = None,
    variables: Mapping[str, str] = os.environ,
    needs_models: bool = True,
    sections: Mapping[str, type[BaseModel]] | None = None,
) -> Recipe:
    """Reads and checks a recipe.

    Relative paths are relative to the working directory.

    Args:
        overrides: replaces `output`, or the input of a source ("input.books").
        variables: put into every string (`$HOME`, `${DATA}`).
        needs_models: without it, the model files of rules may be missing.
        sections: types of sections that other packages read (`training`), to check them with the rest.

    Raises:
        UserError: unknown keys, wrong types, missing files, each as a line `FILE:LINE: what; what to do`.
    """
    if not os.path.isfile(path):  # a folder may well have the name of a bundled recipe
        path = bundled(path) if os.sep not in path and not path.endswith((".yaml", ".yml")) else path
    document = read_document(path, Top.model_fields)
    document.expand(variables)
    for key, value in (overrides or {}).items():
        _override(document, key, value)
    document.typed((), Top)
    output = document.body.get("output")
    if isinstance(output, str) and (unset := unset_variable(output)):
        document.mistake(("output",), f"output: {unset} is not set in the environment: set it, or give a path")
    sources = tuple(_sources(document, needs_models))
    across = tuple(_rules(document, ("across",), needs_models))
    tokenizer = _section(document, "tokenizer", TokenizerSection)
    mixture = _section(document, "mixture", MixtureSection)
    for name, model in (sections or {}).items():
        _section(document, name, model)
    _check_sources(document, mixture)
    _check_indexes(document, [*across, *(rule for entry in sources for rule in entry.steps)])
    if mixture is not None:
        _check_mixture(document, mixture)
    document.raise_mistakes()
    return Recipe(path, str(output), sources, across, tokenizer, mixture, document.body)


def source_entry(name: str, input: str, settings: str) -> SourceEntry:
    """A source without steps, as the command line gives it: a type, a folder of raw files, and a YAML map.

    Raises:
        UserError: not a known source, or settings that do not fit it.
    """
    section = parse_yaml("--setting", settings)
    if not isinstance(section, CommentedMap):
        raise UserError(f"--setting {settings!r} is not a map: write it as '{{key: value}}'")
    section["input"] = input
    section.setdefault("type", name)
    document = RecipeDocument("--setting", CommentedMap(sources=CommentedMap({short_name(name): section})))
    found = list(_sources(document))
    document.raise_mistakes()
    return found[0]


def parse_rules(texts: Sequence[str], settings: Mapping[str, str] | None = None) -> tuple[NamedRule, ...]:
    """Rules as the command line gives them: each the YAML of one step, `language` or `language: {keep: [en]}`.

    Args:
        settings: more of them, of every rule, that options of their own give.

    Raises:
        UserError: not a known rule, or settings that do not fit it.
    """
    steps = CommentedSeq([_with(parse_yaml("--rule", text), settings or {}) for text in texts])
    document = RecipeDocument("--rule", CommentedMap(steps=steps))
    rules = tuple(_rules(document, ("steps",)))
    document.raise_mistakes()
    return rules


def _with(step: Any, settings: Mapping[str, str]) -> Any:
    """A step with more settings of its rule; what is no step stays as it is."""
    if not settings:
        return step
    if isinstance(step, str):
        step = CommentedMap({step: None})
    if isinstance(step, CommentedMap) and len(step) == 1:
        ((name, own),) = step.items()
        if own is None or isinstance(own, CommentedMap):
            if twice := sorted(settings.keys() & (own or {}).keys()):
                raise UserError(f"--rule {name} has {twice[0]} already: leave out --{twice[0]}, or that setting")
            step[name] = CommentedMap({**(own or {}), **settings})
    return step


def _section(document: RecipeDocument, name: str, model: type[S]) -> S | None:
    return document.typed((name,), model) if document.body.get(name) is not None else None


def _sources(document: RecipeDocument, needs_models: bool = True) -> Iterator[SourceEntry]:
    sections = document.body.get("sources")
    for name in list(sections) if isinstance(sections, Mapping) else ():
        where = ("sources", name)
        section = sections[name]
        if not (isinstance(name, str) and _SOURCE_NAME.fullmatch(name)):
            document.mistake(where, f"a source cannot be named {name}: its name is that of a folder in the run's")
        elif not isinstance(section, CommentedMap):
            document.mistake(where, "a source is a map with at least the key `input`")
        elif (entry := _source(document, where, section, needs_models)) is not None:
            yield entry


def _source(document: RecipeDocument, where: Where, section: CommentedMap, needs_models: bool) -> SourceEntry | None:
    name = where[-1]
    type_ = section.get("type", name)
    try:
        source_class = find_source(str(type_))
    except UserError as error:
        hint = "" if "type" in section else "; a source with a name of its own has a `type`"
        document.mistake((*where, "type"), f"{error}{hint}")
        return None
    shared = {key: section[key] for key in section if key in SourceSection.model_fields}
    own = {key: section[key] for key in section if key not in SourceSection.model_fields}
    common = document.typed(where, SourceSection, shared)
    source = document.typed(where, source_class, own, other_keys=SourceSection.model_fields)
    steps = tuple(_rules(document, (*where, "steps"), needs_models))
    if common is None or source is None:
        return None
    return SourceEntry(name, type_, source, common.input, common.include, common.split_bytes, steps)


def _rules(document: RecipeDocument, where: Where, needs_models: bool = True) -> Iterator[NamedRule]:
    counts: dict[str, int] = {}
    steps = document.value(where)
    for place, step in enumerate(steps if isinstance(steps, Sequence) and not isinstance(steps, str) else ()):
        here = (*where, place)
        if isinstance(step, str):
            step = {step: None}
        if not isinstance(step, Mapping) or len(step) != 1:
            document.mistake(here, "a step is a map with one key, its rule, as in `- language: {keep: [en]}`")
            continue
        ((name, settings),) = step.items()
        if settings is not None and not isinstance(settings, Mapping):
            document.mistake((*here, name), f"the settings of {name} are a map, found {settings!r}")
            continue
        settings = dict(settings or {})
        optional = settings.pop("optional", False)
        if not isinstance(optional, bool):
            document.mistake((*here, name, "optional"), "optional is true or false")
            continue
        try:
            rule_class = find_rule(str(name))
            rule = document.typed((*here, name), rule_class, settings, other_keys=("optional",))
            if rule is None:
                continue
        except UserError as error:
            document.mistake(here, str(error))
            continue
        if needs_models and _misses_files(document, here, rule):
            continue
        short = short_name(name)
        counts[short] = counts.get(short, 0) + 1
        yield NamedRule(short if counts[short] == 1 else f"{short}-{counts[short]}", rule, optional)


def _misses_files(document: RecipeDocument, where: Where, rule: Rule) -> bool:
    """Whether files that a rule names are missing, each of which is a mistake."""
    missing = False
    for _, path, mark in named_files(rule):
        try:
            locate(path, mark)
        except UserError as error:
            document.mistake(where, str(error))
            missing = True
    return missing


def _check_sources(document: RecipeDocument, mixture: MixtureSection | None) -> None:
    if document.body.get("sources"):
        return
    if not mixture or not mixture.folders:
        message = "sources: name at least one, or token folders in `folders` of the mixture"
        document.mistake(("sources",), message)
    for key in ("across", "tokenizer"):
        if document.body.get(key):
            document.mistake((key,), f"{key}: there are no sources that it is for: leave it out")


def _check_indexes(document: RecipeDocument, rules: Sequence[NamedRule]) -> None:
    paths = [rule.dedup.index for rule in rules if rule.is_dedup and rule.dedup.index is not None]
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        document.mistake((), f"{paths.count(path)} dedups write the index {path}: give each a folder of its own")


def _check_mixture(document: RecipeDocument, mixture: MixtureSection) -> None:
    names = set(document.body.get("sources") or ())
    for name in mixture.folders:
        where = ("mixture", "folders", name)
        if name in names:
            document.mistake(where, f"{name} is in `sources` too: give the folder another name")
        if name not in mixture.shares:
            document.mistake(where, f"{name} has no share: give it one in `shares`")
    for name in mixture.shares:
        if name not in names and name not in mixture.folders:
            where = ("mixture", "shares", name)
            document.mistake(where, f"the mixture names the source {name}, which `sources` does not have")
    if document.body.get("tokenizer") is None and names:
        document.mistake(("mixture",), "a mixture needs a `tokenizer` section")
    try:
        shares = {name: Fraction(str(share)) for name, share in mixture.shares.items()}
    except (ValueError, ZeroDivisionError) as error:
        document.mistake(("mixture", "shares"), f"a share is no number ({error})")
        return
    for name, share in shares.items():
        if share <= 0:
            message = f"the share of {name} is {float(share):g}: give more than 0, or leave it out"
            document.mistake(("mixture", "shares", name), message)
    if sum(shares.values()) != 1:
        message = f"the shares add up to {float(sum(shares.values())):g} and must add up to 1: correct them"
        document.mistake(("mixture", "shares"), message)


def _override(document: RecipeDocument, key: str, value: str) -> None:
    if key == "output":
        document.body["output"] = value
        return
    kind, _, name = key.partition(".")
    sources = document.body.get("sources")
    section = sources.get(name) if isinstance(sources, Mapping) else None
    if kind != "input" or not isinstance(section, CommentedMap):
        raise UserError(f"{document.path}: cannot set {key}: use output or input.SOURCE with a source of the recipe")
    section["input"] = value
