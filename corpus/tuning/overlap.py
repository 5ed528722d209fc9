"""Which rules matter: what each of them, and each of its reasons, would drop if it stood alone.

In a run a document that one rule drops is seen by none behind it. Here every rule sees every document.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.dedup.blocks import numbered
from corpus.parts import read_part
from corpus.rules import Filter
from corpus.steps.chain import Applied, apply_chain, apply_rule
from corpus.steps.rule import NamedRule
from corpus.storage import exists
from corpus.thresholds import AtLeast, AtMost, OneOf, thresholds_of
from corpus.trace import input_of
from corpus.tuning.stored import chain_of

PARTS = 100
"""That are opened at most, evenly spaced: a file costs more than the documents at its head."""

Fires = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Reason:
    """What one rule drops, or one reason of it.

    Attributes:
        name: `RULE`, or `RULE.REASON`.
        drops: documents, whatever the other rules say of them.
        alone: of those, documents that no other rule drops, or for a reason: that no other reason of any rule fits.
        partner, together: the other rule, or reason of another rule, that drops most of the same documents, and how
            many; "" and 0 where there are none.
    """

    name: str
    drops: int
    alone: int
    partner: str
    together: int


@dataclass(frozen=True)
class Overlap:
    """What the rules of a step do to a sample of its input.

    Attributes:
        documents: in the sample.
        dropped: by at least one rule.
        rules: in the order of the chain, each with its reasons behind it, most drops first.
        never: rules and reasons that drop nothing there.
    """

    documents: int
    dropped: int
    rules: list[tuple[Reason, list[Reason]]]
    never: list[str]


@dataclass
class _Seen:
    """By reason, a boolean array for each batch: which documents it fits. Each reason has one for every batch."""

    batches: list[int] = field(default_factory=list)
    fires: dict[tuple[str, str], dict[int, Fires]] = field(default_factory=dict)

    def add(self, rule: str, reason: str, fires: Fires) -> None:
        held = self.fires.setdefault((rule, reason), {})
        batch = len(self.batches) - 1
        held[batch] = held[batch] | fires if batch in held else fires

    def matrix(self, wanted: Sequence[tuple[str, str]]) -> Fires:
        """Boolean array (documents, reasons)."""
        columns = [
            np.concatenate(
                [np.empty(0, bool)]
                + [self.fires[key].get(batch, np.zeros(rows, bool)) for batch, rows in enumerate(self.batches)]
            )
            for key in wanted
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((sum(self.batches), 0), bool)


def overlap(folder: StepFolder, documents: int) -> Overlap:
    """Applies every rule of a finished step to the first documents of up to `PARTS` parts of its input.

    A cleaner rewrites the text for the rules behind it, as in the run.

    Args:
        documents: about how many to look at.

    Raises:
        UserError: the step is not finished, has no rules, or the step before it is gone.
    """
    chain = chain_of(folder)
    seen = _Seen()
    for part, batches in _sample(input_of(folder, folder.manifest()), documents):
        path = folder.meta("dedup", part)
        decisions = pa.Table.from_batches(list(read_part(path))) if exists(path) else None
        for first_row, batch in numbered(batches):
            seen.batches.append(batch.num_rows)
            for applied in _every_rule(chain, decisions, first_row, batch):
                for reason, fires in _reasons(applied):
                    seen.add(applied.named.key, reason, fires)
    return _counted(chain, seen)


def _sample(before: StepFolder, documents: int) -> Iterator[tuple[int, list[pa.RecordBatch]]]:
    """(part, the documents at its head)."""
    parts = [part for part in before.parts() if part.documents]
    chosen = [parts[place] for place in np.unique(np.linspace(0, len(parts) - 1, min(PARTS, len(parts))).astype(int))]
    left = documents
    for place, part in enumerate(chosen):
        here = -(-left // (len(chosen) - place))
        taken: list[pa.RecordBatch] = []
        for batch in read_part(before.data(part.number)):
            taken.append(batch.slice(0, here))
            here, left = here - taken[-1].num_rows, left - taken[-1].num_rows
            if not here:
                break
        yield part.number, taken


def _every_rule(
    chain: Sequence[NamedRule], decisions: pa.Table | None, first_row: int, batch: pa.RecordBatch
) -> Iterator[Applied]:
    for named in chain:
        if named.is_dedup:
            applied = next(iter(apply_chain(batch, named, (), first_row, decisions)))
        else:
            applied = apply_rule(named, batch)
        yield applied
        batch = applied.after


def _reasons(applied: Applied) -> Iterator[tuple[str, Fires]]:
    """Which documents each reason of a rule fits. A filter that compares its thresholds and nothing else is asked for
    each; another rule gives one reason a document."""
    rule = applied.named.rule
    if isinstance(rule, Filter) and type(rule).decide is Filter.decide and applied.scores is not None:
        for threshold in thresholds_of(type(rule)):
            value = threshold.value(rule)
            if isinstance(threshold.mark, AtLeast | AtMost | OneOf) and value is not None:
                fails = threshold.mark.fails(applied.scores.column(threshold.mark.score), value)
                yield threshold.reason, np.asarray(fails.fill_null(False))
        return
    for reason in applied.reasons.unique().drop_null().to_pylist():
        yield reason, np.asarray([given == reason for given in applied.reasons.to_pylist()])


def _counted(chain: Sequence[NamedRule], seen: _Seen) -> Overlap:
    keys = [named.key for named in chain]
    reasons = [key for rule in keys for key in seen.fires if key[0] == rule]
    fires = seen.matrix(reasons)
    owner = np.array([keys.index(rule) for rule, _ in reasons], np.int64)
    by_rule = np.stack([fires[:, owner == place].any(axis=1) for place in range(len(keys))], axis=1)
    names = [f"{rule}.{reason}" for rule, reason in reasons]
    of_rules = _table(keys, by_rule, np.arange(len(keys)))
    of_reasons = _table(names, fires, owner)
    nested = [
        (one, sorted((of_reasons[n] for n in np.flatnonzero(owner == place)), key=lambda reason: -reason.drops))
        for place, one in enumerate(of_rules)
    ]
    silent = {named.key for named in chain if not named.drops or named.is_cleaner}
    never = [
        one.name
        for rule, inner in nested
        if rule.name not in silent
        for one in ([rule] if not rule.drops else inner)
        if not one.drops
    ]
    return Overlap(sum(seen.batches), int(by_rule.any(axis=1).sum()), nested, never)


def _table(names: Sequence[str], fires: Fires, owner: npt.NDArray[np.int64]) -> list[Reason]:
    """Of each column of `fires`; partners are columns of another owner."""
    times = fires.sum(axis=1)
    numbers = fires.astype(np.float64)
    together = (numbers.T @ numbers).astype(np.int64)
    found = []
    for column, name in enumerate(names):
        others = np.where(owner != owner[column], together[column], 0)
        most = int(np.argmax(others))
        count = int(others[most])
        alone = int((fires[:, column] & (times == 1)).sum())
        found.append(Reason(name, int(fires[:, column].sum()), alone, names[most] if count else "", count))
    return found
