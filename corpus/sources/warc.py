"""A WARC file as a sequence of whole records, with every damage counted.

FastWARC's own iterator hides damage (2.0): it ends without a word at an empty gzip member, hands out a record that is
cut short as if it were whole, and gives no offset for the records of a file that is one gzip member. Records are
therefore framed here, by Content-Length; FastWARC parses what is in a frame.
"""

import re
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

from corpus.schema import Origin, Rejected

CHUNK = 1 << 18
MAX_HEADER_BYTES = 1 << 20

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_DEFLATE = b"\x1f\x8b\x08"
_PROBE_BYTES = 1 << 12
_HEADER_END = re.compile(rb"\n\r?\n")
_CONTENT_LENGTH = re.compile(rb"(?im)^Content-Length[ \t]*:\s*(\d{1,18})[ \t]*\r?$")
_NEXT_RECORD = re.compile(rb"\nWARC/\d\.\d+\r?\n[A-Za-z]")
_NEXT_RECORD_BYTES = 64  # longer than any match of it
_BETWEEN_RECORDS = 64  # two line ends; some writers leave a few more
_MEMBER = "gzip@"


class Record(NamedTuple):
    """One whole record: its headers and its content, without the empty lines behind it."""

    origin: Origin
    data: bytes


def read_records(file: IO[bytes], path: str, limit: int) -> Iterator[Record | Rejected]:
    """Every record of a WARC file: plain, one gzip member a record, or any other division into members.

    Origin of a record: in a plain file `offset` is where it begins. In a gzip file a record that begins a member (as
    all do in Common Crawl's files) has the member's place in the compressed file as `offset`, as CDX indexes do; one
    inside a member has `member` "gzip@<place of the member in the file>" and an `offset` in what that unpacks to.
    `length` counts unpacked bytes.

    Reasons: `truncated` (the file ends inside a record), `damaged_gzip` (what is lost of a member, after which
    reading goes on at the next one that begins with a record), `garbage` (bytes where a record should begin, up to
    the next), `bad_header` (no Content-Length, or no end within 1 MiB), `bad_length` (no record ends where
    Content-Length says; up to the next), `too_long` (over `limit` bytes), `unsupported_file` (not a WARC file: one
    for the file).
    """
    stream = _Stream(file)
    number = 0
    while True:
        stream.skip_blank()
        origin = stream.origin(path, number)
        if not stream.buffer:
            if stream.damage:
                yield Rejected(origin, stream.damage)
                stream.resume()
                number += 1
                continue
            if number == 0:
                yield Rejected(Origin(path), "truncated", "no record in the file")
            return
        if number == 0 and not stream.buffer.startswith(b"WARC/"):
            yield Rejected(Origin(path), "unsupported_file", _kind(bytes(stream.buffer[:32])))
            return
        number += 1
        reason, size = _frame(stream, limit)
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
                stream.resume()
        else:
            yield Rejected(origin, reason, repr(bytes(stream.buffer[:80])))
            stream.skip_to_record(size)


def read_record(file: IO[bytes], origin: Origin) -> bytes:
    """The bytes of one record again, given its origin."""
    if origin.offset is None or origin.length is None:
        return b""
    if origin.member is None:
        stream, inside = _Stream(file, origin.offset), 0
    else:
        stream, inside = _Stream(file, int(origin.member.removeprefix(_MEMBER))), origin.offset
    stream.skip(inside)
    stream.fill(origin.length)
    return bytes(stream.buffer[: origin.length])


