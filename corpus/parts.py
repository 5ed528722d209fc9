"""Parts: Parquet files of rows, written one way and read in batches."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.errors import DamagedFile, UserError
from corpus.schema import BATCH_BYTES, BATCH_ROWS, SCHEMA
from corpus.storage import commit, exists, open_read
from corpus.text.buffers import text_buffers
from corpus.text.hashing import hash_rows

COMPRESSION_LEVEL = 2
"""Of zstd. A part is read once by the next step: 3 is 5 % smaller and makes WET to Parquet a fifth slower; 1 is 7 %
larger and a sixth faster (benchmarks/sources.py, docs/sources/commoncrawl.md)."""


class PartWriter:
    """Collects batches into row groups of at most `BATCH_ROWS` rows, or as soon as `BATCH_BYTES` are reached."""

    def __init__(self, sink: Any, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(
            sink,
            schema,
            compression="zstd",
            compression_level=COMPRESSION_LEVEL,
            version="2.6",
            write_statistics=["id"] if "id" in schema.names else False,
            use_dictionary=[
                name for name in ("source", "language", "license", "step", "reason") if name in schema.names
            ],
        )
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            piece = batch.slice(start, BATCH_ROWS)
            if self._rows and (self._rows + piece.num_rows > BATCH_ROWS or self._bytes + piece.nbytes > BATCH_BYTES):
                self._flush()
            self._held.append(piece)
            self._rows += piece.num_rows
            self._bytes += piece.nbytes

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._held, self._schema)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._held, self._rows, self._bytes = [], 0, 0

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


def write_part(path: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> str:
    """Commits one Parquet file of ours and returns the SHA-256 of its bytes. The one place that writes Parquet."""

    def write(sink: Any) -> None:
        writer = PartWriter(pa.PythonFile(sink, mode="w"), schema)
        try:
            for batch in batches:
                writer.write(batch)
        finally:
            # After an error too, while the file is open: Arrow would else write its footer when the object goes.
            writer.close()

    return commit(path, write)


def open_parquet(file: IO[bytes]) -> pq.ParquetFile:
    """A reader of a Parquet file that touches `file` in the calling thread only; to be read with `use_threads=False`.

    Arrow's own threads would read ahead, and may hold the last reference to bytes that Python gave them. One that lets
    go of it when Python is about to end, as after a short command on a busy machine, ends the process with "terminate
    called without an active exception".
    """
    return pq.ParquetFile(file, pre_buffer=False)


def read_part(path: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a part in order, one batch for each row group.

    Raises:
        DamagedFile: the file is gone, or is not a whole Parquet file.
        OSError: the storage failed.
    """
    with _open_part(path) as reader:
        for group in range(reader.num_row_groups):
            table = reader.read_row_group(group, columns=columns, use_threads=False)
            yield from table.combine_chunks().to_batches()


def read_row(path: str, row: int, columns: list[str] | None = None) -> pa.RecordBatch:
    """One row of a part; only its row group is read.

    Raises:
        UserError: no such row.
        DamagedFile, OSError: as `read_part`.
    """
    with _open_part(path) as reader:
        first = 0
        for group in range(reader.num_row_groups):
            rows = reader.metadata.row_group(group).num_rows
            if row < first + rows:
                table = reader.read_row_group(group, columns=columns, use_threads=False)
                return table.slice(row - first, 1).combine_chunks().to_batches()[0]
            first += rows
    raise UserError(f"{path} has {first} rows, not row {row}: give a row from 0 to {first - 1}")


def rows_in(path: str) -> int:
    """How many rows a part has; only its footer is read.

    Raises:
        DamagedFile, OSError: as `read_part`.
    """
    with _open_part(path) as reader:
        return int(reader.metadata.num_rows)


@contextmanager
def _open_part(path: str) -> Iterator[pq.ParquetFile]:
    if not exists(path):
        raise DamagedFile(f"{path} is gone: remove its step's folder and run again")
    with open_read(path) as file:
        try:
            yield open_parquet(file)
        except (pa.ArrowInvalid, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the storage's; Arrow's own for damaged data has no number
            raise DamagedFile(f"{path} cannot be read ({error}): remove its step's folder and run again") from None


def text_bytes(batch: pa.RecordBatch) -> int:
    """Bytes of UTF-8 text in a batch of documents."""
    _, offsets = text_buffers(batch.column("text"))
    return int(offsets[-1] - offsets[0])


_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ABSENT = np.uint64(0x27D4EB2F165667C5)


def row_hashes(batch: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    """One hash for each document over every column but `origin`, in schema order."""
    result = np.zeros(batch.num_rows, np.uint64)
    for seed, field in enumerate(SCHEMA):
        if field.name == "origin":
            continue
        column = batch.column(field.name)
        hashes = _column_hashes(column, seed)
        if column.null_count:
            hashes = np.where(np.asarray(column.is_null()), _ABSENT, hashes)
        result = (result ^ hashes) * _MULTIPLIER
        result ^= result >> np.uint64(29)
    return result


def _column_hashes(column: pa.Array, seed: int) -> npt.NDArray[np.uint64]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        data, offsets = text_buffers(column)
        return hash_rows(data, offsets, seed)
    if pa.types.is_timestamp(column.type):
        values = np.asarray(pc.fill_null(column.cast(pa.int64()), 0))
        return hash_rows(values.view(np.uint8), np.arange(len(values) + 1, dtype=np.int64) * 8, seed)
    # list<uint32>: the bytes of the values, cut by the list offsets.
    flat = pc.fill_null(column, []) if column.null_count else column
    values = np.asarray(flat.flatten())
    offsets = np.concatenate([[0], np.cumsum(np.asarray(pc.list_value_length(flat)), dtype=np.int64)]) * 4
    return hash_rows(np.ascontiguousarray(values).view(np.uint8), offsets.astype(np.int64), seed)


def dataset_digest(batch: pa.RecordBatch) -> int:
    """The sum of the row hashes modulo 2^64: it does not depend on the order of documents or on the splitting."""
    return int(np.sum(row_hashes(batch), dtype=np.uint64))
