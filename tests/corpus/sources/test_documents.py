"""Documents of one's own: every format, ids that come twice, wrong columns, damage, byte ranges."""

import bz2
import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.schema import Document, Rejected
from corpus.sources.documents import Dataset, Documents
from corpus.sources.rows import Columns, plain

ROWS = [{"id": f"r{n}", "text": f"the text {n}\nof two lines", "author": "me", "n": n} for n in range(5)]


def read(folder: Path, source: Documents | None = None, split_bytes: int = 1 << 30) -> list[Document | Rejected]:
    source = source or Documents()
    files = source.files(str(folder), ("**",))
    return [record for split in source.splits(files, split_bytes) for record in source.read(str(folder), split)]


def documents(records: list[Document | Rejected]) -> list[Document]:
    assert all(isinstance(record, Document) for record in records), records
    return [record for record in records if isinstance(record, Document)]


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_csv(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=2)
    return sink.getvalue()


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data))


FORMATS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "a.parquet": as_parquet,
    "a.jsonl": json_lines,
    "a.json": json_lines,
    "a.ndjson.gz": lambda rows: gzip.compress(json_lines(rows)),
    "a.jsonl.bz2": lambda rows: bz2.compress(json_lines(rows)),
    "a.JSONL.ZST": lambda rows: zstd(json_lines(rows)),
    "a.csv": as_csv,
    "a.tsv": lambda rows: as_csv(rows, "\t"),
    "a.csv.zst": lambda rows: zstd(as_csv(rows)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_documents(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FORMATS[name](ROWS))
    found = documents(read(tmp_path))
    assert [(d.id, d.text) for d in found] == [(row["id"], row["text"]) for row in ROWS]
    assert [str(d.metadata["n"]) for d in found] == ["0", "1", "2", "3", "4"]
    assert found[0].metadata["author"] == "me"


@pytest.mark.parametrize("name", FORMATS)
def test_the_raw_record_of_a_document_holds_its_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FORMATS[name](ROWS))
    source = Documents()
    for document in documents(read(tmp_path)):
        assert json.loads(source.raw(str(tmp_path), document.origin))["text"] == document.text


def test_text_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_bytes("grüße".encode())
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress("grüße".encode("cp1252")))
    (tmp_path / "c.text").write_bytes(b" \n")
    (tmp_path / "d.pdf").write_bytes(b"%PDF")
    records = read(tmp_path)
    found = [(r.id, r.text, r.metadata) if isinstance(r, Document) else r.reason for r in records]
    assert found == [
        ("b.txt.gz", "grüße", {"encoding": "cp1252"}),
        "empty",
        "unsupported_file",
        ("sub/a.txt", "grüße", {}),
    ]
    assert Documents().raw(str(tmp_path), records[0].origin) == "grüße".encode("cp1252")


def test_rows_of_dolma_and_datatrove_open_as_they_are(tmp_path: Path) -> None:
    dolma = {
        "id": "d1", "text": "x", "source": "cc", "added": "2024-01-02", "created": "2023-04-05T06:07:08.000Z",
        "metadata": {"url": "https://e.org", "length": 1},
    }  # fmt: skip
    datatrove = {"text": "y", "id": "d2", "metadata": {"date": "2020-01-01", "language": "fr", "score": 0.5}}
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json_lines([dolma, datatrove])))
    first, second = documents(read(tmp_path))
    assert (first.id, first.url, first.timestamp) == ("d1", "https://e.org", datetime(2023, 4, 5, 6, 7, 8, tzinfo=UTC))
    assert first.metadata == {"source": "cc", "added": "2024-01-02", "length": 1}
    assert (second.id, second.language, second.timestamp) == ("d2", "fr", datetime(2020, 1, 1, tzinfo=UTC))
    assert second.metadata == {"score": 0.5}


def test_columns_are_named_by_the_recipe(tmp_path: Path) -> None:
    row = {"body": "the text", "number": 7, "meta": {"url": "u", "by": "me"}, "when": 86_400, "none": None}
    (tmp_path / "a.jsonl").write_bytes(json_lines([row]))
    columns = {"text": ["content", "body"], "id": "number", "url": "meta.url", "timestamp": "when"}
    (document,) = documents(read(tmp_path, Documents.model_validate({"columns": columns})))
    assert (document.id, document.text, document.url) == ("7", "the text", "u")
    assert document.timestamp == datetime(1970, 1, 2, tzinfo=UTC)
    assert document.metadata == {"meta": {"url": "u", "by": "me"}}


