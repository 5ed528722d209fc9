"""What a step would keep with other thresholds, told from its stored scores: no text is read or scored again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ruamel.yaml.comments import CommentedMap

from corpus.dataset import StepFolder
from corpus.errors import UserError, known
from corpus.recipe.document import RecipeDocument, parse_yaml
from corpus.steps.rule import NamedRule
from corpus.thresholds import Threshold
from corpus.tuning.stored import StoredPart, chain_of, name_of, stored_parts, thresholds_named

POINTS = 16
"""Of the curve that a sweep draws: a line each, so that it fits on a screen with what stands above it."""


@dataclass(frozen=True)
class Outcome:
    """Documents of a step, by what becomes of them.

    Attributes:
        total: that came in.
        kept: that every rule keeps.
        undecided: that the other thresholds let in, and that a rule behind has never seen: it may still drop them.
    """

    total: int
    kept: int
    undecided: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(self.total + other.total, self.kept + other.kept, self.undecided + other.undecided)


@dataclass(frozen=True)
class Point:
    """What one value of a threshold keeps.

    Attributes:
        present: it is the value that the step was made with.
    """

    value: Any
    present: bool
    outcome: Outcome


def rules_named(settings: Sequence[str]) -> set[str]:
    """The keys of the rules in `RULE.FIELD...`."""
    return {setting.partition(".")[0] for setting in settings}


def with_settings(chain: tuple[NamedRule, ...], settings: Sequence[str]) -> tuple[NamedRule, ...]:
    """The chain with other thresholds, each given as `RULE.FIELD=VALUE` with a value in YAML.

    Raises:
        UserError: there is no such rule or field, the value does not fit it, or another value of it scores anew.
    """
    values: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        key, dot, field = name.strip().partition(".")
        if not (equals and dot):
            raise UserError(f"--set {setting}: write it as RULE.FIELD=VALUE, as in length.min_chars=200")
        filters = {named.key: named for named in chain if named.is_filter}
        if key not in filters:
            raise UserError(f"--set {setting}: this step has no filter {key}; {known(key, filters)}")
        fields = filters[key].filter.threshold_fields()
        if field not in fields:
            again = field in type(filters[key].rule).model_fields
            why = f"another {field} scores anew, so change it in the recipe" if again else f"{key} has no {field}"
            raise UserError(f"--set {setting}: {why}; thresholds: {known(field, fields)}")
        values.setdefault(key, {})[field] = parse_yaml("--set", text)
    return tuple(_changed(named, values[named.key]) if named.key in values else named for named in chain)


def _changed(named: NamedRule, values: dict[str, Any]) -> NamedRule:
    settings = {**named.rule.model_dump(mode="json"), **values}
    document = RecipeDocument("--set", CommentedMap({named.key: settings}))
    rule = document.typed((named.key,), type(named.rule))
    document.raise_mistakes()
    assert rule is not None
    return replace(named, rule=rule)


def dry_run(folder: StepFolder, settings: Sequence[str]) -> tuple[Outcome, Outcome]:
    """What a finished step keeps, and what it would keep with other thresholds (`with_settings`).

    Raises:
        UserError: as `with_settings`; or the step is not finished.
    """
    chain = chain_of(folder)
    changed = with_settings(chain, settings)
    now, then = Outcome(0, 0), Outcome(0, 0)
    for part in stored_parts(folder, chain):
        now += Outcome(part.rows, int((part.dropped_by == len(chain)).sum()))
        then += _outcome(part, changed)
    return now, then


def sweep(folder: StepFolder, name: str, settings: Sequence[str] = ()) -> list[Point]:
    """What a finished step would keep at up to `POINTS` values of one threshold, taken evenly from the scores that are
    there, and at the present one; by value.

    Args:
        name: `RULE.FIELD`, or `RULE.FIELD.PLACE` (`corpus.tuning.stored.thresholds_named`).
        settings: of the other thresholds, as in `dry_run`.

    Raises:
        UserError: there is no such threshold, it stands for several, or no document has a score for it.
    """
    before = chain_of(folder)
    chain = with_settings(before, settings)
    found = thresholds_named(chain, name)
    if len(found) > 1:
        names = ", ".join(name_of(*pair) for pair in found)
        raise UserError(f"--sweep {name} stands for several thresholds: give one of {names}")
    named, threshold = found[0]
    column = f"{named.key}.{threshold.mark.score}"
    held = [
        part.scores.column(column).drop_null().to_numpy()
        for part in stored_parts(folder, before)
        if column in part.scores.schema.names
    ]
    scores = np.concatenate([np.empty(0), *held])
    if not len(scores):
        raise UserError(f"{folder.path}: no document has a score {column}: nothing to sweep")
    values = set(np.quantile(scores, np.linspace(0, 1, POINTS), method="nearest").tolist())
    present = next(threshold.value(one.rule) for one in before if one.key == named.key)
    if (scores == np.floor(scores)).all():  # counts
        values = {int(value) for value in values}
    tried = {value: _with_value(chain, named, threshold, value) for value in sorted(values | {present} - {None})}
    totals = dict.fromkeys(tried, Outcome(0, 0))
    for part in stored_parts(folder, before):
        for value, other in tried.items():
            totals[value] += _outcome(part, other)
    return [Point(value, value == present, total) for value, total in totals.items()]


def _with_value(
    chain: tuple[NamedRule, ...], named: NamedRule, threshold: Threshold, value: Any
) -> tuple[NamedRule, ...]:
    """The chain with another value of one threshold."""
    if threshold.place is not None:
        whole = list(getattr(named.rule, threshold.field))
        whole[threshold.place] = value
        value = tuple(whole)
    tried = replace(named, rule=named.rule.model_copy(update={threshold.field: value}))
    return tuple(tried if one.key == named.key else one for one in chain)


def _outcome(part: StoredPart, chain: Sequence[NamedRule]) -> Outcome:
    """Walks the rules as a run would: what a rule has seen it judges by the scores it stored, or, without scores, as it
    did; what it has never seen is undecided from there on."""
    alive, undecided = np.ones(part.rows, bool), np.zeros(part.rows, bool)
    for place, named in enumerate(chain):
        if not named.drops:
            continue
        seen = part.reached(place)
        undecided |= alive & ~seen
        if named.is_filter:
            rows = np.flatnonzero(alive & seen)
            if len(rows):
                alive[rows] = np.asarray(named.filter.decide(part.scores_of(named, rows)).is_null())
        else:
            alive &= part.dropped_by != place
    return Outcome(part.rows, int((alive & ~undecided).sum()), int((alive & undecided).sum()))
