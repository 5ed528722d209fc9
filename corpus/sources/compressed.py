"""Plain, gzip, bzip2 and zstd files as one stream of bytes that goes on behind damage."""

import bz2
import re
import zlib
from collections.abc import Callable, Iterator
from typing import IO

import pyarrow as pa

CHUNK = 1 << 20
_ZSTD_CHUNK = 1 << 16  # what is lost in front of damage

_BZ2_STREAM = re.compile(rb"BZh[1-9]1AY&SY")  # header of a stream and magic of its first block
_BZ2_STREAM_BYTES = 10
_BZ2_BLOCK = 900_000  # largest block of bzip2; its checksum is compared only after the block has been given out


def decompressed(file: IO[bytes]) -> Iterator[bytes | None]:
    """The content of `file` from its beginning, at most `CHUNK` bytes at a time, None where bytes are lost.

    A bzip2 file of many streams (Wikimedia's multistream dumps) goes on at the next stream behind a damaged one;
    the bytes of a damaged block are never given. Behind damage a gzip or zstd file ends. An error of the storage is
    raised.
    """
    unpack = _unpacker(file)
    return unpack(file) if unpack else iter(lambda: file.read(CHUNK), b"")


def read_range(file: IO[bytes], offset: int, length: int) -> bytes:
    """`length` bytes from `offset` of what `decompressed` gives, gaps left out; fewer where it ends before."""
    if not _unpacker(file):
        file.seek(offset)
        return file.read(length)
    kept: list[bytes] = []
    start = 0
    for chunk in decompressed(file):
        if chunk is None:
            continue
        if start >= offset + length:
            break
        kept.append(chunk[max(0, offset - start) : offset + length - start])
        start += len(chunk)
    return b"".join(kept)


def _unpacker(file: IO[bytes]) -> Callable[[IO[bytes]], Iterator[bytes | None]] | None:
    """By the first bytes; the file is at its beginning afterwards."""
    head = file.read(4)
    file.seek(0)
    if head.startswith(b"BZh"):
        return _bunzip
    if head == b"\x28\xb5\x2f\xfd":
        return _unzstd
    return _gunzip if head.startswith(b"\x1f\x8b") else None


def _bunzip(file: IO[bytes]) -> Iterator[bytes | None]:
    decoder = bz2.BZ2Decompressor()
    data = fed = b""
    begun = False
    held: list[bytes] = []  # given out when a block's worth of later bytes shows that its checksum was right
    while True:
        if decoder.needs_input:
            fed = data or file.read(CHUNK)
            data = b""
            if not fed:
                if begun:  # cut short: the blocks before the cut are whole
                    yield from filter(None, held)
                    yield None
                return
        try:
            out = decoder.decompress(fed if decoder.needs_input else b"", CHUNK)
        except OSError:  # bz2's name for invalid data
            if begun or fed.strip(b"\0"):  # zeros behind the last stream are padding
                yield None
            held.clear()
            data = _next_bz2_stream(fed, file)
            decoder, begun = bz2.BZ2Decompressor(), False
            continue
        begun = True
        held.append(out)
        if decoder.eof:
            yield from filter(None, held)
            held.clear()
            data = decoder.unused_data
            decoder, begun = bz2.BZ2Decompressor(), False
        while sum(map(len, held[1:])) >= _BZ2_BLOCK:
            yield held.pop(0)


def _next_bz2_stream(data: bytes, file: IO[bytes]) -> bytes:
    """What has been read of the next stream that begins behind the first byte of `data`, or b"" at the end."""
    data = data[1:]
    while True:
        if found := _BZ2_STREAM.search(data):
            return data[found.start() :]
        more = file.read(CHUNK)
        if not more:
            return b""
        data = data[1 - _BZ2_STREAM_BYTES :] + more


def _unzstd(file: IO[bytes]) -> Iterator[bytes | None]:
    stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")
    while True:
        try:
            chunk = stream.read(_ZSTD_CHUNK)
        except OSError as error:
            if error.errno is not None:
                raise  # the storage's; Arrow's own for damaged data has no number
            yield None
            return
        if not chunk:
            return
        yield chunk


def _gunzip(file: IO[bytes]) -> Iterator[bytes | None]:
    decoder = zlib.decompressobj(wbits=31)  # 31: gzip header and checksum
    data = b""
    begun = False
    while True:
        data = data or file.read(CHUNK)
        if not data:
            if begun:
                yield None
            return
        try:
            out = decoder.decompress(data, CHUNK)
        except zlib.error:
            if begun or data.strip(b"\0"):
                yield None
            return
        begun = True
        if out:
            yield out
        data = decoder.unconsumed_tail
        if decoder.eof:
            data = decoder.unused_data
            decoder, begun = zlib.decompressobj(wbits=31), False
