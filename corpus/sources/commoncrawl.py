"""Common Crawl: WET and WARC files."""

import codecs
import io
import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

from fastwarc.warc import WarcRecord, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5
from resiliparse.parse.html import HTMLParserException

from corpus.schema import Document, Origin, Rejected
from corpus.sources.decode import is_utf8
from corpus.sources.raw import SPLIT_BYTES, RawFile, Split, group_files, open_raw
from corpus.sources.source import Source
from corpus.sources.warc import Record, read_record, read_records

MAX_BYTES = 64 << 20
"""Longest record read, and longest page after its HTTP encodings are undone. Common Crawl cuts pages at 1 MiB
(5 MiB since 2025)."""

MAX_DEPTH = 512
"""Deepest nesting of blocks: Chrome's limit (kMaximumHTMLParserDOMTreeDepth). The main-content heuristic takes time
in the square of it."""

_SNAPSHOT = re.compile(r"CC-MAIN-\d{4}-\d{2}(?!\d)")
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_BLOCK_TAG = re.compile(r"<(/?)(?:div|article)\b", re.IGNORECASE)
_HEADERS = {"languages": "WARC-Identified-Content-Language", "truncated": "WARC-Truncated"}
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# The WHATWG standard means the larger set by these names; Python's codecs of the same name are the smaller ones.
_SUPERSETS = {"shift_jis": "cp932", "gbk": "gb18030", "euc-kr": "cp949", "euc_kr": "cp949", "big5": "big5hkscs"}


class CommonCrawl(Source):
    """Pages of Common Crawl. A raw record is a WARC record of whatever type.

    `conversion` records (WET) give their text as it is. `response` records with status 200 and HTML give the main
    text as Resiliparse extracts it, one line for each line or paragraph of the page; the encoding is, as in a
    browser, what a byte order mark, the HTTP header or the page's meta element says, else detected.

    `.gz` files (one member a record or any other way) and plain ones are read. An ARC, lz4, zstd or WAT file is one
    rejected record, `unsupported_file`. Reasons besides those of `corpus.sources.warc.read_records`: `type_<type>`
    for records that are no page (`type_request`, `type_metadata`, ...), `no_record_id`, `not_http`, `http_status`,
    `not_html`, `bad_html`, `nested_too_deep`, `no_text`.

    `origin.offset` of a record that begins a gzip member is a place in the compressed file, as in a CDX index; the
    other cases are described at `read_records`.

    Attributes:
        snapshot: name in ids of files whose path names none (`CC-MAIN-2019-30`).
    """

    version: ClassVar[int] = 1
    formats: ClassVar[str] = "WET and WARC"
    text_per_raw: ClassVar[float] = 3.0  # WET in gzip
    document_bytes: ClassVar[int] = 5000  # assumed

    snapshot: str = "unknown"

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
            if re.search(r"\.wat(\.gz)?$", posixpath.basename(piece.path)):
                yield Rejected(Origin(piece.path), "unsupported_file", "WAT holds no text: use WET or WARC")
                continue
            with open_raw(root, piece.path) as file:
                for record in read_records(file, piece.path, MAX_BYTES):
                    yield record if isinstance(record, Rejected) else _document(record, self._snapshot(piece.path))

    def raw(self, root: str, origin: Origin) -> bytes:
        """Headers and content of the record."""
        with open_raw(root, origin.file) as file:
            return read_record(file, origin)

    def _snapshot(self, path: str) -> str:
        found = _SNAPSHOT.search(path)
        return found[0] if found else self.snapshot


