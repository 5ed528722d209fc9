"""C4 and web pages in rows: written here, and the real files counted by their lines."""

import bz2
import gzip
import hashlib
import io
import json
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.schema import Document, Rejected, batched
from corpus.sources import compressed, json_lines
from corpus.sources.c4 import C4
from corpus.sources.raw import Piece, RawFile, Split, list_files

SHA1_OF_URL = "86a1fd84161e5fddf4ca72a11c46cfb7d4729173"


def line(text: Any = "some text", **keys: Any) -> bytes:
    return json.dumps({"text": text, **keys}).encode()


def read(folder: Path, data: bytes, name: str = "x.jsonl", source: C4 | None = None) -> list[Document | Rejected]:
    (folder / name).write_bytes(data)
    source = source or C4()
    return [r for split in source.splits(list_files(str(folder), [name])) for r in source.read(str(folder), split)]


def summary(found: list[Document | Rejected]) -> list[str]:
    return [r.reason if isinstance(r, Rejected) else r.text for r in found]


def test_a_line_of_c4(tmp_path: Path) -> None:
    """The first line of c4-train.00000-of-01024, its text cut."""
    url = "https://klyq.com/beginners-bbq-class-taking-place-in-missoula/"
    body = {"text": "Beginners BBQ Class Taking Place in Missoula!", "timestamp": "2019-04-25T12:57:54Z", "url": url}
    data = json.dumps(body).encode() + b"\n"
    (document,) = read(tmp_path, gzip.compress(data), "c4-train.00000-of-01024.json.gz")
    assert isinstance(document, Document)
    # printf %s URL | sha1sum
    assert document.id == "c4:" + hashlib.sha1(url.encode()).hexdigest() == "c4:" + SHA1_OF_URL
    assert document.text == body["text"]
    assert document.url == url
    assert document.timestamp == datetime(2019, 4, 25, 12, 57, 54, tzinfo=UTC)
    assert (document.language, document.license, document.metadata) == (None, None, {})
    assert C4().raw(str(tmp_path), document.origin) == data.rstrip()


@pytest.mark.parametrize(
    ("keys", "url", "timestamp", "language"),
    [
        # Dolma
        (
            {"created": "2020-03-29T09:04:10Z", "metadata": {"url": "http://a.org/", "language": "en"}},
            "http://a.org/",
            datetime(2020, 3, 29, 9, 4, 10, tzinfo=UTC),
            "en",
        ),
        # RedPajama
        (
            {"meta": {"url": "http://a.org/", "timestamp": "2019-04-25T12:57:54Z", "language": "en"}},
            "http://a.org/",
            datetime(2019, 4, 25, 12, 57, 54, tzinfo=UTC),
            "en",
        ),
        ({"meta": {"url": "http://a.org/", "timestamp": 1512465451000}}, "http://a.org/", None, None),
        ({"url": "http://b.org/", "metadata": {"url": "http://a.org/"}}, "http://b.org/", None, None),
        ({"url": 3, "meta": "x", "metadata": None, "timestamp": "yesterday"}, None, None, None),
    ],
)
def test_other_forms(
    tmp_path: Path, keys: dict[str, Any], url: str | None, timestamp: datetime | None, language: str | None
) -> None:
    (document,) = read(tmp_path, line(**keys))
    assert isinstance(document, Document)
    assert (document.url, document.timestamp, document.language) == (url, timestamp, language)
    assert document.id == "c4:" + hashlib.sha1((url or "some text").encode()).hexdigest()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"{", "bad_json"),
        (b'["text"]', "bad_json"),
        (b'"text"', "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b'{"text": ' + b"9" * 5000 + b"}", "bad_json"),
        (b"{}", "no_text"),
        (line(None), "no_text"),
        (line(3), "no_text"),
        (line(""), "empty"),
        (line(" \n"), "empty"),
        (b"\x00", "bad_json"),
    ],
)
def test_a_bad_line_costs_itself(tmp_path: Path, bad: bytes, reason: str) -> None:
    assert summary(read(tmp_path, b"\n".join([line("a"), bad, line("b")]))) == ["a", reason, "b"]


