"""The members of a gzip file, each unpacked as a whole."""

from collections.abc import Iterator
from typing import IO, Any, cast

from isal import isal_zlib

InflateError: type[Exception] = cast(Any, isal_zlib).error  # its stub gives it another type

_CHUNK = 1 << 22
_WINDOW = 1 << 14  # fed at a time: what is fed beyond a member's end is copied


def members(file: IO[bytes], start: int, limit: int) -> Iterator[tuple[int, bytes | None]]:
    """(place in the file, unpacked bytes) of each gzip member from place `start` on, a member's beginning.

    The last one has None where a place does not begin a whole member of at most `limit` bytes: no gzip, padding,
    damaged, cut short, too long. (The functions of isal and libdeflate that unpack a member in one call ignore what
    stands behind it; a stream says where the member ends, and checks its checksum.)
    """
    file.seek(start)
    packed, at = file.read(_CHUNK), 0
    place = start
    while packed:
        inflater = isal_zlib.decompressobj(wbits=31)  # 31: gzip header and checksum
        parts: list[bytes] = []
        size, begin = 0, place
        while not inflater.eof:
            if at == len(packed):
                packed, at = file.read(_CHUNK), 0
                if not packed:
                    break
            window = packed[at : at + _WINDOW]
            try:
                part = inflater.decompress(window)
            except InflateError:
                break
            used = len(window) - len(inflater.unused_data)
            at, place, size = at + used, place + used, size + len(part)
            parts.append(part)
            if size > limit:
                break
        if not inflater.eof or size > limit:
            yield begin, None
            return
        yield begin, parts[0] if len(parts) == 1 else b"".join(parts)
        if at == len(packed):
            packed, at = file.read(_CHUNK), 0
