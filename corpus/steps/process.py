"""What a step does to one part: apply a dedup's decisions, then clean and filter, and write what came of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dataset import StepFolder, matching_sidecar
from corpus.parts import dataset_digest, read_part, text_bytes, write_part
from corpus.schema import SCHEMA
from corpus.steps.chain import Rows, apply_chain
from corpus.steps.dedupe import decided
from corpus.steps.identity import Step
from corpus.steps.result import PartResult
from corpus.steps.rule import NamedRule
from corpus.steps.samples import Samples
from corpus.storage import exists, write_json

DROPPED_SCHEMA = pa.schema(
    [pa.field("row", pa.uint32()), pa.field("step", pa.string()), pa.field("reason", pa.string())]
)
"""What stands in `meta/decisions`: `row` counts in the part before this step, `step` is the key of the rule."""


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


@dataclass(frozen=True)
class ProcessTasks:
    """Reads the manifest of the step before into tasks."""

    step: Step
    digest: str
    output: StepFolder
    stored_scores: dict[str, StepFolder] = field(default_factory=dict)

    def __call__(self, source: StepFolder) -> Iterator[ProcessTask]:
        decisions = (decided(self.output, self.digest) or {}) if self.step.dedup else {}
        for part in source.parts():
            yield ProcessTask(
                part=part.number,
                group=part.group,
                input=source,
                output=self.output,
                step=self.digest,
                input_digest=part.digest,
                rules=self.step.rules,
                dedup=self.step.dedup,
                dedup_digest=decisions.get(str(part.number), ""),
                stored_scores=self.stored_scores,
            )


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
    write_part(task.output.meta("decisions", task.part), DROPPED_SCHEMA, iter(run.dropped_rows))
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
        chain = ([task.dedup] if task.dedup else []) + list(task.rules)
        self.seen: Counter[str] = Counter({rule.key: 0 for rule in chain})
        self.dropped: dict[str, Counter[str]] = {}
        self.scores: list[pa.RecordBatch] = []
        self.dropped_rows: list[pa.RecordBatch] = []
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
        score_columns: dict[str, pa.Array] = {}
        dropped: list[tuple[Rows, str, pa.Array]] = []
        score = partial(self._score, first_row=first_row, total=batch.num_rows)
        kept = batch
        for applied in apply_chain(batch, self.task.dedup, self.task.rules, first_row, self._dedup_decisions, score):
            key = applied.named.key
            self.seen[key] += applied.before.num_rows
            if applied.scores is not None:
                for name in applied.scores.schema.names:
                    column = _scatter(applied.scores.column(name), applied.rows, batch.num_rows)
                    score_columns[f"{key}.{name}"] = column
            places = np.flatnonzero(applied.dropped)
            if len(places):
                reasons = applied.reasons.take(pa.array(places))
                dropped.append((applied.rows[places], key, reasons))
                # Samples show the text as the rule saw it, and the language that it found.
                shown = applied.after if applied.named.is_filter else applied.before
                self._count(applied.named, reasons, shown, places)
            kept = applied.after.filter(applied.reasons.is_null())
        if score_columns:
            self.scores.append(pa.RecordBatch.from_pydict(score_columns))
        self._note_dropped(dropped, first_row)
        if kept.num_rows:
            self.samples.add_rows("", "kept", kept, np.arange(kept.num_rows))
        return kept

    def _score(self, named: NamedRule, batch: pa.RecordBatch, rows: Rows, first_row: int, total: int) -> pa.RecordBatch:
        """Stored scores where an earlier run has them, and new ones for the rows it had dropped."""
        stored = self._stored.get(named.key)
        if stored is None:
            return named.filter.score(batch)
        held = stored.read(named.key, first_row, total).take(pa.array(rows))
        known = np.zeros(len(rows), bool)
        for column in held.columns:
            known |= np.asarray(column.is_valid())
        if known.all() and held.num_rows:
            return held
        fresh = named.filter.score(batch.filter(pa.array(~known)))
        order = np.empty(len(rows), np.int64)
        order[known] = np.flatnonzero(known)
        order[~known] = len(rows) + np.arange(int((~known).sum()))
        both = pa.Table.from_batches([held.cast(fresh.schema), fresh]).combine_chunks()
        merged = both.take(pa.array(order)).combine_chunks()
        batches = merged.to_batches()
        return batches[0] if batches else fresh

    def _count(self, named: NamedRule, reasons: pa.Array, batch: pa.RecordBatch, places: Rows) -> None:
        names = np.asarray(reasons.to_pylist(), dtype=object)
        counts = self.dropped.setdefault(named.key, Counter())
        for reason in sorted(set(names)):
            chosen = places[names == reason]
            counts[reason] += len(chosen)
            if named.rule.shows_dropped:
                self.samples.add_rows(named.key, reason, batch, chosen)

    def _note_dropped(self, dropped: list[tuple[Rows, str, pa.Array]], first_row: int) -> None:
        if not dropped:
            return
        rows = np.concatenate([some for some, _, _ in dropped]) + first_row
        keys = [key for some, key, _ in dropped for _ in range(len(some))]
        reasons = pa.concat_arrays([given.cast(pa.string()) for _, _, given in dropped])
        order = pa.array(np.argsort(rows, kind="stable"))
        batch = pa.RecordBatch.from_arrays(
            [pa.array(rows, pa.uint32()), pa.array(keys, pa.string()), reasons], schema=DROPPED_SCHEMA
        )
        self.dropped_rows.append(batch.take(order))


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


def _scatter(column: pa.Array, rows: Rows, total: int) -> pa.Array:
    """`column`, one value for each of `rows`, as a column of `total` rows with nulls elsewhere."""
    places = np.full(total, -1, np.int64)
    places[rows] = np.arange(len(rows))
    return pc.take(column, pa.array(places, mask=places < 0))
