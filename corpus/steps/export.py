"""Documents of finished steps for other programs: what is done to one group of parts."""

import gzip
import io
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.errors import UserError, known
from corpus.parts import read_part, text_bytes, write_part
from corpus.schema import SCHEMA
from corpus.steps.result import PartResult
from corpus.storage import commit, exists, join
from corpus.text.buffers import text_buffers

Format = Literal["parquet", "jsonl.zst", "dolma"]
FORMATS = get_args(Format)
COLUMNS = ("id", "text", "source", "language", "license", "url", "timestamp", "metadata")
"""Written unless others are chosen: all but the ways back to the raw bytes."""
SHARD_BYTES = 1 << 30
"""Of text in one file."""


@dataclass(frozen=True)
class ExportTask:
    """Some consecutive parts of one step, which become one file, or one part that becomes several.

    Attributes:
        parts: their numbers.
        folder: that the files go into.
        shard_bytes: of text in a file, at most, but for a document that is larger.
        added: in Dolma's rows, the day of the export.
    """

    part: int
    step: StepFolder
    parts: tuple[int, ...]
    folder: str
    format: Format
    columns: tuple[str, ...]
    shard_bytes: int
    added: str

    def __str__(self) -> str:
        return self.path(0)

    def path(self, number: int) -> str:
        """Of the n-th file."""
        ending = "jsonl.gz" if self.format == "dolma" else self.format
        return join(self.folder, f"{self.parts[0]:05d}-{number:03d}.{ending}")


def export_parts(task: ExportTask) -> PartResult:
    """Writes the files of a task that are not there yet.

    Raises:
        DamagedFile: a part cannot be read.
    """
    batches = _Batches(task)
    number = 0
    reused = True
    while not batches.ended:
        path = task.path(number)
        if exists(path):
            deque(batches.of_one_file(), maxlen=0)
        else:
            reused = False
            _WRITERS[task.format](path, task, batches.of_one_file())
        number += 1
    return PartResult(task.part, batches.documents, batches.documents, batches.bytes, reused)


class _Batches:
    """The batches of a task's parts, handed out file by file: none is held but the next one."""

    def __init__(self, task: ExportTask) -> None:
        needed = list(dict.fromkeys([*task.columns, "text"]))
        whole = (batch for part in task.parts for batch in read_part(task.step.data(part), columns=needed))
        self._batches = (piece for batch in whole for piece in _cut(batch, task.shard_bytes))
        self._limit = task.shard_bytes
        self._next = next(self._batches, None)
        self.documents = self.bytes = 0

    @property
    def ended(self) -> bool:
        return self._next is None

    def of_one_file(self) -> Iterator[pa.RecordBatch]:
        """As many as fit into one, at least one."""
        size = 0
        while self._next is not None:
            batch, length = self._next, text_bytes(self._next)
            if size and size + length > self._limit:
                return
            size += length
            self.documents += batch.num_rows
            self.bytes += length
            self._next = next(self._batches, None)
            yield batch


def _cut(batch: pa.RecordBatch, limit: int) -> Iterator[pa.RecordBatch]:
    """Slices of at most `limit` bytes of text; a longer document stands alone."""
    _, ends = text_buffers(batch.column("text"))
    start = 0
    while start < batch.num_rows:
        fitting = int(np.searchsorted(ends, ends[start] + limit, side="right")) - 1
        stop = min(max(fitting, start + 1), batch.num_rows)
        yield batch.slice(start, stop - start)
        start = stop


def _write_parquet(path: str, task: ExportTask, batches: Iterator[pa.RecordBatch]) -> None:
    schema = export_schema(task.columns)
    write_part(path, schema, (batch.select(list(task.columns)) for batch in batches))


def _write_jsonl(path: str, task: ExportTask, batches: Iterator[pa.RecordBatch]) -> None:
    """Rows of the chosen columns. Metadata stays a string of JSON: as objects of many shapes `datasets` does not read
    it."""

    def write(sink: Any) -> None:
        with pa.CompressedOutputStream(pa.PythonFile(sink, mode="w"), "zstd") as stream:
            for batch in batches:
                stream.write(_lines(batch, lambda row: {name: row[name] for name in task.columns}))

    commit(path, write)


def _write_dolma(path: str, task: ExportTask, batches: Iterator[pa.RecordBatch]) -> None:
    """Dolma's rows (github.com/allenai/dolma, docs/data-format.md): what it has no key for goes into its metadata."""

    def dolma(row: dict[str, Any]) -> dict[str, Any]:
        rest = {name: row[name] for name in task.columns if name in ("language", "license", "url")}
        metadata = row.get("metadata")
        return {
            "id": row["id"],
            "text": row["text"],
            "source": row["source"],
            "added": task.added,
            "created": row.get("timestamp"),
            "metadata": {
                **(json.loads(metadata) if metadata else {}),
                **{name: value for name, value in rest.items() if value},
            },
        }

    def write(sink: Any) -> None:
        with gzip.GzipFile(fileobj=sink, mode="wb", mtime=0, filename="") as stream:
            for batch in batches:
                stream.write(_lines(batch, dolma))

    commit(path, write)


_WRITERS: dict[str, Callable[[str, ExportTask, Iterator[pa.RecordBatch]], None]] = {
    "parquet": _write_parquet,
    "jsonl.zst": _write_jsonl,
    "dolma": _write_dolma,
}


def _lines(batch: pa.RecordBatch, shape: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """JSON lines of a batch; times as ISO 8601."""
    lines = io.StringIO()
    for row in batch.to_pylist():
        if row.get("timestamp") is not None:
            row["timestamp"] = row["timestamp"].isoformat().replace("+00:00", "Z")
        json.dump(shape(row), lines, ensure_ascii=False)
        lines.write("\n")
    return lines.getvalue().encode()


def export_schema(columns: tuple[str, ...]) -> pa.Schema:
    """The chosen columns, in their order.

    Raises:
        UserError: a document has no such column.
    """
    for name in columns:
        if name not in SCHEMA.names:
            raise UserError(f"documents have no column {name}; {known(name, SCHEMA.names)}")
    return pa.schema([SCHEMA.field(name) for name in columns])
