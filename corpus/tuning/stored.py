"""What a finished step stored of its rules: the scores and what was dropped, row by row of its input."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.errors import UserError, known
from corpus.parts import read_part
from corpus.steps.rule import NamedRule, rule_of
from corpus.storage import exists, join, names
from corpus.thresholds import AtLeast, AtMost, Threshold, thresholds_of

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class StoredPart:
    """One part of a step.

    Attributes:
        rows: documents that came in.
        scores: a column RULE.SCORE of `rows` values for each score; null for a row that did not reach the rule.
        dropped_by: int64 array of `rows`: place in the chain of the rule that dropped it; behind the last for a row
            that was kept.
    """

    number: int
    rows: int
    scores: pa.Table
    dropped_by: Array

    def reached(self, place: int) -> Array:
        """Boolean array: which rows came to the rule at this place of the chain."""
        reached: Array = self.dropped_by >= place
        return reached

    def scores_of(self, named: NamedRule, rows: Array) -> pa.RecordBatch:
        """The scores that a filter gave these rows, by their names."""
        prefix = f"{named.key}."
        columns = [name for name in self.scores.schema.names if name.startswith(prefix)]
        table = self.scores.select(columns).take(pa.array(rows))
        return pa.RecordBatch.from_arrays(
            [column.combine_chunks() for column in table.columns],
            names=[column.removeprefix(prefix) for column in columns],
        )


def chain_of(folder: StepFolder) -> tuple[NamedRule, ...]:
    """The rules of a finished step in order, its dedup first.

    Raises:
        UserError: the step is not finished, or has no rules.
    """
    manifest = folder.manifest()
    if manifest["step"] == "extract":
        raise UserError(f"{folder.path} is an extract, which has no rules: name a step behind it")
    identities = [manifest["dedup"]] if manifest["dedup"] is not None else []
    return tuple(rule_of(identity) for identity in [*identities, *manifest["rules"]])


def stored_parts(folder: StepFolder, chain: tuple[NamedRule, ...]) -> Iterator[StoredPart]:
    """What a finished step with these rules stored, part by part."""
    places = {named.key: place for place, named in enumerate(chain)}
    for body in folder.manifest()["parts"]:
        number, rows = body["part"], body["documents"]["in"]
        dropped_by = np.full(rows, len(chain), np.int64)
        for batch in _batches(folder.meta("decisions", number)):
            keys = [places[key] for key in batch.column("step").to_pylist()]
            dropped_by[np.asarray(batch.column("row"))] = keys
        batches = _batches(folder.meta("scores", number))
        yield StoredPart(number, rows, pa.Table.from_batches(batches) if batches else pa.table({}), dropped_by)


def _batches(path: str) -> list[pa.RecordBatch]:
    return list(read_part(path)) if exists(path) else []


def thresholds_named(chain: tuple[NamedRule, ...], text: str) -> list[tuple[NamedRule, Threshold]]:
    """The thresholds that compare a number, as a person names them: `RULE` for all of a rule, `RULE.FIELD`, and
    `RULE.FIELD.PLACE`, from 0, for one of a field with several.

    Raises:
        UserError: there is none of that name.
    """
    offered = {name_of(named, threshold): (named, threshold) for named, threshold in numeric_thresholds(chain)}
    found = [pair for name, pair in offered.items() if name == text or name.startswith(f"{text}.")]
    if not found:
        raise UserError(f"{text} is no threshold of this step that compares a number; {known(text, offered)}")
    return found


def name_of(named: NamedRule, threshold: Threshold) -> str:
    """`RULE.FIELD`, or `RULE.FIELD.PLACE`."""
    place = "" if threshold.place is None else f".{threshold.place}"
    return f"{named.key}.{threshold.field}{place}"


def numeric_thresholds(chain: tuple[NamedRule, ...]) -> Iterator[tuple[NamedRule, Threshold]]:
    """Every threshold of a chain that compares a number, set or not."""
    for named in chain:
        for threshold in thresholds_of(type(named.rule)) if named.is_filter else ():
            if isinstance(threshold.mark, AtLeast | AtMost):
                yield named, threshold


def finished_steps(path: str, rules: set[str]) -> list[StepFolder]:
    """The step in a folder; or, of a run's folder, every finished step with all these rules, by path: those too that
    its recipes do not name any longer.

    Raises:
        UserError: there is none.
    """
    if StepFolder(path).finished:
        return [StepFolder(path)]
    folders = [join(path, source, step) for source in names(path) for step in names(join(path, source))]
    steps = [step for step in map(StepFolder, folders) if step.finished]
    found = [step for step in steps if rules <= _keys(step)]
    if not found:
        what = f" with the rule {' and '.join(sorted(rules))}" if steps else ""
        raise UserError(f"{path} holds no finished step{what}: name the folder of a step, or of a run")
    return found


def _keys(step: StepFolder) -> set[str]:
    """Of the rules of a step, its dedup among them."""
    manifest = step.manifest()
    identities = [*manifest.get("rules", ()), *([manifest["dedup"]] if manifest.get("dedup") else [])]
    return {identity["rule"] for identity in identities}
