"""Raw bytes of one split to one part of documents."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from corpus.dataset import StepFolder, matching_sidecar
from corpus.dedup.ids import decide_ids, sign_ids
from corpus.errors import UserError
from corpus.parts import dataset_digest, read_part, text_bytes, write_part
from corpus.rules import Block
from corpus.schema import SCHEMA, Document, Rejected, batched, well_formed
from corpus.sources.raw import RawFile, Split
from corpus.sources.source import Source
from corpus.steps.dedupe import Partition
from corpus.steps.result import PartResult
from corpus.steps.samples import SAMPLE_SCHEMA, Samples
from corpus.storage import digest_of, exists, join, read_json, remove, write_json

MERGED = "merged_into_document"
"""Raw records that are part of another's document (the answers of a question)."""
DUPLICATE_ID = "duplicate_id"
ID_WITH_OTHER_TEXT = "id_with_other_text"
"""A note, not a reason: documents whose id another one before them has, with another text. They stay."""
SECOND_ID = "second_id"
"""A note: documents that got an id of their own at the end (`Source.second_id`), for what theirs was made of came
before."""


@dataclass(frozen=True)
class ExtractTask:
    """One split of one source. `input_digest` covers the split's files; `root` is where they are.

    Attributes:
        name: of the source in the recipe, which its documents carry.
    """

    part: int
    name: str
    source: Source
    root: str
    split: Split
    input_digest: str
    output: StepFolder
    step: str

    def __str__(self) -> str:
        return f"{self.output.data(self.part)} (from {self.split.pieces[0].path})"


def extract_part(task: ExtractTask, handed: Iterable[pa.RecordBatch] = ()) -> PartResult:
    """Writes the part, samples of what was rejected, and last its sidecar. A part that is finished is left.

    Args:
        handed: what other splits hand over, where the source `hands_over`.
    """
    expected = {"step": task.step, "input": task.input_digest}
    done = matching_sidecar(task.output, task.part, expected)
    if done is not None:
        return PartResult(task.part, done["documents"]["in"], done["documents"]["out"], done["text_bytes"]["in"], True)

    counts: Counter[str] = Counter()
    samples = Samples()
    total: dict[str, int] = Counter()

    def documents() -> Iterator[Document | pa.RecordBatch]:
        found: Iterator[Document | Rejected | pa.RecordBatch]
        if task.source.hands_over:
            found = task.source.read_handed(task.root, task.split, handed)
        else:
            found = task.source.read_batches(task.root, task.split, task.name)
        for record in found:
            if isinstance(record, Rejected):
                counts[record.reason] += record.records
                samples.add("extract", record.reason, *_sample(record))
            else:
                if isinstance(record, Document) and record.records > 1:
                    counts[MERGED] += record.records - 1
                yield record

    def batches() -> Iterator[Any]:
        for batch in batched(documents(), task.name):
            total["documents"] += batch.num_rows
            total["bytes"] += text_bytes(batch)
            total["digest"] += dataset_digest(batch)
            yield batch

    digest = write_part(task.output.data(task.part), SCHEMA, batches())
    sample = samples.batch()
    write_part(task.output.meta("samples", task.part), sample.schema, iter([sample]))
    records = total["documents"] + sum(counts.values())
    write_json(
        task.output.sidecar(task.part),
        {
            **expected,
            "part": task.part,
            "group": task.split.group,
            "split": task.split.to_json(),
            "data": {"digest": digest},
            "documents": {"in": records, "out": total["documents"]},
            "text_bytes": {"in": total["bytes"], "out": total["bytes"]},
            "dropped": {"extract": dict(sorted(counts.items()))},
            "seen": {"extract": records},
            "dataset_digest": f"{total['digest'] % 2**64:016x}",
        },
    )
    return PartResult(task.part, records, total["documents"], total["bytes"])


def _sample(record: Rejected) -> tuple[int, dict[str, object]]:
    origin = record.origin
    place = f"{origin.file}\0{origin.member}\0{origin.offset}\0{origin.record}".encode("utf-8", "surrogatepass")
    return xxhash.xxh64_intdigest(place), {
        "id": None,
        "file": well_formed(origin.file),
        "member": None if origin.member is None else well_formed(origin.member),
        "offset": origin.offset,
        "record": origin.record,
        "detail": well_formed(record.detail),
        "text": None,
    }


def write_splits(folder: StepFolder, files: Sequence[RawFile], splits: Sequence[Split]) -> str:
    """Writes the splits into `meta/plan.json`, which the cluster's first element names, and returns its path."""
    digest_by_path = {file.path: file.digest for file in files}
    path = join(folder.path, "meta", "plan.json")
    write_json(
        path,
        {
            "splits": [
                {**split.to_json(), "digest": digest_of([digest_by_path[piece.path] for piece in split.pieces])}
                for split in splits
            ]
        },
    )
    return path


@dataclass(frozen=True)
class ExtractTasks:
    """Reads `meta/plan.json` into tasks, on whatever machine runs it."""

    name: str
    source: Source
    root: str
    output: StepFolder
    step: str

    def __call__(self, path: str) -> Iterator[ExtractTask]:
        for part, body in enumerate(read_json(path)["splits"]):
            yield ExtractTask(
                part, self.name, self.source, self.root, Split.from_json(body), body["digest"], self.output, self.step
            )


@dataclass(frozen=True)
class HandOver:
    """Gives what a split hands to the splits of `plan`, the path of `meta/plan.json`."""

    tasks: ExtractTasks
    plan: str

    def __call__(self, task: ExtractTask) -> Iterator[Block]:
        splits = [other.split for other in self.tasks(self.plan)]
        yield from task.source.hand_over(task.root, splits, task.part)