def _document(record: Record, snapshot: str) -> Document | Rejected:
    def rejected(reason: str, detail: str = "") -> Rejected:
        return Rejected(record.origin, reason, detail)

    try:
        warc = WarcRecord.from_reader(io.BytesIO(record.data), quirks_mode=True)
    except OSError as error:  # FastWARC's name for a header it cannot parse; nothing is read from storage here
        return rejected("bad_header", str(error))
    if warc.record_type not in (WarcRecordType.conversion, WarcRecordType.response):
        return rejected(f"type_{warc.record_type}")
    identifier = (warc.record_id or "").strip("<> ").removeprefix("urn:uuid:")
    if not identifier:
        return rejected("no_record_id")
    metadata: dict[str, Any] = {
        key: value for key, header in _HEADERS.items() if (value := warc.headers.get(header)) is not None
    }
    if warc.record_type == WarcRecordType.conversion:
        text = warc.reader.read().decode("utf-8", "replace")
    else:
        page = _page(warc, record.data)
        if isinstance(page, _NoPage):
            return rejected(page.reason, page.detail)
        text = page.text
        metadata |= page.metadata
    if not text.strip():
        return rejected("no_text")
    if "\ufffd" in text:
        metadata["replaced"] = text.count("\ufffd")
    return Document(
        id=f"commoncrawl:{snapshot}:{identifier}",
        text=text,
        origin=record.origin,
        url=(warc.headers.get("WARC-Target-URI") or "").strip("<> ") or None,
        timestamp=warc.record_date,
        metadata=metadata,
    )


class _NoPage(NamedTuple):
    reason: str
    detail: str = ""


class _Page(NamedTuple):
    text: str
    metadata: dict[str, Any]


def _page(warc: WarcRecord, data: bytes) -> _Page | _NoPage:
    """The main text of a response; `data` is the whole record that `warc` was read from."""
    warc, body = _response(warc, data)
    if warc.http_headers is None or warc.http_headers.status_code is None:
        return _NoPage("not_http")
    if warc.http_headers.status_code != 200:
        return _NoPage("http_status", str(warc.http_headers.status_code))
    content_type = (warc.http_content_type or warc.headers.get("WARC-Identified-Payload-Type") or "").lower()
    if content_type not in _HTML:
        return _NoPage("not_html", content_type)
    if len(body) > MAX_BYTES:
        return _NoPage("too_long", f"over {MAX_BYTES} bytes unpacked")
    html, charset = decode_html(body, warc.http_charset)
    if _too_deep(html):
        return _NoPage("nested_too_deep")
    try:
        text = extract_plain_text(html, preserve_formatting=True, main_content=True, alt_texts=False)
    except HTMLParserException as error:
        return _NoPage("bad_html", str(error))
    return _Page(text, {"charset": charset, "content_type": content_type})


def _response(warc: WarcRecord, data: bytes) -> tuple[WarcRecord, bytes]:
    """The record with its HTTP header parsed, and its payload decoded, at most `MAX_BYTES` + 1.

    Archives keep `Content-Encoding` and `Transfer-Encoding` of payloads that they store decoded: an encoding that
    the payload does not have is left out.
    """
    for encodings in ("all", "transfer", "content"):
        try:
            warc.parse_http(auto_decode=encodings, quirks_mode=True)
            return warc, warc.reader.read(MAX_BYTES + 1)
        except OSError:
            warc = WarcRecord.from_reader(io.BytesIO(data), quirks_mode=True)
    warc.parse_http(auto_decode="none", quirks_mode=True)
    return warc, warc.reader.read(MAX_BYTES + 1)


def decode_html(body: bytes, declared: str | None) -> tuple[str, str]:
    """(text, Python's name of its encoding). Bytes that the encoding does not have become U+FFFD.

    Order: byte order mark, `declared` (the HTTP header's), the meta element within the first 1024 bytes, detection;
    but what is not declared and valid UTF-8 is never taken for Windows-1252
    (https://html.spec.whatwg.org/multipage/parsing.html#determining-the-character-encoding).
    """
    for mark, encoding in _BOMS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace"), encoding
    label = (declared or "").strip("\"' ").lower()
    found = map_encoding_to_html5(label, fallback_utf8=False) if label else None
    charset = found or detect_encoding(body, from_html_meta=True) or "utf-8"
    if charset.startswith("utf-16") and b"\0" not in body[:1024]:
        charset = "utf-8"  # as the standard says of a meta element that could be read byte by byte
    if not found and charset == "cp1252" and is_utf8(body):
        charset = "utf-8"  # detection sees a sample only, and that may be ASCII
    charset = _SUPERSETS.get(charset, charset)
    return body.decode(charset, "replace"), charset


def _too_deep(html: str) -> bool:
    """Whether blocks are nested deeper than `MAX_DEPTH`, by their tags alone."""
    depth = 0
    for tag in _BLOCK_TAG.finditer(html):
        depth = max(0, depth - 1) if tag[1] else depth + 1
        if depth > MAX_DEPTH:
            return True
    return False