def test_a_row_without_the_text_names_the_columns_it_has(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(json_lines([{"content": "x", "n": 1}, {"text": 3}, {"text": " "}]))
    records = read(tmp_path)
    assert [(r.reason, r.detail) for r in records if isinstance(r, Rejected)] == [
        ("no_text", "no column text; the row has content, n"),
        ("no_text", "int, no string, text; the row has text"),
        ("empty", ""),
    ]


def test_rows_without_an_id_are_named_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "x"}\n{"text": "y"}\n')
    (tmp_path / "b.parquet").write_bytes(as_parquet([{"text": "x"}, {"text": "y"}]))
    assert [d.id for d in documents(read(tmp_path))] == ["a.jsonl#0", "a.jsonl#14", "b.parquet#0", "b.parquet#1"]


def test_bad_rows_cost_themselves_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "x"}\n{"text": \n[1]\n\n{"text": "y"}')
    (tmp_path / "b.csv").write_bytes(b'text,n\n"a, b",1\nonly one cell\nc,2\n')
    (tmp_path / "c.json").write_bytes(b'[{"text": "x"},\n {"text": "y"}]')
    (tmp_path / "d.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "e.jsonl.gz").write_bytes(gzip.compress(json_lines(ROWS * 50_000))[:-1000])
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(as_csv(ROWS * 50_000))[:-1000])
    by_file: dict[str, list[str]] = {}
    for record in read(tmp_path):
        what = record.text if isinstance(record, Document) else record.reason
        by_file.setdefault(record.origin.file, []).append(what)
    assert by_file["a.jsonl"] == ["x", "bad_json", "bad_json", "y"]
    assert by_file["b.csv"] == ["a, b", "bad_row", "c"]
    assert by_file["c.json"] == ["unsupported_file"]
    assert by_file["d.parquet"] == ["damaged"]
    for name in ("e.jsonl.gz", "f.csv.gz"):
        assert len(by_file[name]) > 1000
        assert by_file[name][-1] == "damaged"


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
@pytest.mark.parametrize("split_bytes", [1000, 4321, 10**6])
def test_byte_ranges_give_every_row_once(tmp_path: Path, name: str, split_bytes: int) -> None:
    rows = [{"text": f"row {n} " + "x" * (n * 37 % 200)} for n in range(300)]
    (tmp_path / name).write_bytes(FORMATS[name](rows))
    source = Documents()
    splits = source.splits(source.files(str(tmp_path), ("**",)), split_bytes)
    assert (len(splits) > 1) == (split_bytes < 10**6)
    assert [d.text for d in documents(read(tmp_path, split_bytes=split_bytes))] == [row["text"] for row in rows]
    assert len({d.id for d in documents(read(tmp_path, split_bytes=split_bytes))}) == 300


def test_a_data_set_is_read_by_its_shards(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "set"
    folder.mkdir()
    for n in range(3):
        (folder / f"train-{n}.parquet").write_bytes(as_parquet([{"text": f"shard {n} row {row}"} for row in range(4)]))
    source = Documents(dataset=Dataset())
    splits = source.splits(source.files(str(folder), ("**",)))
    assert [split.pieces[0].path for split in splits] == [f"train/{n:05d}-of-00003" for n in range(3)]
    records = [list(source.read(str(folder), split)) for split in splits]
    found = documents([record for some in records for record in some])
    assert sorted(d.text for d in found) == sorted(row["text"] for row in datasets.load_dataset(str(folder))["train"])
    for document in found:
        assert json.loads(source.raw(str(folder), document.origin)) == {"text": document.text}
    again = source.files(str(folder), ("**",))
    (folder / "train-1.parquet").write_bytes(as_parquet([{"text": "another"}]))
    assert {file.digest for file in again} & {file.digest for file in source.files(str(folder), ("**",))} == set()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.binary() | st.dates(), st.lists))
def test_metadata_is_always_json(value: Any) -> None:
    text = json.dumps(plain({"a": value, "b": [value]}), allow_nan=False)
    assert json.loads(text) == plain({"a": value, "b": [value]})


@given(st.dictionaries(st.sampled_from(["text", "id", "url", "date", "metadata", "other"]), st.text(max_size=5)))
def test_any_row_is_a_document_or_a_reason(row: dict[str, str]) -> None:
    from corpus.schema import Origin

    made = Columns().document(Origin("f", record=3), row)
    if not row.get("text", "").strip():
        assert isinstance(made, Rejected)
    else:
        assert isinstance(made, Document)
        assert made.id == (row.get("id") or "f#3")
