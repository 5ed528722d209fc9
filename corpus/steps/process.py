"""What a step does to one part: apply a dedup's decisions, then clean and filter, and write what came of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dataset import StepFolder, matching_sidecar
from corpus.parts import dataset_digest, read_part, text_bytes, write_part
from corpus.rules import Cleaned
from corpus.schema import SCHEMA
from corpus.steps.result import PartResult
from corpus.steps.rule import NamedRule
from corpus.steps.samples import Samples
from corpus.storage import exists, write_json

DECISION_SCHEMA = pa.schema(
    [pa.field("row", pa.uint32()), pa.field("step", pa.string()), pa.field("reason", pa.string())]
)
"""`row` counts in the part before this step."""


@dataclass(frozen=True)
class ProcessTask:
    """One part of one step.

    Attributes:
        input: folder of the step before.
        output: folder of this step.
        step: digest of this step.
        input_digest: SHA-256 of the part's Parquet file in `input`.
        dedup: the dedup whose decisions are applied first, if any.
        dedup_digest: SHA-256 of this part's decisions file, or "" when it has none.
        rules: cleaners and filters in order.
        stored_scores: for a filter's key, the scores folder of an earlier run whose scores are the same.
    """

    part: int
    group: str
    input: StepFolder
    output: StepFolder
    step: str
    input_digest: str
    rules: tuple[NamedRule, ...]
    dedup: NamedRule | None = None
    dedup_digest: str = ""
    stored_scores: dict[str, StepFolder] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.output.data(self.part)


def process_part(task: ProcessTask) -> PartResult:
    """Writes the part, its scores, decisions and samples, and last its sidecar. A part that is finished is left."""
    expected = {"step": task.step, "input": task.input_digest, "dedup": task.dedup_digest}
    done = matching_sidecar(task.output, task.part, expected)
    if done is not None:
        return PartResult(task.part, done["documents"]["in"], done["documents"]["out"], done["text_bytes"]["in"], True)

    run = _PartRun(task)
    digest = write_part(task.output.data(task.part), SCHEMA, run.batches())
    if run.scores:
        scores = pa.Table.from_batches(run.scores)
        write_part(task.output.meta("scores", task.part), scores.schema, iter(scores.to_batches()))
    write_part(task.output.meta("decisions", task.part), DECISION_SCHEMA, iter(run.decisions))
    samples = run.samples.batch()
    write_part(task.output.meta("samples", task.part), samples.schema, iter([samples]))
    write_json(
        task.output.sidecar(task.part),
        {
            **expected,
            "part": task.part,
            "group": task.group,
            "data": {"digest": digest},
            "documents": {"in": run.documents_in, "out": run.documents_out},
            "text_bytes": {"in": run.bytes_in, "out": run.bytes_out},
            "dropped": {rule: dict(sorted(reasons.items())) for rule, reasons in sorted(run.dropped.items())},
            "seen": dict(sorted(run.seen.items())),
            "dataset_digest": f"{run.dataset_digest % 2**64:016x}",
        },
    )
    return PartResult(task.part, run.documents_in, run.documents_out, run.bytes_in)


class _PartRun:
    """The counts and side files of one part while its batches go through."""

    def __init__(self, task: ProcessTask) -> None:
        self.task = task
        self.documents_in = self.documents_out = self.bytes_in = self.bytes_out = self.dataset_digest = 0
        named = ([task.dedup] if task.dedup else []) + list(task.rules)
        self.seen: Counter[str] = Counter({rule.key: 0 for rule in named})
        self.dropped: dict[str, Counter[str]] = {}
        self.scores: list[pa.RecordBatch] = []
        self.decisions: list[pa.RecordBatch] = []
        self.samples = Samples()
        self._stored = {key: _ScoreReader(folder, task.part) for key, folder in task.stored_scores.items()}
        self._dedup_decisions = _read_decisions(task)

    def batches(self) -> Iterator[pa.RecordBatch]:
        first_row = 0
        for batch in read_part(self.task.input.data(self.task.part)):
            self.documents_in += batch.num_rows
            self.bytes_in += text_bytes(batch)
            kept = self._batch(batch, first_row)
            first_row += batch.num_rows
            self.documents_out += kept.num_rows
            self.bytes_out += text_bytes(kept)
            self.dataset_digest += dataset_digest(kept)
            yield kept

    def _batch(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        rows = np.arange(batch.num_rows, dtype=np.int64)
        current = batch
        score_columns: dict[str, pa.Array] = {}
        decisions: list[tuple[npt.NDArray[np.int64], str, pa.Array]] = []

        def drop(named: NamedRule, reasons: pa.Array, before: pa.RecordBatch) -> None:
            """Takes out what has a reason; samples show the text as it was before the rule."""
            nonlocal current, rows
            gone = np.asarray(reasons.is_valid())
            if gone.any():
                places = np.flatnonzero(gone)
                given = reasons.take(pa.array(places))
                decisions.append((rows[places], named.key, given))
                self._count(named.key, given, before, places)
                current = current.filter(pa.array(~gone))
                rows = rows[~gone]

        if self.task.dedup is not None:
            named = self.task.dedup
            self.seen[named.key] += current.num_rows
            cleaned = named.dedup.apply(current, first_row, self._dedup_decisions)
            before, current = current, _with_text(current, cleaned)
            drop(named, cleaned.reason, before)
        for named in self.task.rules:
            self.seen[named.key] += current.num_rows
            if named.is_cleaner:
                cleaned = named.cleaner.clean(current)
                before, current = current, _with_text(current, cleaned)
                drop(named, cleaned.reason, before)
            else:
                scores = self._score(named, current, rows, first_row, batch.num_rows)
                for name in scores.schema.names:
                    score_columns[f"{named.key}.{name}"] = _scatter(scores.column(name), rows, batch.num_rows)
                    if name in SCHEMA.names:
                        current = with_column(current, name, scores.column(name))
                drop(named, named.filter.decide(scores), current)
        if score_columns:
            self.scores.append(pa.RecordBatch.from_pydict(score_columns))
        self._decide(decisions, first_row)
        if current.num_rows:
            self.samples.add_rows("", "kept", current, np.arange(current.num_rows))
        return current

    def _score(
        self,
        named: NamedRule,
        current: pa.RecordBatch,
        rows: npt.NDArray[np.int64],
        first_row: int,
        total: int,
    ) -> pa.RecordBatch:
        """Stored scores where an earlier run has them, and new ones for the rows it had dropped."""
        stored = self._stored.get(named.key)
        if stored is None:
            return named.filter.score(current)
        held = stored.read(named.key, first_row, total).take(pa.array(rows))
        known = np.zeros(len(rows), bool)
        for column in held.columns:
            known |= np.asarray(column.is_valid())
        if known.all() and held.num_rows:
            return held
        fresh = named.filter.score(current.filter(pa.array(~known)))
        order = np.empty(len(rows), np.int64)
        order[known] = np.flatnonzero(known)
        order[~known] = len(rows) + np.arange(int((~known).sum()))
        both = pa.Table.from_batches([held.cast(fresh.schema), fresh]).combine_chunks()
        merged = both.take(pa.array(order)).combine_chunks()
        batches = merged.to_batches()
        return batches[0] if batches else fresh

    def _count(self, key: str, reasons: pa.Array, batch: pa.RecordBatch, places: npt.NDArray[np.int64]) -> None:
        names = np.asarray(reasons.to_pylist(), dtype=object)
        counts = self.dropped.setdefault(key, Counter())
        for reason in sorted(set(names)):
            chosen = places[names == reason]
            counts[reason] += len(chosen)
            self.samples.add_rows(key, reason, batch, chosen)

    def _decide(self, decisions: list[tuple[npt.NDArray[np.int64], str, pa.Array]], first_row: int) -> None:
        if not decisions:
            return
        rows = np.concatenate([some for some, _, _ in decisions]) + first_row
        steps = [key for some, key, _ in decisions for _ in range(len(some))]
        reasons = pa.concat_arrays([given.cast(pa.string()) for _, _, given in decisions])
        order = pa.array(np.argsort(rows, kind="stable"))
        batch = pa.RecordBatch.from_arrays(
            [pa.array(rows, pa.uint32()), pa.array(steps, pa.string()), reasons], schema=DECISION_SCHEMA
        )
        self.decisions.append(batch.take(order))


class _ScoreReader:
    """Scores of one part of an earlier run, read forward; rows are those of the step's input."""

    def __init__(self, folder: StepFolder, part: int) -> None:
        path = folder.meta("scores", part)
        batches = list(read_part(path)) if exists(path) else []
        self._table = pa.Table.from_batches(batches).combine_chunks() if batches else None

    def read(self, key: str, first_row: int, count: int) -> pa.RecordBatch:
        if self._table is None:
            return pa.RecordBatch.from_pydict({})
        names = [name for name in self._table.schema.names if name.startswith(f"{key}.")]
        piece = self._table.select(names).slice(first_row, count).combine_chunks()
        piece = piece.rename_columns([name[len(key) + 1 :] for name in names])
        return pa.RecordBatch.from_arrays([column.combine_chunks() for column in piece.columns], schema=piece.schema)