@dataclass(frozen=True)
class ExtractHanded:
    """`extract_part` with what was handed to the split."""

    tasks: ExtractTasks
    plan: str

    def __call__(self, partition: Partition) -> PartResult:
        task = next(islice(self.tasks(self.plan), partition.part, None))
        return extract_part(task, partition.blocks())


@dataclass(frozen=True)
class SignIds:
    """Signs the ids of an extracted part, for the search for duplicates; with `and_text` their texts too."""

    output: StepFolder
    partitions: int
    and_text: bool = False

    def __call__(self, result: PartResult) -> Iterator[Block]:
        columns = ["id", "text"] if self.and_text else ["id"]
        batches = read_part(self.output.data(result.part), columns=columns)
        yield from sign_ids(result.part, batches, self.partitions, self.and_text)


@dataclass(frozen=True)
class DecideIds:
    partitions: int

    def __call__(self, partition: Partition) -> Iterator[Block]:
        yield from decide_ids(list(partition.blocks()), self.partitions)


@dataclass(frozen=True)
class DropDuplicateIds:
    """Writes a part again without the rows decided for it, and counts them, and those that only share an id; rows that
    the source has a second id for get it, and stay.

    The sidecar is removed first: a kill in between makes the part be extracted again, and the same rows be dropped.
    A part that has lost its rows already is left: a runner may do a part twice, and after a restart the decisions may
    come from spill files written before rows were dropped; they name rows of the part as it was extracted.

    Attributes:
        source: asked for second ids (`Source.second_id`); None: there are none.
    """

    output: StepFolder
    source: Source | None = None

    def __call__(self, partition: Partition) -> PartResult:
        part = partition.part
        found = pa.Table.from_batches(partition.blocks()).combine_chunks()
        again = dict(zip(found.column("row").to_pylist(), found.column("drop").to_pylist(), strict=True))
        if not exists(self.output.sidecar(part)):
            raise UserError(f"{self.output.data(part)} was being written when its worker ended: run the step again")
        sidecar = read_json(self.output.sidecar(part))
        dropped = sidecar["dropped"]["extract"]
        records = sidecar["documents"]["out"] + dropped.get(DUPLICATE_ID, 0)
        if DUPLICATE_ID in dropped or "notes" in sidecar:
            return PartResult(part, records, sidecar["documents"]["out"], sidecar["text_bytes"]["in"], True)
        ids = self._second_ids(part, again)
        rows = np.array(sorted(row for row, drop in again.items() if drop and row not in ids), np.int64)
        shared = sum(not drop for row, drop in again.items() if row not in ids)
        if notes := {name: n for name, n in ((ID_WITH_OTHER_TEXT, shared), (SECOND_ID, len(ids))) if n}:
            sidecar["notes"] = notes
        del sidecar["format"]
        if not len(rows) and not ids:
            write_json(self.output.sidecar(part), sidecar)
            return PartResult(part, records, records, sidecar["text_bytes"]["in"], True)
        remove(self.output.sidecar(part))
        samples = Samples()
        total: Counter[str] = Counter()

        def kept() -> Iterator[pa.RecordBatch]:
            first = 0
            for batch in read_part(self.output.data(part)):
                batch = _with_ids(batch, {row - first: other for row, other in ids.items()})
                gone = rows[(rows >= first) & (rows < first + batch.num_rows)] - first
                first += batch.num_rows
                if len(gone):
                    samples.add_rows("extract", DUPLICATE_ID, batch, gone)
                    keep = np.ones(batch.num_rows, bool)
                    keep[gone] = False
                    batch = batch.filter(pa.array(keep))
                total["documents"] += batch.num_rows
                total["bytes"] += text_bytes(batch)
                total["digest"] += dataset_digest(batch)
                yield batch

        sidecar["data"]["digest"] = write_part(self.output.data(part), SCHEMA, kept())
        sample_path = self.output.meta("samples", part)
        write_part(sample_path, SAMPLE_SCHEMA, iter([*list(read_part(sample_path)), samples.batch()]))
        sidecar["documents"]["out"] = total["documents"]
        sidecar["text_bytes"]["out"] = total["bytes"]
        if len(rows):
            dropped[DUPLICATE_ID] = len(rows)
        sidecar["dataset_digest"] = f"{total['digest'] % 2**64:016x}"
        write_json(self.output.sidecar(part), sidecar)
        return PartResult(part, records, total["documents"], sidecar["text_bytes"]["in"])

    def _second_ids(self, part: int, again: dict[int, bool]) -> dict[int, str]:
        """Of the rows whose id an earlier document has, those that get another id."""
        ids: dict[int, str] = {}
        if self.source is None:
            return ids
        first = 0
        for batch in read_part(self.output.data(part)):
            for row in (row for row in again if first <= row < first + batch.num_rows):
                if other := self.source.second_id(batch.slice(row - first, 1).to_pylist()[0]):
                    ids[row] = other
            first += batch.num_rows
        return ids


def _with_ids(batch: pa.RecordBatch, ids: dict[int, str]) -> pa.RecordBatch:
    """The batch with other ids in the rows that it has of `ids`."""
    here = {row: other for row, other in ids.items() if 0 <= row < batch.num_rows}
    if not here:
        return batch
    column = batch.column("id").to_pylist()
    for row, other in here.items():
        column[row] = other
    return batch.set_column(batch.schema.get_field_index("id"), SCHEMA.field("id"), pa.array(column, pa.string()))