def test_blank_lines_and_line_ends_are_no_records(tmp_path: Path) -> None:
    data = b"\n" + line("a") + b"\r\n \r\n\n" + line("b")
    found = read(tmp_path, data)
    assert summary(found) == ["a", "b"]
    assert [C4().raw(str(tmp_path), r.origin).strip() for r in found] == [line("a"), line("b")]


@pytest.mark.parametrize("bad", [b'{"text": "a\xffb"}', rb'{"text": "a\ud800b"}'])
def test_invalid_utf8_is_replaced_and_marked(tmp_path: Path, bad: bytes) -> None:
    (document,) = read(tmp_path, bad)
    assert isinstance(document, Document)
    assert document.text == "a\ufffdb"
    assert document.metadata == {"invalid_utf8": True}
    assert batched([document], "c4")


def test_a_replacement_character_that_was_in_the_file_is_not_marked(tmp_path: Path) -> None:
    (document,) = read(tmp_path, '{"text": "a\ufffdb"}'.encode())
    assert isinstance(document, Document)
    assert document.metadata == {}


@pytest.mark.parametrize("chunk", [7, 1 << 20])
def test_a_long_line_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(json_lines, "CHUNK", chunk)
    monkeypatch.setattr(compressed, "CHUNK", chunk)
    lines = [line("a"), line("x" * 200), line("b"), line("y" * 200)]
    source = C4(max_line_bytes=100)
    for name, data in {"x.jsonl": b"\n".join(lines), "x.json.gz": gzip.compress(b"\n".join(lines))}.items():
        found = read(tmp_path, data, name, source)
        assert summary(found) == ["a", "line_too_long", "b", "line_too_long"]
        assert [r.origin.length for r in found] == [len(one) for one in lines]
        assert [source.raw(str(tmp_path), r.origin) for r in found] == lines


@pytest.mark.parametrize("cut", [1, 9, 200])
def test_a_cut_gzip_file_loses_its_tail_as_one_record(tmp_path: Path, cut: int) -> None:
    lines = [line(hashlib.sha256(str(n).encode()).hexdigest()) for n in range(500)]
    packed = gzip.compress(b"\n".join(lines) + b"\n")
    found = summary(read(tmp_path, packed[:-cut], "x.json.gz"))
    whole = [json.loads(one)["text"] for one in lines]
    assert found[-1] == "damaged"
    assert found[:-1] == whole[: len(found) - 1]
    assert cut > 8 or len(found) == 501  # only the checksum is missing


def test_a_damaged_stream_of_a_bzip2_file_costs_its_lines(tmp_path: Path) -> None:
    streams = [b"".join(line(f"{n} {m}") + b"\n" for m in range(3)) for n in range(3)]
    packed = [bytearray(bz2.compress(stream)) for stream in streams]
    packed[1][30] ^= 255
    found = read(tmp_path, b"".join(packed), "x.jsonl.bz2")
    texts = [r.text for r in found if isinstance(r, Document)]
    assert texts[:3] == ["0 0", "0 1", "0 2"]
    assert texts[-2:] == ["2 1", "2 2"]  # the first line behind the gap may have begun before it
    assert [r.reason for r in found if isinstance(r, Rejected)] == ["damaged"]
    for document in found:
        if isinstance(document, Document):
            assert C4().raw(str(tmp_path), document.origin) == line(document.text)


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


ROWS = [{"text": f"text {n}", "url": f"https://example.org/{n}", "timestamp": "2019-04-25T12:57:54Z"} for n in range(4)]
LINES = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json.zst", bytes(pa.Codec("zstd").compress(LINES))),
        ("a.jsonl.zst", bytes(pa.Codec("zstd").compress(LINES))),
        ("a.json.bz2", bz2.compress(LINES)),
        ("a.parquet", as_parquet(ROWS)),
    ],
)
def test_every_form_gives_the_same_documents(tmp_path: Path, name: str, data: bytes) -> None:
    plain = [d for d in read(tmp_path, LINES, "a.jsonl") if isinstance(d, Document)]
    packed = [d for d in read(tmp_path, data, name) if isinstance(d, Document)]
    assert [(d.id, d.text, d.url, d.timestamp) for d in packed] == [(d.id, d.text, d.url, d.timestamp) for d in plain]
    assert len(packed) == len(ROWS)
    assert [json.loads(C4().raw(str(tmp_path), d.origin))["text"] for d in packed] == [row["text"] for row in ROWS]


