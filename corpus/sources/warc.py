"""A WARC or ARC file as a sequence of whole records, with every damage counted.

FastWARC's own iterator hides damage (2.0): it ends without a word at an empty gzip member, hands out a record that is
cut short as if it were whole, and gives no offset for the records of a file that is one gzip member. Records are
therefore framed here, by the length that their header gives.
"""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import IO, NamedTuple

from corpus.schema import Origin, Rejected
from corpus.sources.archive_stream import RecordStream, read_again
from corpus.sources.members import members

MAX_HEADER_BYTES = 1 << 20
ARC_HEADER = re.compile(rb"([A-Za-z][\w+.-]*:[^\n]*?) (\S+) (\d{8,17}) ([^\n]*?) ?(\d{1,18})[ \t]*\r?\n")
"""URL, address, date, media type (and in version 2 more), length: Heritrix's ARC file format, section "URL-record"."""

_ARC_HEADER_BYTES = 1 << 13
LENGTH_OFF = 16
"""Bytes that a record may be longer or shorter than it says: what counting characters or line ends wrongly makes."""
END_BYTES = 4
"""Two line ends behind a record."""
_BETWEEN_RECORDS = 64  # two line ends; some writers leave a few more


@dataclass(frozen=True)
class _Form:
    """How the records of a file look.

    Attributes:
        begin: what a record begins with; `magic` is what of it never differs.
        header_end: the end of the header.
        length: of the content, in the header.
        following: a line that begins a record, with the line end before it; at most `longest` bytes.
    """

    magic: bytes
    begin: "re.Pattern[bytes]"
    header_end: "re.Pattern[bytes]"
    length: "re.Pattern[bytes]"
    following: "re.Pattern[bytes]"
    longest: int


_WARC = _Form(
    magic=b"WARC/",
    begin=re.compile(rb"WARC/"),
    header_end=re.compile(rb"\n\r?\n"),
    length=re.compile(rb"(?im)^Content-Length[ \t]*:\s*(\d{1,18})[ \t]*\r?$"),
    following=re.compile(rb"\nWARC/\d\.\d+\r?\n[A-Za-z]"),
    longest=64,
)
_ARC = _Form(
    magic=b"",
    begin=re.compile(rb"[A-Za-z][\w+.-]*:"),
    header_end=re.compile(rb"\n"),
    length=re.compile(rb" (\d{1,18})[ \t]*\r?\n"),
    following=re.compile(rb"\n[A-Za-z][\w+.-]{1,20}:[^\n]{1,8192} \d{8,17} [^\n]{0,1024}\d\r?\n"),
    longest=1 << 14,
)


class Member(NamedTuple):
    """A gzip member that looks like one whole record.

    Attributes:
        place: of the member in the file.
        number: of the record in the file.
        data: the record, and the two line ends behind it.
    """

    place: int
    number: int
    data: bytes


class Record(NamedTuple):
    """One whole record: its headers and its content, without the empty lines behind it."""

    origin: Origin
    data: bytes


def read_records(file: IO[bytes], path: str, limit: int) -> Iterator[Record | Rejected]:
    """Every record of a WARC or ARC file: plain, one gzip member a record, or any other division into members.

    Origin of a record: in a plain file `offset` is where it begins. In a gzip file a record that begins a member (as
    all do in Common Crawl's files) has the member's place in the compressed file as `offset`, as CDX indexes do; one
    inside a member has `member` "gzip@<place of the member in the file>" and an `offset` in what that unpacks to.
    `length` counts unpacked bytes.

    Reasons: `truncated` (the file ends inside a record), `damaged_gzip` (what is lost of a member, after which
    reading goes on at the next one that begins with a record), `garbage` (bytes where a record should begin, up to
    the next), `bad_header` (no length, or no end within 1 MiB), `bad_length` (no record ends where the length says, or
    near it; up to the next), `too_long` (over `limit` bytes), `unsupported_file` (not a WARC or ARC file: one for the
    file).
    """
    yield from _read(RecordStream(file), path, limit, 0, None)


def read_members(file: IO[bytes], path: str, limit: int) -> Iterator["Member | Record | Rejected"]:
    """What `read_records` gives, but members of a gzip file that look like one record as they are, so that the work on
    them can be done on many at a time: `as_record` makes the record of such a member. What is in another form than a
    record a member, is damaged, or not packed, is read by the record."""
    begin, number, at_least = 0, 0, 1
    while True:
        place = begin
        for place, data in members(file, begin, limit + MAX_HEADER_BYTES):
            if data is None or not _looks_whole(data, limit):
                break
            yield Member(place, number, data)
            number += 1
        else:
            if number:
                return
        following = yield from _read(RecordStream(file, place, is_gzip=number > 0), path, limit, number, at_least)
        if following is None:
            return
        begin, number = following
        at_least *= 2  # a file in another form is soon read by the record alone


