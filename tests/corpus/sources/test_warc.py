"""Framing of WARC records, on files written here in every division into gzip members, whole and damaged."""

import gzip
import io
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.schema import Origin, Rejected
from corpus.sources import warc
from corpus.sources.archive_stream import CHUNK, RecordStream
from corpus.sources.warc import Member, Record, as_record, read_members, read_record, read_records

LIMIT = 1 << 20


def record(content: bytes, number: int = 0, end: bytes = b"\r\n") -> bytes:
    lines = [b"WARC/1.0", b"WARC-Type: conversion", b"WARC-Record-ID: <urn:uuid:%d>" % number]
    lines += [b"content-length: %d" % len(content), b"", b""]
    return end.join(lines) + content


def read(data: bytes, limit: int = LIMIT) -> list[Record | Rejected]:
    return list(read_records(io.BytesIO(data), "f", limit))


def summary(data: bytes, limit: int = LIMIT) -> list[bytes | str]:
    return [r.reason if isinstance(r, Rejected) else r.data for r in read(data, limit)]


contents = st.binary(max_size=300) | st.sampled_from(
    [b"", b"\r\n\r\nWARC/1.0\r\nWARC-Type: response\r\n", b"x\r\n\r\n", gzip.compress(record(b"inner"))]
)


@given(st.lists(contents, min_size=1, max_size=6), st.data())
@settings(deadline=None)
def test_every_division_into_gzip_members_gives_the_same_records(parts: list[bytes], data: st.DataObject) -> None:
    records = [record(part, number) for number, part in enumerate(parts)]
    joined = [one + b"\r\n\r\n" for one in records]
    stream = b"".join(joined)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))  # equal cuts: empty members
    edges = [0, *cuts, len(stream)]
    anyhow = b"".join(gzip.compress(stream[a:b]) for a, b in pairwise(edges))
    for name, file in {
        "plain": stream,
        "a member a record": b"".join(map(gzip.compress, joined)),
        "one member": gzip.compress(stream),
        "members anyhow": anyhow,
        "padded with zeros": gzip.compress(stream) + bytes(100),
    }.items():
        found = read(file)
        assert [r.data for r in found if isinstance(r, Record)] == records, name
        assert len(found) == len(records), name
        assert [r.origin.record for r in found] == list(range(len(records)))
        for one in found:
            assert read_record(io.BytesIO(file), one.origin) == one.data, name


def test_offset_of_a_gzip_member_is_its_place_in_the_file() -> None:
    members = [gzip.compress(record(bytes([65 + n]) * 50) + b"\r\n\r\n") for n in range(3)]
    places = [0, len(members[0]), len(members[0] + members[1])]
    assert [(r.origin.member, r.origin.offset) for r in read(b"".join(members))] == [(None, at) for at in places]


def test_records_inside_a_gzip_member_name_it() -> None:
    two = [record(b"a"), record(b"b")]
    first = gzip.compress(record(b"x") + b"\r\n\r\n")
    file = first + gzip.compress(b"\r\n\r\n".join(two))
    assert read(file)[2].origin == Origin("f", f"gzip@{len(first)}", len(two[0]) + 4, len(two[1]), 2)


def test_line_feeds_alone_end_headers_and_records() -> None:
    files = b"\n\n".join(record(part, end=b"\n") for part in (b"one", b"two")) + b"\n\n"
    assert summary(files) == [record(b"one", end=b"\n"), record(b"two", end=b"\n")]


def test_a_damaged_member_costs_its_record_alone() -> None:
    noise = bytes(range(256)) * 40
    members = [bytearray(gzip.compress(record(noise[n:], n) + b"\r\n\r\n")) for n in range(5)]
    members[2][40:60] = b"\xff" * 20
    assert summary(b"".join(members)) == [
        *(record(noise[n:], n) for n in (0, 1)),
        "damaged_gzip",
        *(record(noise[n:], n) for n in (3, 4)),
    ]


def test_a_wrong_checksum_costs_its_record() -> None:
    members = [bytearray(gzip.compress(record(b"abc" * 100, n) + b"\r\n\r\n")) for n in range(3)]
    members[1][-8] ^= 1  # the checksum
    assert summary(b"".join(members)) == [record(b"abc" * 100), "damaged_gzip", record(b"abc" * 100, 2)]


