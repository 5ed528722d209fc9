"""The streams of a multistream bzip2 file, each of which can be read without those before it.

Wikimedia's multistream dumps hold a stream for each 100 pages, with an index of where they begin beside the file. The
index is not needed: a stream begins with ten bytes that do not come up by chance, so any cut of the file into ranges of
bytes tells which range each stream belongs to.
"""

from collections.abc import Iterator
from typing import IO, NamedTuple, cast

from corpus.sources.compressed import CHUNK

_LEVELS = b"123456789"
_BLOCK = b"1AY&SY"  # magic of a block, which follows "BZh" and the level
_HEADER_BYTES = 10


class Stream(NamedTuple):
    """The bytes [start, end) of a file, up to the next stream or the end of the file."""

    start: int
    end: int


def streams(file: IO[bytes], start: int = 0, end: int | None = None) -> Iterator[Stream]:
    """The streams that begin in [start, end) of a file. Reads on behind `end` to see where the last one ends."""
    previous: int | None = None
    position = start
    file.seek(start)
    held = b""
    while chunk := file.read(CHUNK):
        data = held + chunk
        at = 0
        while (at := data.find(_BLOCK, at)) >= 0:
            if at >= 4 and data[at - 4 : at - 1] == b"BZh" and data[at - 1] in _LEVELS:
                found = position - len(held) + at - 4
                if previous is not None:
                    yield Stream(previous, found)
                if end is not None and found >= end:
                    return
                previous = found
            at += 1
        position += len(chunk)
        held = data[1 - _HEADER_BYTES :]
        if end is not None and previous is None and position - _HEADER_BYTES >= end:
            return
    if previous is not None:
        yield Stream(previous, position)


def opened(file: IO[bytes], stream: Stream) -> IO[bytes]:
    """One stream as a file of its own, which begins at 0."""
    return cast(IO[bytes], _Window(file, stream))


class _Window:
    def __init__(self, file: IO[bytes], stream: Stream) -> None:
        self._file = file
        self._stream = stream
        self._position = stream.start

    def seek(self, position: int) -> int:
        self._position = self._stream.start + position
        return position

    def read(self, size: int = -1) -> bytes:
        left = self._stream.end - self._position
        self._file.seek(self._position)
        data = self._file.read(left if size < 0 else min(size, left))
        self._position += len(data)
        return data
