"""Documents of one's own: Parquet, JSON lines, CSV, plain text, or a data set that Hugging Face `datasets` opens."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import PurePosixPath
from typing import IO, Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.parts import open_parquet
from corpus.schema import Document, Origin, Rejected, well_formed
from corpus.settings import Settings
from corpus.sources import dataset
from corpus.sources.compressed import decompressed
from corpus.sources.decode import decode_text, is_utf8
from corpus.sources.json_lines import PACKINGS, PLAIN, is_packed, ranges, raw_line, read_lines
from corpus.sources.raw import SPLIT_BYTES, Piece, RawFile, Split, group_files, open_raw
from corpus.sources.rows import Columns, place_id, plain
from corpus.sources.source import Source

_ROWS = 256  # of a Parquet file in memory at once
_TABLES = {".csv": ",", ".tsv": "\t"}
_TEXTS = (".txt", ".text")
_TEXT_BYTES = 64 << 20
"""Longest text file, as for books."""


class Dataset(Settings):
    """How `datasets.load_dataset` opens the `input`, which is then the name of a data set on the hub, or a folder.

    Attributes:
        name: of the configuration.
        revision: a commit, tag or branch of the hub; a commit is the one that stays the same.
    """

    name: str | None = None
    split: str = "train"
    revision: str | None = None


class Documents(Source):
    """A raw record is a row of a Parquet file (`.parquet`), of a CSV file with a header (`.csv`, `.tsv`), a line of a
    JSON-lines file (`.json`, `.jsonl`, `.ndjson`) that is not blank, a whole text file (`.txt`, `.text`), or a row of a
    data set. All but Parquet may be packed (`.gz`, `.bz2`, `.zst`). Files of Dolma and datatrove open as they are.

    Ids that rows bring stay as they are. Of two rows with one id and the same text the second is dropped
    (`duplicate_id`); with another text both stay, and the step notes how many. A row without an id, and a text file, is
    named by its file and number.

    Large Parquet and JSON-lines files are cut into byte ranges. A data set is read as a stream, a split for each of its
    shards; it needs the extra `datasets`.

    Reasons: `no_text` (the detail names the columns that the row has), `empty`, `bad_json`, `bad_row` (a row of a
    table that cannot be read), `too_large` (a text file over 64 MiB), `line_too_long`, `damaged`, `unsupported_file`.
    Bytes that are not UTF-8 and lone surrogates become U+FFFD, and the document's metadata says `invalid_utf8`; a text
    file that is not UTF-8 is taken for Windows-1252.

    Attributes:
        columns: which column of a row is what; the rest goes into the document's metadata.
        dataset: open `input` with the library `datasets`.
        max_line_bytes: longest line or row read, which bounds memory.
    """

    version: ClassVar[int] = 2
    formats: ClassVar[str] = "Parquet, JSON lines, CSV, .txt (.gz, .bz2, .zst), or any data set of `datasets`"
    text_per_raw: ClassVar[float] = 2.5  # Parquet in zstd, measured on a few MB of real text
    ids_from_rows: ClassVar[bool] = True
    reads_texts: ClassVar[bool] = True  # a text file is a document

    columns: Columns = Columns()
    dataset: Dataset | None = None
    max_line_bytes: int = 100 << 20

    def check(self, root: str) -> None:
        if self.dataset is None:
            super().check(root)

    def files(self, root: str, include: Sequence[str]) -> list[RawFile]:
        if self.dataset is None:
            return super().files(root, include)
        return dataset.shards(root, self.dataset.name, self.dataset.split, self.dataset.revision)

    def raw_bytes(self, root: str, include: Sequence[str]) -> float | None:
        return super().raw_bytes(root, include) if self.dataset is None else None

    def splits(self, files: Sequence[RawFile], split_bytes: int = SPLIT_BYTES) -> list[Split]:
        if self.dataset is not None:
            return [Split((Piece(file.path),)) for file in files]
        splits: list[Split] = []
        for (packed, large), run in groupby(files, lambda file: _shape(file, split_bytes, self.text_per_raw)):
            size = int(split_bytes // (self.text_per_raw if packed else 1))
            if large:
                splits += [split for file in run for split in ranges(file, size)]
            else:
                splits += group_files(run, size)
        return splits

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            if self.dataset is not None:
                name, rows = piece.path, dataset.rows(root, self.dataset.name, self.dataset.revision, piece.path)
                yield from (self._document(Origin(name, record=n), row) for n, row in enumerate(rows))
            elif _kind(piece.path) == ".parquet":
                yield from self._parquet(root, piece)
            elif _kind(piece.path) in PLAIN:
                yield from self._json_lines(root, piece)
            elif _kind(piece.path) in _TABLES:
                yield from self._table(root, piece.path)
            elif _kind(piece.path) in _TEXTS and self.reads_texts:
                yield self._text(root, piece.path)
            else:
                yield Rejected(Origin(piece.path), "unsupported_file", f"not one of {', '.join(self._kinds())}")

    def _kinds(self) -> tuple[str, ...]:
        return (".parquet", *PLAIN, *_TABLES, *(_TEXTS if self.reads_texts else ()))

    def raw(self, root: str, origin: Origin) -> bytes:
        """The line or file; the row of a Parquet file, a CSV file or a data set as JSON."""
        if self.dataset is not None:
            rows = dataset.rows(root, self.dataset.name, self.dataset.revision, origin.file)
            return _as_json(next(islice(rows, origin.record or 0, None), {}))
        kind = _kind(origin.file)
        if kind in PLAIN:
            return raw_line(root, origin)
        with open_raw(root, origin.file) as file:
            if kind == ".parquet":
                every = (row for _, row in _parquet_rows(open_parquet(file), Piece(origin.file)))
                return _as_json(next(islice(every, origin.record or 0, None), {}))
            if kind in _TABLES:
                found = (row for row in _table_rows(file, _TABLES[kind], self.max_line_bytes) if row is not None)
                return _as_json(next((row for n, row in found if n == origin.record), {}))
            return b"".join(chunk for chunk in decompressed(file) if chunk)

    def made_id(self, origin: Origin, url: str | None, text: str) -> str:
        """The id of a row that has none."""
        return place_id(origin, url, text)

    def _document(self, origin: Origin, row: Mapping[str, Any], valid: bool = True) -> Document | Rejected:
        document = self.columns.document(origin, row, self.made_id)
        if isinstance(document, Rejected):
            return document
        text = well_formed(document.text)
        if valid and text is document.text:
            return document
        return replace(document, text=text, metadata={**document.metadata, "invalid_utf8": True})

    def _parquet(self, root: str, piece: Piece) -> Iterator[Document | Rejected]:
        with open_raw(root, piece.path) as file:
            try:
                reader = open_parquet(file)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                if piece.start == 0:  # once for the file
                    yield Rejected(Origin(piece.path), "damaged", str(error))
                return
            try:
                for record, row in _parquet_rows(reader, piece):
                    yield self._document(Origin(piece.path, record=record), row)
            except (pa.ArrowException, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # the storage's; Arrow's own for damaged data has no number
                yield Rejected(Origin(piece.path), "damaged", f"lost from here on: {error}")

    def _json_lines(self, root: str, piece: Piece) -> Iterator[Document | Rejected]:
        with open_raw(root, piece.path) as file:
            if (next(decompressed(file), b"") or b"").lstrip()[:1] == b"[":
                yield Rejected(Origin(piece.path), "unsupported_file", "one JSON array: write one object a line")
                return
        for line in read_lines(root, piece, self.max_line_bytes):
            if isinstance(line, Rejected):
                yield line
                continue
            origin, data = line
            line_text = data.decode("utf-8", "replace")
            try:
                row = json.loads(line_text)
            except (ValueError, RecursionError) as error:  # RecursionError: a line of nested brackets
                yield Rejected(origin, "bad_json", str(error))
                continue
            if isinstance(row, dict):
                valid = "\ufffd" not in line_text or is_utf8(data)
                yield self._document(origin, row, valid)
            else:
                yield Rejected(origin, "bad_json", f"{type(row).__name__}, not an object: write one object a line")

    def _table(self, root: str, path: str) -> Iterator[Document | Rejected]:
        with open_raw(root, path) as file:
            for found in _table_rows(file, _TABLES[_kind(path)], self.max_line_bytes):
                if found is None:
                    yield Rejected(Origin(path), "damaged", "lost from here on")
                    continue
                record, row = found
                origin = Origin(path, record=record)
                yield Rejected(origin, "bad_row", row) if isinstance(row, str) else self._document(origin, row)

    def _text(self, root: str, path: str) -> Document | Rejected:
        origin = Origin(path, record=0)
        data, lost = bytearray(), False
        with open_raw(root, path) as file:
            for chunk in decompressed(file):
                lost |= chunk is None
                data += chunk or b""
                if len(data) > _TEXT_BYTES:
                    return Rejected(origin, "too_large", f"over {_TEXT_BYTES} bytes")
        if lost:
            return Rejected(origin, "damaged")
        text, encoding = decode_text(bytes(data))
        if not text.strip():
            return Rejected(origin, "empty")
        return Document(path, text, origin, metadata={} if encoding == "utf-8" else {"encoding": encoding})


def _kind(path: str) -> str:
    """The ending of a file's name, without that of its packing."""
    name = path.lower()
    for packing in PACKINGS:
        name = name.removesuffix(packing)
    return PurePosixPath(name).suffix


