"""The unpacked bytes of an archive file, with the places of the gzip members they come from."""

import re
from collections.abc import Callable
from typing import IO

from isal import isal_zlib

from corpus.schema import Origin
from corpus.sources.members import InflateError

CHUNK = 1 << 18

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_DEFLATE = b"\x1f\x8b\x08"
_PROBE_BYTES = 1 << 12
_MEMBER = "gzip@"


class RecordStream:
    """The unpacked bytes of a file from `start`.

    `buffer` holds what is read and not yet dropped. Reading stops at the end and at damage; `damage` is then its
    reason, and `resume` goes on behind it.
    """

    def __init__(self, file: IO[bytes], start: int = 0, is_gzip: bool = False) -> None:
        self.buffer = bytearray()
        self.damage: str | None = None
        self._file = file
        self._position = 0  # of buffer[0] in the unpacked bytes since `start`
        self._stopped = False
        self._start = start
        file.seek(start)
        self._packed = file.read(CHUNK)
        self._packed_at = start  # place in the file of _packed[0]
        self._gzip = is_gzip or self._packed.startswith(_GZIP_MAGIC)
        self._inflater: isal_zlib.Decompress | None = None
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

    def member_begins(self) -> int | None:
        """The place in the file of the gzip member that `buffer` begins with, None where it begins with none."""
        begins = [place for position, place in self._members if position == self._position]
        return begins[-1] if begins else None

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

    def skip_to(self, pattern: "re.Pattern[bytes]", longest: int, start: int) -> None:
        """Drops all up to the first match at or behind `start`, and the line end that it begins with.

        Args:
            longest: bytes of a match, at most.
        """
        while not (found := pattern.search(self.buffer, start)):
            if len(self.buffer) > CHUNK:
                self.drop(len(self.buffer) - longest)
                start = 0
            if not self.fill(len(self.buffer) + 1):
                self.drop(len(self.buffer))
                return
        self.drop(found.start() + 1)

    def resume(self, begins: Callable[[bytes], object]) -> None:
        """Goes on at the next gzip member, behind the beginning of the damaged one, that begins with a record.

        Args:
            begins: whether a record begins with these bytes, the first few hundred of a member.
        """
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
            if begins(_first_bytes(data[:_PROBE_BYTES])):
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
            except InflateError:
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
            self._inflater = isal_zlib.decompressobj(wbits=31)  # 31: gzip header and checksum
        elif packed:
            self._stop("damaged_gzip", self._packed_at)
        else:
            self._stopped = True

    def _stop(self, damage: str, at: int) -> None:
        self.damage = damage
        self._damaged_at = at
        self._stopped = True


def read_again(file: IO[bytes], origin: Origin) -> bytes:
    """The bytes of one record again, given the origin that `RecordStream.origin` gave."""
    if origin.offset is None or origin.length is None:
        return b""
    if origin.member is None:
        stream, inside = RecordStream(file, origin.offset), 0
    else:
        stream, inside = RecordStream(file, int(origin.member.removeprefix(_MEMBER))), origin.offset
    stream.skip(inside)
    stream.fill(origin.length)
    return bytes(stream.buffer[: origin.length])


def _first_bytes(packed: bytes) -> bytes:
    try:
        return bytes(isal_zlib.decompressobj(wbits=31).decompress(packed, 300))
    except InflateError:
        return b""
