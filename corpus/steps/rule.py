"""A rule as a recipe names it, and what of it enters a digest."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from corpus import models
from corpus.registry import find_rule, origin
from corpus.rules import Cleaner, Dedup, Filter, Rule
from corpus.settings import FileMark, IndexMark, ModelMark
from corpus.storage import file_digest


@dataclass(frozen=True)
class NamedRule:
    """A rule and the key its counts, scores and decisions stand under (its name, numbered when it comes twice).

    Attributes:
        optional: the rule may see no document without an error.
    """

    key: str
    rule: Rule
    optional: bool = False

    @property
    def name(self) -> str:
        """As the recipe names it, or the class in snake_case where that is `package.module:Class`."""
        return self.key.partition("-")[0]

    @property
    def kind(self) -> str:
        """Cleaner, filter or dedup."""
        return kind_of(type(self.rule))

    @property
    def is_filter(self) -> bool:
        return isinstance(self.rule, Filter)

    @property
    def is_cleaner(self) -> bool:
        return isinstance(self.rule, Cleaner)

    @property
    def is_dedup(self) -> bool:
        return isinstance(self.rule, Dedup)

    @property
    def drops(self) -> bool:
        """Whether it may drop a document: some filters only store scores, some dedups only report."""
        if isinstance(self.rule, Filter):
            return bool(self.rule.threshold_fields()) or type(self.rule).decide is not Filter.decide
        return not (isinstance(self.rule, Dedup) and self.rule.only_reports)

    @property
    def keeps_one_copy(self) -> bool:
        """A dedup that keeps one of the copies."""
        return isinstance(self.rule, Dedup) and self.rule.removes != "lines" and not self.rule.only_reports

    @property
    def filter(self) -> Filter:
        assert isinstance(self.rule, Filter)
        return self.rule

    @property
    def cleaner(self) -> Cleaner:
        assert isinstance(self.rule, Cleaner)
        return self.rule

    @property
    def dedup(self) -> Dedup:
        assert isinstance(self.rule, Dedup)
        return self.rule

    def identity(self, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """What decides the result of the rule: name, version, settings, the SHA-256 of its model files and of the index
        that it goes against; of a rule that is not ours, where its class is and of which package in which version.

        `without` names settings to leave out (the thresholds, for the identity of scores).
        """
        return {
            "rule": self.key,
            "version": self.rule.version,
            "settings": self.rule.model_dump(mode="json", exclude=set(without)),
            "models": dict(model_digests(self.rule)),
            **origin(type(self.rule)),
        }

    def score_identity(self) -> dict[str, Any]:
        """What decides the scores of a filter, thresholds aside."""
        return self.identity(self.filter.threshold_fields())


def kind_of(rule: type[Rule]) -> str:
    """Cleaner, filter or dedup."""
    return next(kind.__name__.lower() for kind in (Cleaner, Filter, Dedup) if issubclass(rule, kind))


def rule_of(identity: dict[str, Any]) -> NamedRule:
    """The rule that a manifest's `rules` or `dedup` names.

    Raises:
        UserError: its class is not to be had.
    """
    key = identity["rule"]
    return NamedRule(key, find_rule(identity.get("class", key.partition("-")[0]))(**identity["settings"]))


def model_digests(settings: BaseModel) -> Iterator[tuple[str, str]]:
    """(field, SHA-256) of every file that the settings name, nested ones included.

    Raises:
        UserError: there is no such file.
    """
    for name, path, mark in named_files(settings):
        found = locate(path, mark)
        yield name, file_digest(found) if isinstance(mark, IndexMark) else models.sha256(found)


def named_files(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, str, FileMark]]:
    """(field, what it says, what kind of file that is)."""
    for name, field in type(settings).model_fields.items():
        mark = next((mark for mark in field.metadata if isinstance(mark, FileMark)), None)
        yield from _named_files(getattr(settings, name), prefix + name, mark)


def locate(path: str, mark: FileMark) -> str:
    """The path of a file, or of a model that is named.

    Raises:
        UserError: there is no such file.
    """
    return models.locate(path) if isinstance(mark, ModelMark) else mark.locate(path)


def _named_files(value: Any, name: str, mark: FileMark | None) -> Iterator[tuple[str, str, FileMark]]:
    if isinstance(value, BaseModel):
        yield from named_files(value, name + ".")
    elif isinstance(value, dict):
        for key in sorted(value):
            yield from _named_files(value[key], f"{name}.{key}", mark)
    elif isinstance(value, tuple):
        for place, each in enumerate(value):
            yield from _named_files(each, f"{name}.{place}", mark)
    elif mark is not None and isinstance(value, str):
        yield name, value, mark
