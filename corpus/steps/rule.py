"""A rule as a recipe names it, and what of it enters a digest."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel

from corpus import models
from corpus.rules import Cleaner, Dedup, Filter
from corpus.settings import ModelMark, Settings


@dataclass(frozen=True)
class NamedRule:
    """A rule and the key its counts, scores and decisions stand under (its name, numbered when it comes twice).

    Attributes:
        optional: the rule may see no document without an error.
    """

    key: str
    rule: Settings
    optional: bool = False

    @property
    def name(self) -> str:
        """As the recipe names it."""
        return self.key.partition("-")[0]

    @property
    def is_filter(self) -> bool:
        return hasattr(self.rule, "score")

    @property
    def is_cleaner(self) -> bool:
        return hasattr(self.rule, "clean")

    @property
    def is_dedup(self) -> bool:
        return hasattr(self.rule, "sign")

    @property
    def filter(self) -> Filter:
        return cast(Filter, self.rule)

    @property
    def cleaner(self) -> Cleaner:
        return cast(Cleaner, self.rule)

    @property
    def dedup(self) -> Dedup:
        return cast(Dedup, self.rule)

    def identity(self, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """What decides the result of the rule: name, version, settings and the SHA-256 of its model files.

        `without` names settings to leave out (the thresholds, for the identity of scores).
        """
        return {
            "rule": self.key,
            "version": self.rule.version,  # type: ignore[attr-defined]
            "settings": self.rule.model_dump(mode="json", exclude=set(without)),
            "models": dict(model_digests(self.rule)),
        }

    def score_identity(self) -> dict[str, Any]:
        """What decides the scores of a filter, thresholds aside."""
        return self.identity(self.filter.thresholds)


def model_digests(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(field, SHA-256) of every model file that the settings name, nested ones included."""
    for name, field in type(settings).model_fields.items():
        yield from _digests_of(
            getattr(settings, name), prefix + name, any(isinstance(m, ModelMark) for m in field.metadata)
        )


def _digests_of(value: Any, name: str, marked: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        yield from model_digests(value, name + ".")
    elif isinstance(value, dict):
        for key in sorted(value):
            yield from _digests_of(value[key], f"{name}.{key}", marked)
    elif marked and isinstance(value, str):
        yield name, models.sha256(models.locate(value))
