"""Files of JSON lines, plain or packed: cut into splits, and read a line at a time."""

from collections.abc import Iterator
from itertools import pairwise
from typing import IO

from corpus.schema import Origin, Rejected
from corpus.sources.compressed import CHUNK, decompressed, read_range
from corpus.sources.raw import Piece, RawFile, Split, open_raw

PLAIN = (".json", ".jsonl", ".ndjson")
PACKINGS = (".gz", ".bz2", ".zst")


def is_packed(path: str) -> bool:
    """By the ending of its name."""
    return path.lower().endswith(PACKINGS)


def read_lines(root: str, piece: Piece, limit: int) -> Iterator[tuple[Origin, bytes] | Rejected]:
    """Each line of a piece that is not blank, without its end. Offsets count unpacked bytes.

    Reasons: `line_too_long` (over `limit` bytes), `damaged` (a packed file is cut short or altered: what is lost is one
    record).
    """
    with open_raw(root, piece.path) as file:
        if is_packed(piece.path):
            yield from _lines(decompressed(file), piece, 0, limit)
        else:
            offset = _next_line(file, piece.start)
            yield from _lines(_chunks(file), piece, offset, limit)


def raw_line(root: str, origin: Origin) -> bytes:
    """The line at a place that `read_lines` gave."""
    if origin.offset is None or origin.length is None:
        return b""
    with open_raw(root, origin.file) as file:
        if is_packed(origin.file):
            return read_range(file, origin.offset, origin.length)
        file.seek(origin.offset)
        return file.read(origin.length)


def ranges(file: RawFile, split_bytes: int) -> Iterator[Split]:
    """Equal byte ranges of at most `split_bytes`."""
    count = -(-file.size // split_bytes)
    edges = [file.size * number // count for number in range(count + 1)]
    for start, end in pairwise(edges):
        yield Split((Piece(file.path, start, end),))


def _next_line(file: IO[bytes], start: int) -> int:
    """Moves `file` to the first line that begins at or behind `start`; its offset."""
    if start == 0:
        return 0
    file.seek(start - 1)
    offset = start - 1
    while part := file.readline(CHUNK):
        offset += len(part)
        if part.endswith(b"\n"):
            break
    return offset


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _lines(
    chunks: Iterator[bytes | None], piece: Piece, offset: int, limit: int
) -> Iterator[tuple[Origin, bytes] | Rejected]:
    """The lines of a piece that are not blank, without their ends; `offset` is that of the first chunk."""
    held: list[bytes] = []
    size = 0  # bytes of the current line so far; `held` has them while they are within the limit
    lost = False  # the beginning of the current line is among lost bytes
    for chunk in chunks:
        if chunk is None:
            yield Rejected(Origin(piece.path, offset=offset), "damaged", "lost from here to the next whole line")
            lost = True
            continue
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            if piece.end is not None and offset >= piece.end:
                return
            held.append(part)
            size += len(part)
            if not lost:
                yield from _line(piece.path, offset, size, held, limit)
            offset += size + 1
            held, size, lost = [], 0, False
        size += len(rest)
        held = [*held, rest] if size <= limit else []
    if not lost and (piece.end is None or offset < piece.end):
        yield from _line(piece.path, offset, size, held, limit)


def _line(
    path: str, offset: int, size: int, held: list[bytes], limit: int
) -> Iterator[tuple[Origin, bytes] | Rejected]:
    origin = Origin(path, offset=offset, length=size)
    if size > limit:
        yield Rejected(origin, "line_too_long", f"{size} bytes")
    elif (line := b"".join(held)) and not line.isspace():
        yield origin, line