def _read(
    stream: RecordStream, path: str, limit: int, number: int, at_least: int | None
) -> Generator[Record | Rejected, None, tuple[int, int] | None]:
    """The records of a stream from record `number` on; where `at_least` is given, up to a record that begins a gzip
    member behind so many others, and then that member's place and the record's number."""
    stream.skip_blank()
    stream.fill(_ARC_HEADER_BYTES)
    form = _ARC if ARC_HEADER.match(stream.buffer) else _WARC
    enough = None if at_least is None else number + at_least
    while True:
        stream.skip_blank()
        origin = stream.origin(path, number)
        if enough is not None and number >= enough and (place := stream.member_begins()) is not None and stream.buffer:
            return place, number
        if not stream.buffer:
            if stream.damage:
                yield Rejected(origin, stream.damage)
                stream.resume(form.begin.match)
                number += 1
                continue
            if number == 0:
                yield Rejected(Origin(path), "truncated", "no record in the file")
            return None
        if number == 0 and not form.begin.match(stream.buffer):
            yield Rejected(Origin(path), "unsupported_file", _kind(bytes(stream.buffer[:32])))
            return None
        number += 1
        reason, size = _frame(stream, form, limit)
        if not reason:
            yield Record(
                Origin(path, origin.member, origin.offset, size, origin.record), bytes(memoryview(stream.buffer)[:size])
            )
            stream.drop(size)
        elif reason == "too_long":
            stream.skip(size)
            yield Rejected(origin, reason, f"{size} bytes")
        elif reason == "truncated":
            # Whatever the damage, it is counted with the record it cut.
            yield Rejected(origin, stream.damage or reason)
            stream.drop(len(stream.buffer))
            if stream.damage:
                stream.resume(form.begin.match)
        else:
            yield Rejected(origin, reason, repr(bytes(stream.buffer[:80])))
            stream.skip_to(form.following, form.longest, size)


def as_record(member: Member, path: str) -> Record:
    data = member.data[:-END_BYTES]
    return Record(Origin(path, None, member.place, len(data), member.number), data)


def _looks_whole(data: bytes, limit: int) -> bool:
    """Whether a member is a WARC record, as long as its header says, and two line ends."""
    end = data.find(b"\r\n\r\n") + END_BYTES
    declared = _WARC.length.search(data, 0, end)
    if not declared or not data.startswith(b"WARC/") or not data.endswith(b"\r\n\r\n"):
        return False
    size = end + int(declared[1])
    return size + END_BYTES == len(data) and size <= limit and end <= MAX_HEADER_BYTES


def read_record(file: IO[bytes], origin: Origin) -> bytes:
    """The bytes of one record again, given its origin."""
    return read_again(file, origin)


def _frame(stream: RecordStream, form: _Form, limit: int) -> tuple[str, int]:
    """("", bytes of the record at the beginning of the buffer), or (reason, bytes to leave behind at least)."""
    end = _header_end(stream, form)
    if not form.begin.match(stream.buffer):
        return ("truncated" if form.magic.startswith(stream.buffer) else "garbage"), 0
    if end is None:
        # Without an end of the header reading has stopped in it, or it is longer than any header.
        return ("bad_header", 1) if len(stream.buffer) > MAX_HEADER_BYTES else ("truncated", 0)
    declared = form.length.search(stream.buffer, 0, end)
    if declared is None:
        return "bad_header", end - 1
    size = end + int(declared[1])
    if size > limit:
        return "too_long", size
    if not stream.fill(size):
        # Either the file ends here, or the record is shorter than it says and others follow.
        if not form.following.search(stream.buffer, end - 1):
            return "truncated", 0
        near = _end_near(stream, form, end, size)
        return ("bad_length", end - 1) if near is None else ("", near)
    stream.fill(size + _BETWEEN_RECORDS)
    behind = stream.buffer[size : size + _BETWEEN_RECORDS]
    following = behind.lstrip(b"\r\n")
    if behind.startswith(b"\r\n\r\n") or form.magic.startswith(following[:5]) or form.begin.match(following):
        return "", size
    near = _end_near(stream, form, end, size)
    return ("bad_length", end - 1) if near is None else ("", near)


def _end_near(stream: RecordStream, form: _Form, header: int, size: int) -> int | None:
    """Where a record ends whose length is a few bytes off, by the next record's beginning; None where none is near."""
    stream.fill(size + LENGTH_OFF + form.longest)
    first = max(header - 1, size - LENGTH_OFF)
    found = form.following.search(stream.buffer, first, size + LENGTH_OFF + form.longest)
    if found is None or found.start() > size + LENGTH_OFF:
        return None
    return header + len(bytes(stream.buffer[header : found.start()]).rstrip(b"\r\n"))


def _header_end(stream: RecordStream, form: _Form) -> int | None:
    """Where the header ends; None when there is no end within `MAX_HEADER_BYTES`."""
    seen = 0
    while True:
        if found := form.header_end.search(stream.buffer, max(0, seen - 2)):
            return found.end()
        seen = len(stream.buffer)
        if seen > MAX_HEADER_BYTES or not stream.fill(seen + 1):
            return None


def _kind(head: bytes) -> str:
    """What a file that is neither a WARC nor an ARC file is, and what to do."""
    if head.startswith(b"\x04\x22\x4d\x18"):
        return "lz4: recompress it as gzip (fastwarc recompress)"
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd: recompress it as gzip (fastwarc recompress)"
    return f"not a WARC or ARC file, begins {head!r}"
