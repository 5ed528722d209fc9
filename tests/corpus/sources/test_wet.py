"""Plain WET records as columns: equal, cell by cell, to what the reader of single records makes of them."""

import gzip
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.schema import Document, Rejected, batched
from corpus.sources import wet
from corpus.sources.commoncrawl import CommonCrawl
from corpus.sources.raw import list_files

FIELDS = {
    "WARC-Type": ["conversion", "Conversion", "warcinfo", ""],
    "WARC-Target-URI": ["http://example.org/", "<http://example.org/>", "http://example.org/ü", " x ", None],
    "WARC-Date": [
        "2019-07-16T01:02:03Z", "2024-02-29T23:59:59Z", "2023-02-29T00:00:00Z", "0000-00-00T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2019-07-16T01:02:03.123456Z", "2019-07-16", "20190716010203", "99999-01-01T00:00:00Z", "\x00", None,
    ],
    "WARC-Record-ID": ["<urn:uuid:11-22>", "<urn:uuid:>", "urn:uuid:3", "<http://x>", "<urn:uuid:1> ", None],
    "WARC-Identified-Content-Language": ["eng", "eng,deu", 'a"b\\', None],
    "WARC-Truncated": ["length", None],
    "Content-Type": ["text/plain", None],
    "X-Other": ["a: b", "\tfolded", "ÿ", None],
}  # fmt: skip
TEXTS = [b"text", b"", b" \n\t", "Ünï \u3000".encode(), "\u3000\u2003\xa0\x85".encode(), b"a\xff", "a\ufffdb".encode(),
         b"\xed\xa0\x80", b"\xf4\x90\x80\x80", "😀".encode() * 5, b"\r\n\r\n", b"x" * 40]  # fmt: skip


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """Mostly in the form that Common Crawl writes, with one or two odd fields."""
    values = {name: options[0] for name, options in FIELDS.items()}
    for name in draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=2)):
        values[name] = draw(st.sampled_from(FIELDS[name]))
    text = draw(st.sampled_from(TEXTS) | st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
    names = draw(st.permutations(sorted(values))) if draw(st.booleans()) else sorted(values)
    lines = [f"{name}: {values[name]}" for name in names if values[name] is not None]
    lines += draw(st.sampled_from([[], [], ["warc-date: 2000-01-01T00:00:00Z"], ["no colon"], [" continued"]]))
    version = draw(st.sampled_from(["WARC/1.0", "WARC/1.0", "WARC/1.1", "WARC/0.18", "WARC/1.9"]))
    head = "\r\n".join([version, *lines, f"Content-Length: {len(text)}", "", ""])
    return head.encode() + text + b"\r\n\r\n"


def read_both_ways(
    folder: Path, source: CommonCrawl, include: str = "*"
) -> tuple[pa.Table, pa.Table, list[Rejected], list[Rejected]]:
    """(table, table, rejected, rejected): of `read_batches`, and of `read`."""
    splits = source.splits(list_files(str(folder), [include]))
    fast = list(chain.from_iterable(source.read_batches(str(folder), split, "web") for split in splits))
    slow = list(chain.from_iterable(source.read(str(folder), split) for split in splits))
    one = pa.Table.from_batches(list(batched((r for r in fast if not isinstance(r, Rejected)), "web")))
    other = pa.Table.from_batches(list(batched((r for r in slow if isinstance(r, Document)), "web")))
    return one, other, [r for r in fast if isinstance(r, Rejected)], [r for r in slow if isinstance(r, Rejected)]


@given(st.lists(records(), min_size=1, max_size=6))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_columns_are_those_of_the_single_records(tmp_path: Path, made: list[bytes]) -> None:
    (tmp_path / "CC-MAIN-2019-30.warc.wet.gz").write_bytes(b"".join(map(gzip.compress, made)))
    source = CommonCrawl()
    splits = source.splits(list_files(str(tmp_path)))
    slow = list(source.read(str(tmp_path), splits[0]))
    if not any(isinstance(found, Document) for found in slow):
        assert list(source.read_batches(str(tmp_path), splits[0], "web")) == slow
        return
    one, other, rejected, expected = read_both_ways(tmp_path, source)
    # Plain records come first of those that are worked on together.
    key = [("origin.record", "ascending")]
    assert one.flatten().sort_by(key).equals(other.flatten().sort_by(key))
    assert sorted(rejected, key=str) == sorted(expected, key=str)


def test_the_form_of_common_crawl_is_read_by_the_kernel() -> None:
    """Or the speed is lost without a word."""
    text = "Grüße, 日本".encode()
    head = "\r\n".join(
        [
            "WARC/1.0",
            "WARC-Type: conversion",
            "WARC-Target-URI: http://example.org/",
            "WARC-Date: 2019-07-16T01:02:03Z",
            "WARC-Record-ID: <urn:uuid:0be6bbd1-9d4b-4d3b-9b2f-8a0f5a1d3c11>",
            "WARC-Refers-To: <urn:uuid:4c1d3a5e-0b93-4e4f-8f57-a7a0b8f0e9ab>",
            "WARC-Block-Digest: sha1:X5Z3UHZWPYJQ7DRBGJ6QYG7ZQ3PZ3UHZ",
            "WARC-Identified-Content-Language: deu,jpn",
            "Content-Type: text/plain",
            f"Content-Length: {len(text)}",
            "",
            "",
        ]
    ).encode()  # fmt: skip
    data = head + text + b"\r\n\r\n"
    (row,) = wet.scan(np.frombuffer(data, np.uint8), np.array([0, len(data)], np.int64))
    assert row[wet.PLAIN] == 1
    begin, size = row[wet.TEXT : wet.TEXT + 2]
    assert data[begin : begin + size] == text


def test_real_files_give_equal_columns(shared_data: Path) -> None:
    one, other, rejected, expected = read_both_ways(shared_data / "commoncrawl", CommonCrawl(), "*.wet*")
    assert one.num_rows == other.num_rows >= 25
    key = [("origin.file", "ascending"), ("origin.record", "ascending")]
    assert one.flatten().sort_by(key).equals(other.flatten().sort_by(key))
    assert sorted(rejected, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("text", TEXTS)
def test_only_utf8_counts_as_plain(text: bytes) -> None:
    head = b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Date: 2019-07-16T01:02:03Z\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
    data = head + b"Content-Length: %d\r\n\r\n" % len(text) + text + b"\r\n\r\n"
    (row,) = wet.scan(np.frombuffer(data, np.uint8), np.array([0, len(data)], np.int64))
    try:
        valid = bool(text.decode().strip())
    except UnicodeDecodeError:
        valid = False
    assert row[wet.PLAIN] <= valid  # white space beyond ASCII is left to the other reader
    if valid:
        assert row[wet.PLAIN] == 1
        assert row[wet.REPLACED] == text.decode().count("\ufffd")