class _Stream:
    """The unpacked bytes of a file from `start`, with the place of the gzip members they come from.

    `buffer` holds what is read and not yet dropped. Reading stops at the end and at damage; `damage` is then its
    reason, and `resume` goes on behind it.
    """

    def __init__(self, file: IO[bytes], start: int = 0) -> None:
        self.buffer = bytearray()
        self.damage: str | None = None
        self._file = file
        self._position = 0  # of buffer[0] in the unpacked bytes since `start`
        self._stopped = False
        self._start = start
        file.seek(start)
        self._packed = file.read(CHUNK)
        self._packed_at = start  # place in the file of _packed[0]
        self._gzip = self._packed.startswith(_GZIP_MAGIC)
        self._inflater: zlib._Decompress | None = None
        self._members: list[tuple[int, int]] = []  # (unpacked position, place in the file), the current one first
        self._damaged_at = start  # place in the file

    def origin(self, path: str, number: int) -> Origin:
        """Where `buffer[0]` comes from, as the origin of record `number`."""
        while len(self._members) > 1 and self._members[1][0] <= self._position:
            del self._members[0]
        if not self._members:
            return Origin(path, offset=self._start + self._position, record=number)
        begin, place = self._members[0]
        if begin == self._position:
            return Origin(path, offset=place, record=number)
        return Origin(path, f"{_MEMBER}{place}", self._position - begin, record=number)

    def fill(self, size: int) -> bool:
        """Reads until the buffer holds `size` bytes; whether it does."""
        while len(self.buffer) < size and not self._stopped:
            self._more()
        return len(self.buffer) >= size

    def drop(self, size: int) -> None:
        del self.buffer[:size]
        self._position += size

    def skip(self, size: int) -> None:
        """Drops `size` bytes, or as many as there are, without holding them."""
        while size and self.fill(1):
            step = min(size, len(self.buffer))
            self.drop(step)
            size -= step

    def skip_blank(self) -> None:
        """Drops line ends; afterwards the buffer is empty only where reading has stopped."""
        while self.fill(5):
            blank = len(self.buffer) - len(self.buffer.lstrip(b"\r\n")) if self.buffer[0] in b"\r\n" else 0
            if not blank:
                return
            self.drop(blank)
        self.drop(len(self.buffer) - len(self.buffer.lstrip(b"\r\n")))

    def skip_to_record(self, start: int) -> None:
        """Drops all up to the next line at or behind `start` that begins a record."""
        while not (found := _NEXT_RECORD.search(self.buffer, start)):
            if len(self.buffer) > CHUNK:
                self.drop(len(self.buffer) - _NEXT_RECORD_BYTES)
                start = 0
            if not self.fill(len(self.buffer) + 1):
                self.drop(len(self.buffer))
                return
        self.drop(found.start() + 1)

    def resume(self) -> None:
        """Goes on at the next gzip member, behind the beginning of the damaged one, that begins with a record."""
        self.damage = None
        self._inflater = None
        at = self._damaged_at + 1
        self._file.seek(at)
        data = b""
        while True:
            found = data.find(_GZIP_DEFLATE)
            if found < 0:
                kept = data[-2:]
                more = self._file.read(CHUNK)
                if not more:
                    self._packed = b""
                    return
                at += len(data) - len(kept)
                data = kept + more
                continue
            at, data = at + found, data[found:]
            if len(data) < _PROBE_BYTES:
                data += self._file.read(CHUNK)
            if _begins_record(data[:_PROBE_BYTES]):
                self._packed, self._packed_at = data, at
                self._stopped = False
                return
            at, data = at + 1, data[1:]

    def _more(self) -> None:
        if not self._packed:
            self._packed = self._file.read(CHUNK)
        if not self._gzip:
            self._stopped = not self._packed
            self.buffer += self._packed
            self._packed = b""
        elif self._inflater is None:
            self._next_member()
        elif not self._packed:
            self._stop("truncated", self._members[-1][1])
        else:
            try:
                self.buffer += self._inflater.decompress(self._packed, CHUNK)
            except zlib.error:
                self._stop("damaged_gzip", self._members[-1][1])
                return
            rest = self._inflater.unused_data or self._inflater.unconsumed_tail
            self._packed_at += len(self._packed) - len(rest)
            self._packed = rest
            if self._inflater.eof:
                self._inflater = None

    def _next_member(self) -> None:
        while True:
            packed = self._packed.lstrip(b"\0")  # padding between members, or behind the last
            self._packed_at += len(self._packed) - len(packed)
            self._packed = packed
            if len(packed) >= len(_GZIP_MAGIC):
                break
            more = self._file.read(CHUNK)
            if not more:
                break
            self._packed += more
        if packed.startswith(_GZIP_MAGIC):
            self._members.append((self._position + len(self.buffer), self._packed_at))
            self._inflater = zlib.decompressobj(wbits=31)  # 31: gzip header and checksum
        elif packed:
            self._stop("damaged_gzip", self._packed_at)
        else:
            self._stopped = True

    def _stop(self, damage: str, at: int) -> None:
        self.damage = damage
        self._damaged_at = at
        self._stopped = True


def _frame(stream: _Stream, limit: int) -> tuple[str, int]:
    """("", bytes of the record at the beginning of the buffer), or (reason, bytes to leave behind at least)."""
    end = _header_end(stream)
    if not stream.buffer.startswith(b"WARC/"):
        return ("truncated" if b"WARC/".startswith(stream.buffer) else "garbage"), 0
    if end is None:
        # Without an end of the header reading has stopped in it, or it is longer than any header.
        return ("bad_header", 1) if len(stream.buffer) > MAX_HEADER_BYTES else ("truncated", 0)
    declared = _CONTENT_LENGTH.search(stream.buffer, 0, end)
    if declared is None:
        return "bad_header", end - 1
    size = end + int(declared[1])
    if size > limit:
        return "too_long", size
    if not stream.fill(size):
        # Either the file ends here, or the record is shorter than it says and others follow.
        return ("bad_length", end - 1) if _NEXT_RECORD.search(stream.buffer, end - 1) else ("truncated", 0)
    stream.fill(size + _BETWEEN_RECORDS)
    behind = stream.buffer[size : size + _BETWEEN_RECORDS]
    following = behind.lstrip(b"\r\n")
    if behind.startswith(b"\r\n\r\n") or b"WARC/".startswith(following[:5]):
        return "", size
    return "bad_length", end - 1


def _header_end(stream: _Stream) -> int | None:
    """Where the empty line behind the header ends; None when there is none within `MAX_HEADER_BYTES`."""
    seen = 0
    while True:
        if found := _HEADER_END.search(stream.buffer, max(0, seen - 2)):
            return found.end()
        seen = len(stream.buffer)
        if seen > MAX_HEADER_BYTES or not stream.fill(seen + 1):
            return None


def _begins_record(packed: bytes) -> bool:
    try:
        return zlib.decompressobj(wbits=31).decompress(packed, 5) == b"WARC/"
    except zlib.error:
        return False


def _kind(head: bytes) -> str:
    """What a file that is not a WARC file is, and what to do."""
    if head.startswith(b"filedesc://"):
        return "an ARC file: convert it (warcio recompress)"
    if head.startswith(b"\x04\x22\x4d\x18"):
        return "lz4: recompress it as gzip (fastwarc recompress)"
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd: recompress it as gzip (fastwarc recompress)"
    return f"not a WARC file, begins {head!r}"
