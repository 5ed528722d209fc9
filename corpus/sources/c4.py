"""C4 as it is published, and other corpora of JSON lines."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import IO, Any, ClassVar

from corpus.schema import Document, Origin, Rejected, well_formed
from corpus.sources.compressed import CHUNK, decompressed, read_range
from corpus.sources.decode import is_utf8
from corpus.sources.raw import SPLIT_BYTES, Piece, RawFile, Split, group_files, open_raw
from corpus.sources.source import Source
from corpus.sources.times import utc_time

_PLAIN = (".json", ".jsonl")
_PACKED = tuple(name + packing for name in _PLAIN for packing in (".gz", ".bz2"))
_NESTED = ("metadata", "meta")


class C4(Source):
    """Documents of `.json` and `.jsonl` files, plain, `.gz` or `.bz2`. A raw record is a line that is not blank.

    A line is an object with `text`, and `url` and `timestamp` or `created` (C4, Dolma), or these and `language` inside
    `metadata` or `meta` (Dolma, RedPajama). Other keys are left out. The id is the SHA-1 of the URL, or of the text of
    a document without one. Bytes that are not UTF-8 and lone surrogates become U+FFFD, and the document's metadata
    says `invalid_utf8`.

    Plain files larger than a split are cut into byte ranges; a line belongs to the range its first byte is in.
    Offsets count unpacked bytes.

    Reasons: `bad_json`, `no_text` (no string, or only white space), `line_too_long`, `damaged` (a packed file is cut
    short or altered: what is lost is one record), `unsupported_file` (another format: one for the file).

    Attributes:
        max_line_bytes: longest line read, which bounds memory.
    """

    version: ClassVar[int] = 1
    formats: ClassVar[str] = "JSON lines with `text`, plain, .gz or .bz2"
    text_per_raw: ClassVar[float] = 3.0  # .json.gz
    document_bytes: ClassVar[int] = 2100  # of the order that RedPajama-v1's counts give

    max_line_bytes: int = 100 << 20

    def splits(self, files: Sequence[RawFile], split_bytes: int = SPLIT_BYTES) -> list[Split]:
        splits: list[Split] = []
        for kind, run in groupby(files, lambda file: _kind(file, split_bytes)):
            if kind == "large":
                splits.extend(split for file in run for split in _ranges(file, split_bytes))
            else:
                splits.extend(group_files(run, int(split_bytes // (self.text_per_raw if kind == "packed" else 1))))
        return splits

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            if not piece.path.endswith((*_PLAIN, *_PACKED)):
                yield Rejected(Origin(piece.path), "unsupported_file", f"not one of {', '.join((*_PLAIN, *_PACKED))}")
                continue
            with open_raw(root, piece.path) as file:
                chunks: Iterator[bytes | None]
                if piece.path.endswith(_PACKED):
                    chunks, offset = decompressed(file), 0
                else:
                    offset = _next_line(file, piece.start)
                    chunks = _chunks(file)
                for record in _lines(chunks, piece, offset, self.max_line_bytes):
                    yield record if isinstance(record, Rejected) else _document(*record)

    def raw(self, root: str, origin: Origin) -> bytes:
        """The line."""
        if origin.offset is None or origin.length is None:
            return b""
        with open_raw(root, origin.file) as file:
            if origin.file.endswith(_PACKED):
                return read_range(file, origin.offset, origin.length)
            file.seek(origin.offset)
            return file.read(origin.length)


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


def _document(origin: Origin, line: bytes) -> Document | Rejected:
    decoded = line.decode("utf-8", "replace")
    try:
        body = json.loads(decoded)
    except (ValueError, RecursionError) as error:  # RecursionError: a line of nested brackets
        return Rejected(origin, "bad_json", str(error))
    if not isinstance(body, dict):
        return Rejected(origin, "bad_json", f"{type(body).__name__}, not an object")
    raw_text = body.get("text")
    if not isinstance(raw_text, str) or not raw_text.strip():
        return Rejected(origin, "no_text")
    text = well_formed(raw_text)
    url = _string(body, "url")
    valid = text is raw_text and ("\ufffd" not in decoded or is_utf8(line))
    key = text if url is None else well_formed(url)
    return Document(
        id=f"c4:{hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()}",
        text=text,
        origin=origin,
        language=_string(body, "language"),
        url=url,
        timestamp=utc_time(_string(body, "timestamp") or _string(body, "created")),
        metadata={} if valid else {"invalid_utf8": True},
    )


def _string(body: dict[str, Any], key: str) -> str | None:
    """The first string under `key` in the object or its metadata."""
    for place in (body, *(body.get(name) for name in _NESTED)):
        if isinstance(place, dict) and isinstance(value := place.get(key), str) and value:
            return value
    return None


def _kind(file: RawFile, split_bytes: int) -> str:
    if file.path.endswith(_PACKED):
        return "packed"
    return "large" if file.size > split_bytes and file.path.endswith(_PLAIN) else "small"


def _ranges(file: RawFile, split_bytes: int) -> Iterator[Split]:
    """Equal byte ranges of at most `split_bytes`."""
    count = -(-file.size // split_bytes)
    edges = [file.size * number // count for number in range(count + 1)]
    for start, end in pairwise(edges):
        yield Split((Piece(file.path, start, end),))
