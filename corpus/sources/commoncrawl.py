"""Common Crawl: WET, WARC and ARC files."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from corpus.schema import BATCH_BYTES, BATCH_ROWS, Document, Origin, Rejected
from corpus.sources import wet
from corpus.sources.http_response import header_fields, header_text
from corpus.sources.raw import SPLIT_BYTES, RawFile, Split, group_files, open_raw
from corpus.sources.source import Source
from corpus.sources.times import utc_time
from corpus.sources.warc import ARC_HEADER, END_BYTES, Member, Record, as_record, read_members, read_record
from corpus.sources.web_page import NoPage, Page, read_page
from corpus.text.web.extractors import Extractor, Form, trafilatura

MAX_BYTES = 64 << 20
"""Longest record read, and longest page after its HTTP encodings are undone. Common Crawl cuts pages at 1 MiB
(5 MiB since 2025)."""

_SNAPSHOT = re.compile(r"CC-MAIN-\d{4}-\d{2}(?!\d)")
_TYPES = frozenset(["warcinfo", "response", "resource", "request", "metadata", "revisit", "conversion", "continuation"])
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_HEADERS = {"languages": "warc-identified-content-language", "truncated": "warc-truncated"}


class CommonCrawl(Source):
    """Pages of Common Crawl. A raw record is a WARC or ARC record of whatever type.

    `conversion` records (WET) give their text as it is. `response` records with status 200 and HTML, and ARC records of
    that kind, give their main text (`corpus.text.web.main_text`), with lists, tables and code that stand in it. The
    encodings of HTTP are undone by what the bytes show (`corpus.sources.http_response`), the charset is found by
    `corpus.text.web.charset`.

    `.gz` files (one member a record or any other way) and plain ones are read. An lz4, zstd or WAT file is one
    rejected record, `unsupported_file`. Reasons besides those of `corpus.sources.warc.read_records`: `type_<type>`
    for records that are no page (`type_request`, `type_metadata`, ...), `no_record_id`, `not_http`, `http_status`,
    `not_html` (by the header, or by the type that the crawler identified), `binary` (said to be HTML: PDF, images and
    whatever else is no text), `bad_html` (trafilatura does not get through), `no_text`.

    `origin.offset` of a record that begins a gzip member is a place in the compressed file, as in a CDX index; the
    other cases are described at `read_records`.

    Attributes:
        snapshot: name in ids of files whose path names none (`CC-MAIN-2019-30`).
        text: how the main text of a page is written: `plain`, or `markdown` with headings, code, tables and quotations
            in the marks of Markdown. Lists have marks in both.
        extractor: what finds the main text: `blocks`, or `trafilatura` (an extra), which takes over ten times as long.
    """

    version: ClassVar[int] = 4
    formats: ClassVar[str] = "WET, WARC and ARC"
    text_per_raw: ClassVar[float] = 3.0  # WET in gzip
    document_bytes: ClassVar[int] = 5000  # assumed

    snapshot: str = "unknown"
    text: Form = "plain"
    extractor: Extractor = "blocks"

    def check(self, root: str) -> None:
        super().check(root)
        if self.extractor == "trafilatura":
            trafilatura()

    def splits(self, files: Sequence[RawFile], split_bytes: int = SPLIT_BYTES) -> list[Split]:
        """Whole files; a split never joins snapshots, which are the groups."""
        snapshots: dict[str, list[RawFile]] = {}
        for file in files:
            snapshots.setdefault(self._snapshot(file.path), []).append(file)
        return [
            split
            for snapshot in sorted(snapshots)
            for split in group_files(snapshots[snapshot], int(split_bytes // self.text_per_raw), snapshot)
        ]

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            if _is_wat(piece.path):
                yield Rejected(Origin(piece.path), "unsupported_file", "WAT holds no text: use WET or WARC")
                continue
            how = self._how(piece.path)
            with open_raw(root, piece.path) as file:
                for found in read_members(file, piece.path, MAX_BYTES):
                    record = as_record(found, piece.path) if isinstance(found, Member) else found
                    yield record if isinstance(record, Rejected) else _document(record, how)

    def read_batches(self, root: str, split: Split, source: str) -> Iterator[Document | Rejected | pa.RecordBatch]:
        """The same, plain WET records as batches (`corpus.sources.wet`): twice as fast, and equal cell by cell."""
        for piece in split.pieces:
            if _is_wat(piece.path):
                yield from self.read(root, Split((piece,)))
                continue
            how = self._how(piece.path)
            with open_raw(root, piece.path) as file:
                held: list[Member] = []
                size = 0
                for found in read_members(file, piece.path, MAX_BYTES):
                    if isinstance(found, Member):
                        held.append(found)
                        size += len(found.data)
                        if size < BATCH_BYTES and len(held) < BATCH_ROWS:
                            continue
                    yield from _batch(held, piece.path, how, source)
                    held, size = [], 0
                    if isinstance(found, Record):
                        yield _document(found, how)
                    elif isinstance(found, Rejected):
                        yield found
                yield from _batch(held, piece.path, how, source)

    def raw(self, root: str, origin: Origin) -> bytes:
        """Headers and content of the record."""
        with open_raw(root, origin.file) as file:
            return read_record(file, origin)

    def _how(self, path: str) -> "_How":
        return _How(self._snapshot(path), self.extractor, self.text)

    def _snapshot(self, path: str) -> str:
        found = _SNAPSHOT.search(path)
        return found[0] if found else self.snapshot


class _How(NamedTuple):
    snapshot: str
    extractor: Extractor
    form: Form


def _is_wat(path: str) -> bool:
    return re.search(r"\.wat(\.gz)?$", posixpath.basename(path)) is not None


def _batch(held: list[Member], path: str, how: _How, source: str) -> Iterator[Document | Rejected | pa.RecordBatch]:
    if not held:
        return
    room = np.frombuffer(b"".join(member.data for member in held), np.uint8)
    lengths = np.array([len(member.data) for member in held], np.int64)
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    spans = wet.scan(room, ends)
    plain = spans[:, wet.PLAIN] == 1
    if plain.any():
        places = np.array([member.place for member in held], np.int64)
        numbers = np.array([member.number for member in held], np.int64)
        columns = (lengths[plain] - END_BYTES, places[plain], numbers[plain])
        yield wet.plain_batch(room, spans[plain], *columns, path, how.snapshot, source)
    for member in (held[row] for row in np.flatnonzero(~plain)):
        yield _document(as_record(member, path), how)


def _document(record: Record, how: _How) -> Document | Rejected:
    made = _from_warc(record, how) if record.data.startswith(b"WARC/") else _from_arc(record, how)
    if isinstance(made, NoPage):
        return Rejected(record.origin, made.reason, made.detail)
    if not made.text.strip():
        return Rejected(record.origin, "no_text")
    return made


def _from_warc(record: Record, how: _How) -> Document | NoPage:
    found = _EMPTY_LINE.search(record.data)
    if found is None:
        return NoPage("bad_header")
    fields = header_fields(record.data[: found.end()])

    def field(name: str) -> str:
        return fields.get(name, ("",))[0]

    kind = field("warc-type").lower()
    if kind not in ("conversion", "response"):
        return NoPage(f"type_{kind if kind in _TYPES else 'unknown'}")
    identifier = field("warc-record-id").strip("<> ").removeprefix("urn:uuid:")
    if not identifier:
        return NoPage("no_record_id")
    metadata = {key: value for key, name in _HEADERS.items() if (value := field(name))}
    block = record.data[found.end() :]
    if kind == "conversion":
        page: Page | NoPage = Page(block.decode("utf-8", "replace"), {})
    else:
        page = read_page(block, field("warc-identified-payload-type").lower(), MAX_BYTES, how.extractor, how.form)
    if isinstance(page, NoPage):
        return page
    return Document(
        id=f"commoncrawl:{how.snapshot}:{identifier}",
        text=page.text,
        origin=record.origin,
        url=field("warc-target-uri").strip("<> ") or None,
        timestamp=utc_time(field("warc-date")),
        metadata=metadata | page.metadata | _replaced(page.text),
    )


def _from_arc(record: Record, how: _How) -> Document | NoPage:
    found = ARC_HEADER.match(record.data)
    if found is None:
        return NoPage("bad_header")
    url = header_text(found[1])
    scheme = url.partition(":")[0].lower()
    if scheme in ("filedesc", "dns"):
        return NoPage(f"type_{scheme}")
    page = read_page(record.data[found.end() :], "", MAX_BYTES, how.extractor, how.form)
    if isinstance(page, NoPage):
        return page
    date = found[3].decode()
    return Document(
        id=f"commoncrawl:{how.snapshot}:{date}/{url}",
        text=page.text,
        origin=record.origin,
        url=url,
        timestamp=_arc_time(date),
        metadata=page.metadata | _replaced(page.text),
    )


def _arc_time(digits: str) -> datetime | None:
    """YYYYMMDDhhmmss, of which the last may be missing."""
    try:
        return datetime.strptime(digits[:14].ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _replaced(text: str) -> dict[str, int]:
    return {"replaced": text.count("\ufffd")} if "\ufffd" in text else {}