def test_a_row_with_an_id_keeps_it(tmp_path: Path) -> None:
    data = line(id="http://example.org/1", url="http://example.org/") + b"\n" + line(id=17) + b"\n" + line(id="")
    found = [r.id for r in read(tmp_path, data) if isinstance(r, Document)]
    assert found == ["http://example.org/1", "17", "c4:" + hashlib.sha1(b"some text").hexdigest()]


def test_files_of_no_rows_are_one_rejected_record(tmp_path: Path) -> None:
    for name in ("a.html", "a.txt", "a.txt.gz"):
        assert summary(read(tmp_path, line("a") + b"\n" + line("b"), name)) == ["unsupported_file"]
    assert summary(read(tmp_path, b"PAR1", "a.parquet")) == ["damaged"]


@given(st.lists(st.text("ab\n é", max_size=20), max_size=8), st.lists(st.integers(0, 300), max_size=5))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_byte_ranges_give_every_line_once(tmp_path: Path, texts: list[str], cuts: list[int]) -> None:
    data = b"\n".join(json.dumps({"text": text}, ensure_ascii=False).encode() for text in texts)
    (tmp_path / "x.jsonl").write_bytes(data)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found = [
        one
        for start, end in pairwise(edges)
        for one in C4().read(str(tmp_path), Split((Piece("x.jsonl", start, end),)))
    ]
    assert found == list(C4().read(str(tmp_path), Split((Piece("x.jsonl"),))))
    assert len(found) == len(texts)


def test_splits_cut_large_plain_files_only() -> None:
    sizes = {"a.jsonl": 500, "b.jsonl": 2000, "c.json.gz": 2000, "d.json.gz": 100, "e.json.gz": 100, "f.txt": 2000}
    splits = C4().splits([RawFile(path, size, "") for path, size in sizes.items()], 900)
    assert [split.pieces for split in splits] == [
        (Piece("a.jsonl"),),
        (Piece("b.jsonl", 0, 666),),
        (Piece("b.jsonl", 666, 1333),),
        (Piece("b.jsonl", 1333, 2000),),
        (Piece("c.json.gz"),),
        (Piece("d.json.gz"), Piece("e.json.gz")),
        (Piece("f.txt"),),
    ]


def test_real_files_give_every_line_once(shared_data: Path) -> None:
    root = shared_data / "c4"
    source = C4()
    records: Counter[str] = Counter()
    documents: list[Document] = []
    rejected: Counter[str] = Counter()
    for split in source.splits(list_files(str(root))):
        for found in source.read(str(root), split):
            records[found.origin.file] += 1
            if isinstance(found, Document):
                documents.append(found)
            else:
                rejected[found.reason] += 1
    expected = {}
    for path in root.rglob("*"):
        if path.is_file():
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            expected[str(path.relative_to(root))] = data.count(b"\n") if ".json" in path.name else 1
    assert records == expected
    assert rejected == {"unsupported_file": sum(".json" not in name for name in expected)}
    assert records["LLaMA-Factory/c4_demo.jsonl"] == 300  # the manifest of the data
    by_file: dict[str, list[str]] = {}
    for document in documents:
        raw = source.raw(str(root), document.origin)
        assert (raw.decode() if document.origin.file.endswith(".txt") else json.loads(raw)["text"]) == document.text
        by_file.setdefault(document.origin.file, []).append(document.id)
    # The same file packed and plain gives the same documents.
    assert by_file["dolma/cc_en_head-0091.jsonl"] == by_file["dolma/cc_en_head-0091.jsonl.gz"]