def test_garbage_between_members_is_counted() -> None:
    member = gzip.compress(record(b"a") + b"\r\n\r\n")
    assert summary(member + b"no gzip" + member) == [record(b"a"), "damaged_gzip", record(b"a")]


@given(st.integers(1, 2000), st.booleans())
@settings(deadline=None)
def test_a_file_cut_anywhere_loses_what_was_cut_and_says_so(cut: int, packed: bool) -> None:
    whole = [record(str(n).encode() * 200, n) for n in range(5)]
    pieces = [one + b"\r\n\r\n" for one in whole]
    file = b"".join(map(gzip.compress, pieces) if packed else pieces)
    found = summary(file[: max(1, len(file) - cut)])
    intact = [one for one in found if isinstance(one, bytes)]
    assert intact == whole[: len(intact)]
    assert [one for one in found if isinstance(one, str)] in ([], ["truncated"], ["unsupported_file"])
    if packed and len(intact) < 5 and len(found) == len(intact):
        # Nothing is missing that has begun: the cut is between two members.
        assert len(file) - cut == len(b"".join(map(gzip.compress, pieces[: len(intact)])))


@given(st.binary(max_size=400), st.integers(0, 1000))
@settings(deadline=None)
def test_no_bytes_raise(noise: bytes, at: int) -> None:
    good = b"".join(gzip.compress(record(b"abc" * 50, n) + b"\r\n\r\n") for n in range(4))
    for file in (noise, b"\x1f\x8b\x08" + noise, good[:at] + noise + good[at:], b"WARC/1.0\r\n" + noise):
        assert all(isinstance(r, Record | Rejected) for r in read(file))


def test_a_record_shorter_than_it_says_does_not_take_the_next_with_it() -> None:
    short = record(b"x" * 100)[:-60]
    assert summary(short + b"\r\n\r\n" + record(b"next") + b"\r\n\r\n" + record(b"x" * 200)) == [
        "bad_length",
        record(b"next"),
        record(b"x" * 200),
    ]


def test_a_record_longer_than_it_says_is_counted_once() -> None:
    long = record(b"x" * 10) + b"and much more than it says\r\n\r\n"
    assert summary(long + record(b"next")) == ["bad_length", record(b"next")]


@given(st.integers(-12, 16), st.booleans())
def test_a_length_that_is_a_few_bytes_off_costs_nothing(off: int, packed: bool) -> None:
    whole = [record(b"text number %d" % n, n) for n in range(3)]
    whole[1] = whole[1].replace(b"content-length: 13", b"content-length: %d" % (13 + off))
    pieces = [one + b"\r\n\r\n" for one in whole]
    file = b"".join(map(gzip.compress, pieces) if packed else pieces)
    found = read(file)
    assert [one.data.rstrip() for one in found if isinstance(one, Record)] == whole
    assert [read_record(io.BytesIO(file), one.origin).rstrip() for one in found] == whole


def test_bytes_behind_the_last_record_are_counted() -> None:
    assert summary(record(b"a") + b"\r\n\r\nThe monkeys are coming!") == [record(b"a"), "garbage"]


def test_a_header_without_content_length_is_rejected() -> None:
    assert summary(b"WARC/1.0\r\nWARC-Type: response\r\n\r\nx\r\n\r\n" + record(b"a")) == ["bad_header", record(b"a")]


