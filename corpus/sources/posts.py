"""Rows of Posts.xml, the table of questions and answers in a Stack Exchange dump."""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from lxml import etree
from resiliparse.parse.encoding import map_encoding_to_html5

MAX_ROW_BYTES = 4 << 20
"""Longest row read. The sites limit a body to 30,000 characters."""

FIRST_INVENTED = 1_000_000_000
"""Ids from here on are no posts of a site: dumps since 2024 hold an invented question, 1000000001, and an invented
answer, 1000000010 (https://meta.stackexchange.com/questions/412018). Stack Overflow, the largest, has not reached
100,000,000."""

_ROW = re.compile(rb"<row[\s/>]")
_CLOSE = b"</posts>"
_GLANCE = {name: re.compile(rb' %s="(-?\d{1,18})"' % name.encode()) for name in ("PostTypeId", "Id", "ParentId")}
_NUMBER = re.compile(r"-?\d{1,18}")
_REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,8})|(\d{1,10}));")
_PAIR = re.compile(rb"&#(?:x[dD][89aAbB][0-9A-Fa-f]{2}|5[56]\d{3});&#(?:x[dD][c-fC-F][0-9A-Fa-f]{2}|5[67]\d{3});")
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)  # huge_tree: attributes over 10 MB
_REPLACEMENT = "\ufffd".encode()
_DECLARED = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]+)""")
_QUESTION, _ANSWER = "1", "2"  # PostTypeId
# https://stackoverflow.com/help/licensing: by the day a post was made
_LICENSES = (("2018-05-02", "cc-by-sa-4.0"), ("2011-04-08", "cc-by-sa-3.0"), ("", "cc-by-sa-2.5"))
# By the first bytes of an XML file (https://www.w3.org/TR/xml/#sec-guessing).
_SIGNATURES = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


class Row(NamedTuple):
    """A `<row` up to the next tag. `data` is empty where the row is longer than `MAX_ROW_BYTES`."""

    offset: int
    length: int
    data: bytes


class Post(NamedTuple):
    """A question, or an answer to one.

    Attributes:
        question: id of the question: its own, or its parent's.
        replaced: whether bytes or characters that XML forbids became U+FFFD.
    """

    id: int
    question: int
    is_answer: bool
    score: int
    title: str
    body: str
    tags: str
    accepted: int | None
    created: str
    license: str | None
    replaced: bool


class NoPost(NamedTuple):
    """Why a row is neither."""

    reason: str
    detail: str = ""


def encoding_of(head: bytes) -> str:
    """Python's name of the encoding of an XML file, by its first bytes. A declaration of UTF-16 in a file without NULs
    is wrong (.NET writes it into UTF-8); one that is not known counts as UTF-8."""
    for signature, encoding in _SIGNATURES:
        if head.startswith(signature):
            return encoding
    declared = _DECLARED.match(head)
    if not declared:
        return "utf-8"
    encoding = map_encoding_to_html5(declared[1].decode("ascii", "replace"), fallback_utf8=False) or "utf-8"
    return "utf-8" if encoding.startswith("utf-16") else encoding


def to_utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks of an XML file in UTF-8. What its encoding does not have becomes U+FFFD, but for one in UTF-8, which
    is given as it is."""
    chunks = iter(chunks)
    head = next(chunks, b"")
    encoding = encoding_of(head)
    if encoding == "utf-8":
        yield head
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in chain([head], chunks):
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", True).encode()


class Rows:
    """The rows that begin in bytes [start, end) of a file, whatever is between them.

    A row ends at the next `<`, which no attribute can hold unescaped.

    Args:
        chunks: the file from byte `start` on.

    Attributes:
        cut: once all are read, whether the file ended without `</posts>`, and not within a row.
    """

    def __init__(self, chunks: Iterable[bytes], start: int = 0, end: int | None = None) -> None:
        self._chunks = iter(chunks)
        self._start = start
        self._end = end
        self.cut = False

    def __iter__(self) -> Iterator[Row]:
        buffer = b""
        start = self._start  # offset of buffer[0]
        at = 0  # where in the buffer to go on
        closed, whole = False, start == 0
        more = True
        while True:
            row = _ROW.search(buffer, at)
            if self._end is not None and start + (row.start() if row else len(buffer)) >= self._end:
                return
            end = buffer.find(b"<", row.end()) if row else -1
            if row and end < 0 and len(buffer) - row.start() > MAX_ROW_BYTES:
                length = len(buffer) - row.start()
                chunk: bytes | None = None
                while (chunk := next(self._chunks, None)) is not None and (end := chunk.find(b"<")) < 0:
                    length += len(chunk)
                length += max(end, 0)
                yield Row(start + row.start(), length, b"")
                closed, whole = False, end >= 0
                buffer, start, at = (chunk or b"")[max(end, 0) :], start + row.start() + length, 0
            elif row and (end >= 0 or not more):
                end = end if end >= 0 else len(buffer)
                data = buffer[row.start() : end].rstrip()
                yield Row(start + row.start(), len(data), data if len(data) <= MAX_ROW_BYTES else b"")
                closed, whole = False, data.endswith(b">")
                at = end
            else:
                closed = closed or _CLOSE in buffer[at:]
                if not more:
                    self.cut = whole and not closed
                    return
                # The end of the buffer may be the beginning of a tag.
                keep = row.start() if row else max(at, len(buffer) + 1 - len(_CLOSE))
                chunk = next(self._chunks, None)
                more = chunk is not None
                buffer, start, at = buffer[keep:] + (chunk or b""), start + keep, 0


