"""A recipe: one YAML file that describes the whole corpus. Every mistake is one line with its line number."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module, resources
from string import Template
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from corpus.errors import UserError
from corpus.settings import Settings
from corpus.sources.raw import SPLIT_BYTES
from corpus.sources.source import Source
from corpus.steps.rule import NamedRule, model_digests
from corpus.storage import open_read

SOURCES = {
    "commoncrawl": "corpus.sources.commoncrawl:CommonCrawl",
    "c4": "corpus.sources.c4:C4",
    "github": "corpus.sources.github:Github",
    "wikipedia": "corpus.sources.wikipedia:Wikipedia",
    "books": "corpus.sources.books:Books",
    "arxiv": "corpus.sources.arxiv:Arxiv",
    "stackexchange": "corpus.sources.stackexchange:StackExchange",
}
"""Name in a recipe -> class. Adding a source touches its own file and this line."""

RULES = {
    # cleaners
    "c4_lines": "corpus.clean.c4_lines:C4Lines",
    "gutenberg": "corpus.clean.gutenberg:Gutenberg",
    "latex": "corpus.clean.latex:Latex",
    "license_header": "corpus.clean.license_header:LicenseHeader",
    "wikitext": "corpus.clean.wikitext:Wikitext",
    # filters
    "code": "corpus.filters.code:Code",
    "gopher_quality": "corpus.filters.gopher_quality:GopherQuality",
    "gopher_repetition": "corpus.filters.gopher_repetition:GopherRepetition",
    "language": "corpus.filters.language:Language",
    "length": "corpus.filters.length:Length",
    "perplexity": "corpus.filters.perplexity:Perplexity",
    "reference": "corpus.filters.reference:Reference",
    # dedups
    "exact": "corpus.dedup.exact:Exact",
    "lines": "corpus.dedup.lines:Lines",
    "near": "corpus.dedup.near:Near",
    "overlap": "corpus.dedup.overlap:Overlap",
}
"""Name in a recipe -> class of a cleaner, filter or dedup. Adding one touches its own file and this line."""

S = TypeVar("S", bound=BaseModel)


class TokenizerSection(Settings):
    """`tokenizer:`; either a model that exists, or how to train one.

    Attributes:
        model: path of a SentencePiece model. When null one is trained on the finished documents.
        vocab_size: pieces of a trained model (LLaMA: 32,000).
        sample_bytes: text the model is trained on, at most, sampled by mixture share.
        max_skipped: share of that text in lines over 4,192 bytes, which training leaves out, from which on it is an
            error.
        bos, eos: each document begins, ends with the piece of this name.
        held_out: one document in so many goes to the validation set (docs/format.md).
    """

    model: str | None = None
    vocab_size: int = Field(default=32_000, ge=300)
    sample_bytes: int = Field(default=10 << 30, gt=0)
    max_skipped: float = Field(default=0.1, ge=0, le=1)
    bos: bool = True
    eos: bool = True
    held_out: int = Field(default=1000, ge=2)


class MixtureSection(Settings):
    """`mixture:`; shares and total are given, epochs follow.

    Attributes:
        shares: share of tokens by source, as decimals that add up to 1 (LLaMA-1, Table 1).
        folders: token folders that are there already, imported or of another run, by their name in `shares`.
        tokens: total to draw; null = as many as the scarcest source gives in `max_epochs` epochs.
        sequence_length: tokens in a training sequence (LLaMA-1: 2,048).
        max_epochs: asking for more passes over a source than this is an error.
        seed: of the order.
    """

    shares: dict[str, str | float]
    folders: dict[str, str] = {}  # noqa: RUF012  pydantic copies it
    tokens: int | None = Field(default=None, gt=0)
    sequence_length: int = Field(default=2048, ge=2)
    max_epochs: float = Field(default=4.0, gt=0, allow_inf_nan=False)
    seed: int = 0


@dataclass(frozen=True)
class SourcePlan:
    """One source of a recipe: where its raw files are, how to read them, and its steps in order."""

    name: str
    source: Source
    input: str
    include: tuple[str, ...]
    split_bytes: int
    steps: tuple[NamedRule, ...]


@dataclass(frozen=True)
class Recipe:
    """A recipe whose every part was checked.

    Attributes:
        across: document-level dedups over all sources, after all their steps; earlier sources win.
        body: the YAML as it was read, for the sections that other packages type (`training`).
    """

    path: str
    output: str
    sources: tuple[SourcePlan, ...]
    across: tuple[NamedRule, ...]
    tokenizer: TokenizerSection | None
    mixture: MixtureSection | None
    body: CommentedMap

    def section(self, name: str, model: type[S]) -> S | None:
        """A top-level section typed by the package that uses it, or None when the recipe has none."""
        if name not in self.body:
            return None
        return _typed(self.path, self.body, (name,), model)


class _SourceSection(Settings):
    """The keys every source has beside its own settings."""

    input: str
    include: tuple[str, ...] = ("**",)
    split_bytes: int = Field(default=SPLIT_BYTES, ge=1000)
    steps: tuple[Any, ...] = ()


class _Top(BaseModel):
    model_config = {"extra": "forbid"}

    format: Literal[1]
    output: str
    sources: dict[str, Any] = {}
    across: list[Any] = []
    tokenizer: Any = None
    mixture: Any = None
    training: Any = None


def bundled(name: str) -> str:
    """The path of a recipe that comes with the package ("demo", "llama").

    Raises:
        UserError: there is none of that name.
    """
    path = str(resources.files("corpus") / "recipes" / f"{name}.yaml")
    if not os.path.exists(path):
        raise UserError(f"no recipe file {name}, and no bundled recipe of that name: bundled are demo and llama")
    return path


def load(
    path: str,
    overrides: Mapping[str, str] | None = None,
    variables: Mapping[str, str] = os.environ,
    needs_models: bool = True,
) -> Recipe:
    """Reads and checks a recipe. `overrides` replaces `output` or the input of a source ("input.books").

    `variables` (`$HOME`, `${DATA}`), those of the environment unless given, are put into every string; relative paths
    are relative to the working directory. Without `needs_models` the model files of rules may be missing.

    Raises:
        UserError: unknown key, wrong type, wrong order or missing file, as `FILE:LINE: what; what to do`.
    """
    if not os.path.isfile(path):  # a folder may well have the name of a bundled recipe
        path = bundled(path) if os.sep not in path and not path.endswith((".yaml", ".yml")) else path
    try:
        with open_read(path) as file:
            body = YAML(typ="rt").load(file.read().decode("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}: give the path of a recipe file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from None
    except YAMLError as error:
        line = error.problem_mark.line + 1 if isinstance(error, MarkedYAMLError) and error.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML: {_problem(error)}") from None
    if not isinstance(body, CommentedMap):
        raise UserError(f"{path}:1: a recipe is a map with the keys {', '.join(_Top.model_fields)}")
    _expand(body, variables)
    for key, value in (overrides or {}).items():
        _override(path, body, key, value)
    top = _typed(path, body, (), _Top)
    for name in Template(top.output).get_identifiers():
        if f"${name}" in top.output or f"${{{name}}}" in top.output:
            raise _at(path, body, ("output",), f"output: ${name} is not set in the environment: set it, or give a path")
    sources = tuple(_source_plan(path, body, name, needs_models) for name in top.sources)
    across = tuple(_rules(path, body, ("across",), needs_models))
    for place, named in enumerate(across):
        if not named.is_dedup or named.name == "lines":
            raise _at(
                path, body, ("across", place), f"{named.key} does not work across sources; use exact, near or overlap"
            )
    recipe = Recipe(
        path=path,
        output=str(body["output"]),
        sources=sources,
        across=across,
        tokenizer=_typed(path, body, ("tokenizer",), TokenizerSection) if body.get("tokenizer") is not None else None,
        mixture=_typed(path, body, ("mixture",), MixtureSection) if body.get("mixture") is not None else None,
        body=body,
    )
    _check_sources(recipe)
    _check_mixture(recipe)
    return recipe


def _problem(error: YAMLError) -> str:
    """What is wrong, in one line."""
    return str(error.problem if isinstance(error, MarkedYAMLError) else error).partition("\n")[0]


def _source_plan(path: str, body: CommentedMap, name: str, needs_models: bool = True) -> SourcePlan:
    if name not in SOURCES:
        raise _at(path, body, ("sources", name), f"unknown source {name}; known are {', '.join(SOURCES)}")
    section = body["sources"][name]
    if not isinstance(section, CommentedMap):
        raise _at(path, body, ("sources", name), "a source is a map with at least the key `input`")
    common = {key: section[key] for key in section if key in _SourceSection.model_fields}
    shared = _typed(path, body, ("sources", name), _SourceSection, common)
    own = {key: section[key] for key in section if key not in _SourceSection.model_fields}
    source_class = load_class(SOURCES[name])
    source = cast(Source, _typed(path, body, ("sources", name), source_class, own))
    steps = tuple(_rules(path, body, ("sources", name, "steps"), needs_models))
    _check_order(path, body, ("sources", name, "steps"), steps)
    return SourcePlan(name, source, shared.input, shared.include, shared.split_bytes, steps)


def source_plan(name: str, input: str, settings: str) -> SourcePlan:
    """A source without steps, as the command line gives it; `settings` is a YAML map.

    Raises:
        UserError: not a known source, or settings that do not fit it.
    """
    try:
        section = YAML(typ="rt").load(settings)
    except YAMLError as error:
        raise UserError(f"--setting {settings!r} is not valid YAML: {_problem(error)}") from None
    if not isinstance(section, CommentedMap):
        raise UserError(f"--setting {settings!r} is not a map: write it as '{{key: value}}'")
    section["input"] = input
    return _source_plan("--setting", CommentedMap(sources=CommentedMap({name: section})), name)


def parse_rules(texts: Sequence[str]) -> tuple[NamedRule, ...]:
    """Rules as the command line gives them: each the YAML of one step, `language` or `language: {keep: [en]}`.

    Raises:
        UserError: not a known rule, or settings that do not fit it.
    """
    body = CommentedMap(steps=CommentedSeq())
    for text in texts:
        try:
            body["steps"].append(YAML(typ="rt").load(text))
        except YAMLError as error:
            raise UserError(f"--rule {text!r} is not valid YAML: {_problem(error)}") from None
    return tuple(_rules("--rule", body, ("steps",)))


def _rules(path: str, body: CommentedMap, where: tuple[Any, ...], needs_models: bool = True) -> Iterator[NamedRule]:
    counts: dict[str, int] = {}
    steps = _value(body, where) or []
    for place, step in enumerate(steps):
        here = (*where, place)
        if isinstance(step, str):
            step = {step: None}
        if not isinstance(step, Mapping) or len(step) != 1:
            raise _at(path, body, here, "a step is a map with one key, its rule, as in `- language: {keep: [en]}`")
        ((name, settings),) = step.items()
        if name not in RULES:
            raise _at(path, body, here, f"unknown rule {name}; known are {', '.join(sorted(RULES))}")
        if settings is not None and not isinstance(settings, Mapping):
            raise _at(path, body, (*here, name), f"the settings of {name} are a map, found {settings!r}")
        settings = dict(settings or {})
        optional = settings.pop("optional", False)
        if not isinstance(optional, bool):
            raise _at(path, body, (*here, name, "optional"), "optional is true or false")
        rule = _typed(path, body, (*here, name), load_class(RULES[name]), settings)
        if needs_models:
            try:
                list(model_digests(rule))
            except UserError as error:
                raise _at(path, body, here, str(error)) from None
        counts[name] = counts.get(name, 0) + 1
        key = name if counts[name] == 1 else f"{name}-{counts[name]}"
        yield NamedRule(key, cast(Settings, rule), optional)


def _check_order(path: str, body: CommentedMap, where: tuple[Any, ...], steps: tuple[NamedRule, ...]) -> None:
    """The order rules of docs/format.md, "Steps"."""
    scored_by = document_dedup = None
    for place, named in enumerate(steps):
        name = named.name
        here = (*where, place)
        if name == "lines" and scored_by:
            raise _at(
                path,
                body,
                here,
                f"lines stands after {scored_by}: line dedup comes before every filter (CCNet)",
            )
        if named.is_cleaner and scored_by:
            raise _at(
                path,
                body,
                here,
                f"{name} rewrites text that {scored_by} has scored: put cleaners before filters",
            )
        if document_dedup and not (named.is_dedup and name != "lines"):
            raise _at(
                path,
                body,
                here,
                f"{name} may drop the document that {document_dedup} kept of several copies: put {document_dedup} last",
            )
        if named.is_filter:
            scored_by = name
        if named.is_dedup and name != "lines":
            document_dedup = name


def _check_sources(recipe: Recipe) -> None:
    if recipe.sources:
        return
    if not recipe.mixture or not recipe.mixture.folders:
        message = "sources: name at least one, or token folders in `folders` of the mixture"
        raise _at(recipe.path, recipe.body, ("sources",), message)
    for key in ("across", "tokenizer"):
        if recipe.body.get(key):
            raise _at(recipe.path, recipe.body, (key,), f"{key}: there are no sources that it is for: leave it out")


def _check_mixture(recipe: Recipe) -> None:
    if recipe.mixture is None:
        return
    names = {plan.name for plan in recipe.sources}
    for name in recipe.mixture.folders:
        where = ("mixture", "folders", name)
        if name in names:
            raise _at(recipe.path, recipe.body, where, f"{name} is in `sources` too: give the folder another name")
        if name not in recipe.mixture.shares:
            raise _at(recipe.path, recipe.body, where, f"{name} has no share: give it one in `shares`")
    for name in recipe.mixture.shares:
        if name not in names and name not in recipe.mixture.folders:
            raise _at(
                recipe.path,
                recipe.body,
                ("mixture", "shares", name),
                f"the mixture names the source {name}, which `sources` does not have",
            )
    try:
        shares = {name: Fraction(str(share)) for name, share in recipe.mixture.shares.items()}
    except (ValueError, ZeroDivisionError) as error:
        raise _at(recipe.path, recipe.body, ("mixture", "shares"), f"a share is no number ({error})") from None
    for name, share in shares.items():
        if share <= 0:
            message = f"the share of {name} is {float(share):g}: give more than 0, or leave it out"
            raise _at(recipe.path, recipe.body, ("mixture", "shares", name), message)
    if sum(shares.values()) != 1:
        message = f"the shares add up to {float(sum(shares.values())):g} and must add up to 1: correct them"
        raise _at(recipe.path, recipe.body, ("mixture", "shares"), message)
    if recipe.tokenizer is None and recipe.sources:
        raise _at(recipe.path, recipe.body, ("mixture",), "a mixture needs a `tokenizer` section")


def _override(path: str, body: CommentedMap, key: str, value: str) -> None:
    if key == "output":
        body["output"] = value
        return
    kind, _, name = key.partition(".")
    section = _value(body, ("sources", name)) if isinstance(body.get("sources"), Mapping) else None
    if kind != "input" or not isinstance(section, CommentedMap):
        raise UserError(f"{path}: cannot set {key}: use output or input.SOURCE with a source of the recipe")
    section["input"] = value


def _expand(node: Any, variables: Mapping[str, str]) -> None:
    items = (
        node.items() if isinstance(node, CommentedMap) else enumerate(node) if isinstance(node, CommentedSeq) else ()
    )
    for key, value in list(items):
        if isinstance(value, str) and "$" in value:
            node[key] = Template(value).safe_substitute(variables)
        else:
            _expand(value, variables)


def load_class(place: str) -> type[BaseModel]:
    """The class that "module:Class" names."""
    module, _, name = place.partition(":")
    return cast(type[BaseModel], getattr(import_module(module), name))


def _typed(path: str, body: CommentedMap, where: tuple[Any, ...], model: type[S], value: Any = None) -> S:
    """`value`, or what stands at `where`, as `model`; the first mistake becomes a UserError with its line."""
    plain = _plain(_value(body, where) if value is None else value)
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        location = (*where, *first["loc"])
        name = ".".join(str(part) for part in first["loc"]) or (str(where[-1]) if where else "the recipe")
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(model.model_fields)) or "none"
            raise _at(path, body, location, f"unknown key {name}; known are {known}") from None
        if first["type"] == "missing":
            raise _at(path, body, location, f"the key {name} is missing") from None
        found = "" if first["type"].startswith("value_error") else f", found {first['input']!r}"
        message = first["msg"].lower().removeprefix("value error, ").replace("valid tuple", "valid list")
        raise _at(path, body, location, f"{name}: {message}{found}") from None


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value) for value in node]
    return node


def _value(body: Any, where: tuple[Any, ...]) -> Any:
    for key in where:
        if body is None or (isinstance(body, Mapping) and key not in body):
            return None
        body = body[key]
    return body


def _at(path: str, body: CommentedMap, where: tuple[Any, ...], message: str) -> UserError:
    """An error at the deepest node of `where` that the file has."""
    line = 0
    node: Any = body
    for key in where:
        if isinstance(node, CommentedMap) and key in node:
            line = node.lc.key(key)[0] if node.lc.data and key in node.lc.data else line
        elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
            line = node.lc.item(key)[0] if node.lc.data else line
        else:
            break
        node = node[key]
    return UserError(f"{path}:{line + 1}: {message}")