def test_an_endless_header_is_rejected() -> None:
    endless = b"WARC/1.0\r\n" + b"A: b\r\n" * (warc.MAX_HEADER_BYTES // 4)
    assert summary(endless + b"\r\n\r\n" + record(b"a")) == ["bad_header", record(b"a")]


def test_a_long_record_is_passed_over_without_being_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    fill = RecordStream.fill

    def watched(stream: RecordStream, size: int) -> bool:
        filled = fill(stream, size)
        held.append(len(stream.buffer))
        return filled

    monkeypatch.setattr(RecordStream, "fill", watched)
    bomb = gzip.compress(record(bytes(64 << 20)) + b"\r\n\r\n" + record(b"a"))
    assert summary(bomb, limit=1 << 20) == ["too_long", record(b"a")]
    assert max(held) <= 2 * CHUNK


@pytest.mark.parametrize(
    ("file", "reason", "detail"),
    [
        (b"", "truncated", "no record"),
        (gzip.compress(b"", mtime=0), "truncated", "no record"),
        (b"\x04\x22\x4d\x18abc", "unsupported_file", "lz4"),
        (b"\x28\xb5\x2f\xfdabc", "unsupported_file", "zstd"),
        (b"<html>", "unsupported_file", "<html>"),
    ],
)
def test_a_file_that_is_no_warc_is_one_rejected_record(file: bytes, reason: str, detail: str) -> None:
    (found,) = read(file)
    assert isinstance(found, Rejected)
    assert found.reason == reason
    assert detail in found.detail


def test_the_deflated_bytes_that_fastwarc_would_lose() -> None:
    """FastWARC 2.0 ends at an empty gzip member; Internet Archive's writers leave them."""
    member = gzip.compress(record(b"a") + b"\r\n\r\n")
    assert summary(gzip.compress(b"") + member + gzip.compress(b"") * 2 + member) == [record(b"a")] * 2
    assert zlib.decompress(gzip.compress(b""), wbits=31) == b""


# ARC


def arc_record(url: str, content: bytes, middle: str = "text/html", end: bytes = b"\n") -> bytes:
    return f"{url} 1.2.3.4 20080430204825 {middle} {len(content)}".encode() + end + content


VERSION = arc_record("filedesc://x.arc", b"1 0 InternetArchive\nURL IP-address Archive-date Content-type\n")
ARC_RECORDS = [
    VERSION,
    arc_record("dns:www.example.org", b"20080430204825\nwww.example.org 1 IN A 1.2.3.4\n", "text/dns"),
    arc_record("http://example.org/a b", b"HTTP/1.1 200 OK\r\n\r\n<p>one"),
    arc_record("http://example.org/", b"x\n\nhttp://", "text/html 200 checksum - - 12 x.arc", b"\r\n"),
    arc_record("https://example.org/", b"", ""),
]


@given(st.lists(st.sampled_from(ARC_RECORDS[1:]), max_size=6), st.booleans())
@settings(deadline=None)
def test_arc_files_are_read_record_by_record(records: list[bytes], packed: bool) -> None:
    """Version 1 and 2, with spaces in URLs, without a type, plain and packed."""
    pieces = [one + b"\n" for one in (VERSION, *records)]
    file = b"".join(map(gzip.compress, pieces) if packed else pieces)
    found = read(file)
    assert [one.data for one in found if isinstance(one, Record)] == [VERSION, *records]
    assert len(found) == len(pieces)
    for one in found:
        assert read_record(io.BytesIO(file), one.origin) == one.data


def test_damage_in_an_arc_file_costs_its_record() -> None:
    good, last = ARC_RECORDS[2], ARC_RECORDS[3]
    assert summary(good + b"\n" + good[:-20] + b"\n" + last + b"\n") == [good, "bad_length", last]
    assert summary(good + b"much longer than it says\n" + last) == ["bad_length", last]
    assert summary(good + b"\n" + last[:-4]) == [good, "truncated"]


# Whole members


@given(st.lists(contents, min_size=1, max_size=8), st.data())
@settings(deadline=None)
def test_whole_members_are_the_records_that_are_read_one_by_one(parts: list[bytes], data: st.DataObject) -> None:
    """Also where some members hold no record, two, or half of one."""
    members = [gzip.compress(record(part, n) + b"\r\n\r\n") for n, part in enumerate(parts)]
    odd = [
        gzip.compress(b""),
        gzip.compress(record(b"a") + b"\r\n\r\n" + record(b"b") + b"\r\n\r\n"),
        gzip.compress(record(b"cut")[:-2]),
        gzip.compress(record(b"bare")),
        members[0][:-5],
        b"noise",
        bytes(20),
    ]
    for _ in range(data.draw(st.integers(0, 3))):
        members.insert(data.draw(st.integers(0, len(members))), data.draw(st.sampled_from(odd)))
    file = b"".join(members)
    found = [
        as_record(one, "f") if isinstance(one, Member) else one for one in read_members(io.BytesIO(file), "f", LIMIT)
    ]
    assert [plainly(one) for one in found] == [plainly(one) for one in read(file)]


def plainly(found: Record | Rejected) -> tuple[int | None, Record | str]:
    """What is damaged has no place of its own: only its number and reason are told."""
    return found.origin.record, found.reason if isinstance(found, Rejected) else found
