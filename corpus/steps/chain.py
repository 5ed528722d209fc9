"""A chain of rules on a batch of documents: the one place that knows what a rule does to one.

`corpus.steps.process` writes what is told here, `corpus.trace` prints it, and `pipelines.plan.calibrate` times it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.rules import Cleaned
from corpus.schema import SCHEMA
from corpus.steps.rule import NamedRule

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Applied:
    """What one rule made of the documents that reached it.

    Attributes:
        rows: their numbers in the batch that the chain began with.
        before: the documents as they reached the rule.
        after: every one of them, with its new text and columns, also those that are dropped.
        reasons: string array, null for those that stay.
        scores: of a filter, or what a cleaner counted; None without.
    """

    named: NamedRule
    rows: Rows
    before: pa.RecordBatch
    after: pa.RecordBatch
    reasons: pa.Array
    scores: pa.RecordBatch | None = None

    @property
    def dropped(self) -> npt.NDArray[np.bool_]:
        """Which of the documents are dropped."""
        return np.asarray(self.reasons.is_valid())


Score = Callable[[NamedRule, pa.RecordBatch, Rows], pa.RecordBatch]
"""The scores of a filter for documents, whose row numbers stand beside them: computed, or stored ones."""


def apply_chain(
    batch: pa.RecordBatch,
    dedup: NamedRule | None,
    rules: Sequence[NamedRule],
    first_row: int = 0,
    decisions: pa.Table | None = None,
    score: Score = lambda named, batch, rows: named.filter.score(batch),
) -> Iterator[Applied]:
    """Each rule in order on what the one before it left, the decisions of the dedup first.

    Args:
        batch: documents, from row `first_row` of their part on.
        decisions: of the dedup for this part.
        score: in place of the filters' own.
    """
    rows = np.arange(batch.num_rows, dtype=np.int64)
    for named in ([dedup] if dedup else []) + list(rules):
        if named.is_dedup:
            applied = _rewritten(named, rows, batch, named.dedup.apply(batch, first_row, decisions))
        else:
            applied = apply_rule(named, batch, rows, score)
        yield applied
        batch, rows = applied.after, applied.rows
        if (gone := applied.dropped).any():
            batch, rows = batch.filter(pa.array(~gone)), rows[~gone]


def apply_rule(
    named: NamedRule,
    batch: pa.RecordBatch,
    rows: Rows | None = None,
    score: Score = lambda named, batch, rows: named.filter.score(batch),
) -> Applied:
    """One cleaner or filter on a batch."""
    if rows is None:
        rows = np.arange(batch.num_rows, dtype=np.int64)
    if named.is_cleaner:
        return _rewritten(named, rows, batch, named.cleaner.clean(batch))
    scores = score(named, batch, rows)
    after = batch
    for name in scores.schema.names:
        if name in SCHEMA.names:
            after = with_column(after, name, scores.column(name))
    return Applied(named, rows, batch, after, named.filter.decide(scores), scores)


def with_column(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    """A batch of documents with another column in the place of the one of this name."""
    field = SCHEMA.field(name)
    return batch.set_column(batch.schema.get_field_index(name), field, column.cast(field.type))


def _rewritten(named: NamedRule, rows: Rows, batch: pa.RecordBatch, cleaned: Cleaned) -> Applied:
    after = with_column(batch, "text", cleaned.text)
    before = batch.column("kept_lines")
    if cleaned.kept_lines is not None:
        after = with_column(after, "kept_lines", compose_lines(before, cleaned.kept_lines))
    elif before.null_count < len(before):
        after = with_column(after, "kept_lines", _lines_still_there(before, batch.column("text"), cleaned.text))
    return Applied(named, rows, batch, after, cleaned.reason, cleaned.counts)


def compose_lines(before: pa.Array, after: pa.Array) -> pa.Array:
    """Line numbers of a second removal, which count in the text that a first one left, as numbers in the text before
    both. Where there was no first one, or its numbers do not hold any more, they stay as they are."""
    if before.null_count == len(before):
        return after
    composed: list[Any] = [
        new if old is None or new is None else [old[line] for line in new if old]  # an empty text has a line too
        for old, new in zip(before.to_pylist(), after.to_pylist(), strict=True)
    ]
    return pa.array(composed, SCHEMA.field("kept_lines").type)


def _lines_still_there(kept: pa.Array, old: pa.Array, new: pa.Array) -> pa.Array:
    """`kept_lines` after a cleaner that does not say what it did to lines: null where their number has changed, since
    the numbers then name the wrong ones."""
    same = pc.equal(pc.count_substring(old, "\n"), pc.count_substring(new, "\n"))
    return pc.if_else(same, kept, pa.scalar(None, kept.type))