def _read_decisions(task: ProcessTask) -> pa.Table | None:
    if not task.dedup_digest:
        return None
    return pa.Table.from_batches(list(read_part(task.output.meta("dedup", task.part))))


def with_column(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    """A batch of documents with another column in the place of the one of this name."""
    field = SCHEMA.field(name)
    return batch.set_column(batch.schema.get_field_index(name), field, column.cast(field.type))


def _with_text(batch: pa.RecordBatch, cleaned: Cleaned) -> pa.RecordBatch:
    result = with_column(batch, "text", cleaned.text)
    if cleaned.kept_lines is None:
        return result
    return with_column(result, "kept_lines", _compose(batch.column("kept_lines"), cleaned.kept_lines))


def _compose(before: pa.Array, after: pa.Array) -> pa.Array:
    """Line numbers of `after` count in the text of `before`; the result counts in the extracted text."""
    if before.null_count == len(before):
        return after
    composed = [
        new if old is None or new is None else [old[line] for line in new]
        for old, new in zip(before.to_pylist(), after.to_pylist(), strict=True)
    ]
    return pa.array(composed, SCHEMA.field("kept_lines").type)


def _scatter(column: pa.Array, rows: npt.NDArray[np.int64], total: int) -> pa.Array:
    """`column`, one value for each of `rows`, as a column of `total` rows with nulls elsewhere."""
    places = np.full(total, -1, np.int64)
    places[rows] = np.arange(len(rows))
    return pc.take(column, pa.array(places, mask=places < 0))