def parse(rows: Sequence[Row]) -> list[Post | NoPost]:
    """What each row is. Together they are parsed in half the time: one by one only where one of them is broken."""
    whole = [row for row in rows if row.data]
    document = b"".join(_closed(row.data) for row in whole)
    try:
        root = etree.fromstring(b"<posts>" + document + b"</posts>", _PARSER)
    except etree.XMLSyntaxError:
        return [_parse_one(row) for row in rows]
    # Rows that are whole only together, or hold text of their own, are not well-formed rows.
    if len(root) != len(whole) or root.text or any(element.tail or element.text for element in root):
        return [_parse_one(row) for row in rows]
    elements = iter(root)
    return [_post(next(elements).attrib, False) if row.data else NoPost("row_too_long") for row in rows]


def question_of(row: Row) -> int | None:
    """The question that a row belongs to, or None; the same for the same row wherever it is asked. At a glance where
    the row is written as in the dumps."""
    kind = _GLANCE["PostTypeId"].search(row.data)
    number = _GLANCE["ParentId" if kind and kind[1] == _ANSWER.encode() else "Id"].search(row.data)
    if kind and number:
        return int(number[1]) if kind[1] in (_QUESTION.encode(), _ANSWER.encode()) else None
    post = _parse_one(row)
    return post.question if isinstance(post, Post) else None


def id_of(row: Row) -> int | None:
    """The id of a post at a glance, or None."""
    number = _GLANCE["Id"].search(row.data)
    return int(number[1]) if number else None


def _closed(row: bytes) -> bytes:
    return row if row.endswith(b"/>") or not row.endswith(b">") else row[:-1] + b"/>"


def _parse_one(row: Row) -> Post | NoPost:
    if not row.data:
        return NoPost("row_too_long")
    broken = NoPost("bad_row", repr(row.data[:80]))
    if not row.data.endswith(b">"):  # cut short
        return broken
    closed = _closed(row.data)
    replaced = False
    try:
        element = etree.fromstring(closed, _PARSER)
    except etree.XMLSyntaxError:
        try:
            element = etree.fromstring(_mended(closed), _PARSER)
        except etree.XMLSyntaxError:
            return broken
        replaced = True
    return _post(element.attrib, replaced)


def _post(attributes: Any, replaced: bool) -> Post | NoPost:
    get = attributes.get
    numbers = number, parent, score = get("Id", ""), get("ParentId", "-1"), get("Score", "0")
    if not all(map(_NUMBER.fullmatch, numbers)):
        return NoPost("bad_row", f"Id {number!r}, ParentId {parent!r}, Score {score!r}")
    kind = get("PostTypeId", "")
    if kind not in (_QUESTION, _ANSWER):
        return NoPost("other_post_type" if kind else "no_post_type", kind)
    if int(number) >= FIRST_INVENTED:
        return NoPost("invented", number)
    if deleted := get("DeletionDate"):
        return NoPost("deleted", f"{number} on {deleted}")
    accepted = get("AcceptedAnswerId", "")
    created = get("CreationDate", "")
    is_answer = kind == _ANSWER
    return Post(
        id=int(number),
        question=int(parent if is_answer else number),
        is_answer=is_answer,
        score=int(score),
        title=get("Title", "").strip(),
        body=get("Body", ""),
        tags=get("Tags", ""),
        accepted=int(accepted) if _NUMBER.fullmatch(accepted) else None,
        created=created,
        license=_license(get("ContentLicense"), created),
        replaced=replaced,
    )


def _mended(row: bytes) -> bytes:
    """The row with U+FFFD for bytes that are not UTF-8 and for characters and references that XML forbids. Two
    references to a pair of surrogates become its character."""
    row = _PAIR.sub(_joined, row.decode("utf-8", "replace").encode())
    return _REFERENCE.sub(_allowed, _CONTROLS.sub(_REPLACEMENT, row))


def _joined(pair: re.Match[bytes]) -> bytes:
    high, low = (_point(reference) for reference in _REFERENCE.finditer(pair[0]))
    if not 0xD800 <= high < 0xDC00 <= low < 0xE000:
        return pair[0]
    return chr(0x10000 + (high - 0xD800 << 10) + low - 0xDC00).encode()


def _allowed(reference: re.Match[bytes]) -> bytes:
    point = _point(reference)
    allowed = (
        point in (0x9, 0xA, 0xD) or 0x20 <= point < 0xD800 or 0xE000 <= point < 0xFFFE or 0xFFFF < point < 0x110000
    )
    return reference[0] if allowed else _REPLACEMENT


def _point(reference: re.Match[bytes]) -> int:
    return int(reference[1], 16) if reference[1] else int(reference[2])


def _license(stated: str | None, created: str) -> str | None:
    if stated:
        return stated.lower().replace(" ", "-")
    return next((license for since, license in _LICENSES if created[:10] >= since), None) if created else None
