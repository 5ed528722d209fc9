"""C4 as it is published, and other corpora of JSON lines."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from corpus.schema import Document, Origin, Rejected, well_formed
from corpus.sources.decode import is_utf8
from corpus.sources.json_lines import PACKED, PLAIN, raw_line, read_lines, split_lines
from corpus.sources.raw import SPLIT_BYTES, RawFile, Split
from corpus.sources.source import Source
from corpus.sources.times import utc_time

_NESTED = ("metadata", "meta")


class C4(Source):
    """Documents of JSON lines, plain or packed (.gz, .bz2, .zst). A raw record is a line that is not blank.

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
    formats: ClassVar[str] = "JSON lines with `text`, plain, .gz, .bz2 or .zst"
    text_per_raw: ClassVar[float] = 3.0  # .json.gz
    document_bytes: ClassVar[int] = 2100  # of the order that RedPajama-v1's counts give

    max_line_bytes: int = 100 << 20

    def splits(self, files: Sequence[RawFile], split_bytes: int = SPLIT_BYTES) -> list[Split]:
        return split_lines(files, split_bytes, self.text_per_raw)

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            if not piece.path.endswith((*PLAIN, *PACKED)):
                yield Rejected(Origin(piece.path), "unsupported_file", f"not one of {', '.join((*PLAIN, *PACKED))}")
                continue
            for record in read_lines(root, piece, self.max_line_bytes):
                yield record if isinstance(record, Rejected) else _document(*record)

    def raw(self, root: str, origin: Origin) -> bytes:
        """The line."""
        return raw_line(root, origin)


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
