"""Raw bytes of one split to one part of documents."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
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


def extract_part(task: ExtractTask) -> PartResult:
    """Writes the part, samples of what was rejected, and last its sidecar. A part that is finished is left."""
    expected = {"step": task.step, "input": task.input_digest}
    done = matching_sidecar(task.output, task.part, expected)
    if done is not None:
        return PartResult(task.part, done["documents"]["in"], done["documents"]["out"], done["text_bytes"]["in"], True)

    counts: Counter[str] = Counter()
    samples = Samples()
    total: dict[str, int] = Counter()

    def documents() -> Iterator[Document | pa.RecordBatch]:
        for record in task.source.read_batches(task.root, task.split, task.name):
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
    """Writes a part again without the rows decided for it, and counts them, and those that only share an id.

    The sidecar is removed first: a kill in between makes the part be extracted again, and the same rows be dropped.
    A part that has lost its rows already is left: a runner may do a part twice, and after a restart the decisions may
    come from spill files written before rows were dropped; they name rows of the part as it was extracted.
    """

    output: StepFolder
    source: Source

    def __call__(self, partition: Partition) -> PartResult:
        part = partition.part
        found = pa.Table.from_batches(partition.blocks()).combine_chunks()
        rows, first = np.unique(np.asarray(found.column("row")), return_index=True)
        drop = np.asarray(found.column("drop"))[first]
        if not exists(self.output.sidecar(part)):
            raise UserError(f"{self.output.data(part)} was being written when its worker ended: run the step again")
        sidecar = read_json(self.output.sidecar(part))
        dropped = sidecar["dropped"]["extract"]
        if DUPLICATE_ID in dropped or "notes" in sidecar:
            documents = sidecar["documents"]["out"]
            records = documents + dropped.get(DUPLICATE_ID, 0)
            return PartResult(part, records, documents, sidecar["text_bytes"]["in"], True)
        del sidecar["format"]
        remove(self.output.sidecar(part))
        samples = Samples()
        total: Counter[str] = Counter()
        notes: Counter[str] = Counter()

        def kept() -> Iterator[pa.RecordBatch]:
            first = 0
            for batch in read_part(self.output.data(part)):
                here = (rows >= first) & (rows < first + batch.num_rows)
                batch, gone = self._with_second_ids(batch, rows[here] - first, drop[here], notes)
                first += batch.num_rows
                if len(gone):
                    samples.add_rows("extract", DUPLICATE_ID, batch, gone)
                    keep = np.ones(batch.num_rows, bool)
                    keep[gone] = False
                    batch = batch.filter(pa.array(keep))
                total["dropped"] += len(gone)
                total["documents"] += batch.num_rows
                total["bytes"] += text_bytes(batch)
                total["digest"] += dataset_digest(batch)
                yield batch

        sidecar["data"]["digest"] = write_part(self.output.data(part), SCHEMA, kept())
        sample_path = self.output.meta("samples", part)
        write_part(sample_path, SAMPLE_SCHEMA, iter([*list(read_part(sample_path)), samples.batch()]))
        sidecar["documents"]["out"] = total["documents"]
        sidecar["text_bytes"]["out"] = total["bytes"]
        if total["dropped"]:
            dropped[DUPLICATE_ID] = total["dropped"]
        if notes:
            sidecar["notes"] = dict(sorted(notes.items()))
        sidecar["dataset_digest"] = f"{total['digest'] % 2**64:016x}"
        write_json(self.output.sidecar(part), sidecar)
        records = total["documents"] + total["dropped"]
        return PartResult(part, records, total["documents"], sidecar["text_bytes"]["in"])

    def _with_second_ids(
        self, batch: pa.RecordBatch, again: npt.NDArray[np.int64], drop: npt.NDArray[np.bool_], notes: Counter[str]
    ) -> tuple[pa.RecordBatch, npt.NDArray[np.int64]]:
        """(the batch, rows to drop), of rows whose id an earlier one has: those with a second id have it, and stay."""
        gone: list[int] = []
        ids: dict[int, str] = {}
        for row, same_text in zip(again.tolist(), drop.tolist(), strict=True):
            if other := self.source.second_id(batch.slice(row, 1).to_pylist()[0]):
                ids[row] = other
                notes[SECOND_ID] += 1
            elif same_text:
                gone.append(row)
            else:
                notes[ID_WITH_OTHER_TEXT] += 1
        if ids:
            column = batch.column("id").to_pylist()
            for row, other in ids.items():
                column[row] = other
            batch = batch.set_column(batch.schema.get_field_index("id"), SCHEMA.field("id"), pa.array(column, pa.string()))
        return batch, np.array(gone, np.int64)