def _shape(file: RawFile, split_bytes: int, text_per_raw: float) -> tuple[bool, bool]:
    """(its bytes are fewer than those of its text, it is cut into byte ranges)."""
    kind = _kind(file.path)
    packed = kind == ".parquet" or is_packed(file.path)
    cut = kind == ".parquet" or (kind in PLAIN and not packed)
    return packed, cut and file.size > split_bytes // (text_per_raw if packed else 1)


def _parquet_rows(reader: pq.ParquetFile, piece: Piece) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number in the file, row) of the row groups that begin in the piece's bytes."""
    first = 0
    for group in range(reader.num_row_groups):
        metadata = reader.metadata.row_group(group)
        column = metadata.column(0) if metadata.num_columns else None
        start = (column.dictionary_page_offset or column.data_page_offset) if column else 0
        if piece.start <= start and (piece.end is None or start < piece.end):
            record = first
            for batch in reader.iter_batches(_ROWS, row_groups=[group], use_threads=False):
                for row in batch.to_pylist():
                    yield record, row
                    record += 1
        first += metadata.num_rows


class _Lines(io.RawIOBase):
    """What `decompressed` gives as a file; `lost` where it is cut short."""

    def __init__(self, chunks: Iterator[bytes | None]) -> None:
        self._chunks = chunks
        self._held = b""
        self.lost = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held and not self.lost:
            chunk = next(self._chunks, b"")
            if chunk is None:
                self.lost = True
            elif not chunk:
                return 0
            else:
                self._held = chunk
        size = min(len(buffer), len(self._held))
        buffer[:size] = self._held[:size]
        self._held = self._held[size:]
        return size


def _table_rows(
    file: IO[bytes], delimiter: str, limit: int
) -> Iterator[tuple[int, dict[str, str | None] | str] | None]:
    """(number, row by its header, or what is wrong with it); None where the rest is lost."""
    lines = _Lines(decompressed(file))
    text = io.TextIOWrapper(io.BufferedReader(lines), encoding="utf-8-sig", errors="replace", newline="")
    csv.field_size_limit(limit)
    reader = csv.reader(text, delimiter=delimiter, strict=False)
    header: list[str] | None = None
    record = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield record, str(error)
            record += 1
            continue
        if cells is None:
            break
        if not cells:
            continue
        if header is None:
            header = cells
            continue
        if len(cells) != len(header):
            yield record, f"{len(cells)} cells, and the header has {len(header)}"
        else:
            yield record, {name: cell or None for name, cell in zip(header, cells, strict=True)}
        record += 1
    if lines.lost:
        yield None


def _as_json(row: Any) -> bytes:
    return json.dumps(plain(row), ensure_ascii=False).encode("utf-8", "replace")
