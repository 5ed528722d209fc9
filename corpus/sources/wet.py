"""Plain `conversion` records (WET) to columns, many at a time, without an object for each.

A kernel reads the header of a record whose fields all have the form that Common Crawl writes, checks its text, and
notes where each field stands; the columns are gathered from these places. A record in any other form is left to the
reader of single records (`corpus.sources.commoncrawl`), which reads it by the same rules: a test holds the two equal.
"""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.kernel import kernel
from corpus.schema import ORIGIN_TYPE, SCHEMA
from corpus.text.buffers import Bytes
from corpus.text.hashing import load64

Spans = npt.NDArray[np.int64]

# A row of spans: (begin, bytes) of the fields in the unpacked bytes, then values.
TEXT, URL, ID, LANGUAGES, TRUNCATED, DATE, REPLACED, PLAIN = 0, 2, 4, 6, 8, 10, 11, 12
COLUMNS = 13

_NAMES = (b"warc-type", b"warc-target-uri", b"warc-record-id", b"warc-identified-content-language", b"warc-truncated",
          b"warc-date", b"content-length")  # fmt: skip
_TYPE, _URL, _ID, _LANGUAGES, _TRUNCATED, _DATE, _LENGTH = range(7)
_LONGEST_HEADER = 1 << 14


def _utf8_automaton() -> npt.NDArray[np.uint64]:
    """row[byte] >> 6 * state & 63 is 6 * the next state. States: a character's end, an error, 1 2 3 more bytes, behind
    E0 ED F0 F4, whose next byte is not any (Unicode 15, table 3-7)."""
    table = np.zeros(256, np.uint64)
    heads = {0xE0: 5, 0xED: 6, 0xF0: 7, 0xF4: 8}
    for byte in range(256):
        if 0x80 <= byte < 0xC0:
            low, middle = byte < 0x90, byte < 0xA0
            following = [1, 1, 0, 2, 3, 1 if middle else 2, 2 if middle else 1, 1 if low else 3, 3 if low else 1]
        else:
            more = 0 if byte < 0x80 else 1 if byte < 0xC2 or byte > 0xF4 else 2 + (byte >= 0xE0) + (byte >= 0xF0)
            following = [heads.get(byte, more)] + 8 * [1]
        table[byte] = sum(6 * state << 6 * place for place, state in enumerate(following))
    return table


_UTF8 = _utf8_automaton()


def scan(room: Bytes, ends: Spans) -> Spans:
    """What stands where in each record, shape (records, 13); column `PLAIN` is 1 for those that were read.

    Args:
        room: the records one behind the other, each with the two line ends behind it.
        ends: shape (records + 1,).
    """
    spans = np.zeros((len(ends) - 1, COLUMNS), np.int64)
    _scan(room, ends, spans)
    return spans


@kernel
def _same(room: Any, begin: Any, word: Any) -> Any:
    """Whether these bytes stand at `begin`."""
    for i in range(len(word)):  # noqa: SIM110 (slower as all(...) in a kernel)
        if room[begin + i] != word[i]:
            return False
    return True


@kernel
def _is(room: Any, begin: Any, end: Any, word: Any) -> Any:
    """Whether room[begin:end] is this lower-case word in any case."""
    if end - begin != len(word):
        return False
    for i in range(len(word)):
        byte = room[begin + i]
        if 65 <= byte <= 90:
            byte |= 32
        if byte != word[i]:
            return False
    return True


@kernel
def _number(room: Any, begin: Any, end: Any) -> Any:
    """The number that room[begin:end] is, -1 where it is not all digits."""
    found = np.int64(0)
    for i in range(begin, end):
        if not 48 <= room[i] <= 57:
            return np.int64(-1)
        found = found * 10 + np.int64(room[i]) - 48
    return found if begin < end <= begin + 18 else np.int64(-1)


@kernel
def _milliseconds(room: Any, begin: Any, end: Any) -> Any:
    """Since 1970 of "2019-07-16T01:02:03Z", -1 for another form or a time before 1970."""
    if end - begin != 20:
        return np.int64(-1)
    for place, mark in ((4, 45), (7, 45), (10, 84), (13, 58), (16, 58), (19, 90)):
        if room[begin + place] != mark:
            return np.int64(-1)
    year = _number(room, begin, begin + 4)
    month = _number(room, begin + 5, begin + 7)
    day = _number(room, begin + 8, begin + 10)
    hour = _number(room, begin + 11, begin + 13)
    minute = _number(room, begin + 14, begin + 16)
    second = _number(room, begin + 17, begin + 19)
    if year < 1970 or not 1 <= month <= 12 or not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):
        return np.int64(-1)
    last = 30 + (month + month // 8) % 2
    if month == 2:
        last = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    if not 1 <= day <= last:
        return np.int64(-1)
    # Days since 1970 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
    shifted = year - 1 if month <= 2 else year
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000


@kernel
def _header(room: Any, begin: Any, end: Any, row: Any) -> Any:
    """Where the content of a plain record begins; -1 for another form."""
    if end - begin < 16 or not _same(room, begin, b"WARC/1."):
        return -1
    if not 48 <= room[begin + 7] <= 49 or room[begin + 8] != 13 or room[begin + 9] != 10:
        return -1
    last = min(end, begin + _LONGEST_HEADER)
    seen, length, kind = 0, np.int64(-1), False
    i = begin + 10
    while i + 1 < last:
        if room[i] == 13:
            if room[i + 1] != 10 or length != end - i - 6 or not kind or not seen & (1 << _ID | 1 << _DATE):
                return -1
            return i + 2
        colon, j = -1, i
        while j < last and room[j] != 13:
            if room[j] == 58 and colon < 0:
                colon = j
            if not 32 <= room[j] < 127:
                return -1
            j += 1
        if j + 1 >= last or room[j + 1] != 10 or colon <= i or room[i] == 32 or room[colon - 1] == 32:
            return -1
        start = colon + 1
        while start < j and room[start] == 32:
            start += 1
        stop = j
        while stop > start and room[stop - 1] == 32:
            stop -= 1
        name = -1
        for k in range(len(_NAMES)):
            if _is(room, i, colon, _NAMES[k]):
                name = k
        i = j + 2
        if name < 0:
            continue
        if seen >> name & 1 or start == stop:
            return -1
        seen |= 1 << name
        if name == _TYPE:
            kind = _is(room, start, stop, b"conversion")
        elif name == _LENGTH:
            length = _number(room, start, stop)
        elif name == _DATE:
            row[DATE] = _milliseconds(room, start, stop)
            if row[DATE] < 0:
                return -1
        elif name == _URL:
            for at in (start, stop - 1):
                if room[at] == 60 or room[at] == 62:
                    return -1
            row[URL], row[URL + 1] = start, stop - start
        elif name == _ID:
            if stop - start < 12 or not _same(room, start, b"<urn:uuid:") or room[stop - 1] != 62:
                return -1
            for at in range(start + 10, stop - 1):
                if room[at] == 60 or room[at] == 62 or room[at] == 32:
                    return -1
            row[ID], row[ID + 1] = start + 10, stop - start - 11
        else:
            for at in range(start, stop):
                if room[at] == 34 or room[at] == 92:
                    return -1
            place = LANGUAGES if name == _LANGUAGES else TRUNCATED
            row[place], row[place + 1] = start, stop - start
    return -1


@kernel
def _scan(room: Any, ends: Any, spans: Any) -> None:
    for n in range(len(spans)):
        row = spans[n]
        begin, end = ends[n], ends[n + 1]
        content = _header(room, begin, end, row)
        if content < 0 or room[end - 4] != 13 or room[end - 3] != 10 or room[end - 2] != 13 or room[end - 1] != 10:
            continue
        end -= 4
        row[TEXT], row[TEXT + 1] = content, end - content
        # Not white space alone; that beyond ASCII begins with C2, E1, E2 or E3.
        seen, i = False, content
        while i < end and not seen:
            byte = room[i]
            seen = 0x20 < byte < 0x80 or 0xC2 < byte < 0xE1 or byte > 0xE3
            i += 1
        state, i = np.uint64(0), content
        while i < end and state != 6:
            if state == 0 and i + 8 <= end and load64(room, i) & np.uint64(0x8080808080808080) == 0:
                i += 8
                continue
            for _ in range(min(16, end - i)):
                byte = room[i]
                state = (_UTF8[byte] >> state) & np.uint64(63)
                if byte == 0xBD and i >= content + 2 and room[i - 1] == 0xBF and room[i - 2] == 0xEF:
                    row[REPLACED] += 1
                i += 1
        row[PLAIN] = state == 0 and seen


@kernel
def _gather(room: Any, spans: Any, field: Any, head: Any, out: Any, offsets: Any) -> None:
    at = 0
    for n in range(len(spans)):
        begin, length = spans[n, field], spans[n, field + 1]
        out[at : at + len(head)] = head
        at += len(head)
        out[at : at + length] = room[begin : begin + length]
        at += length
        offsets[n + 1] = at


def plain_batch(
    room: Bytes, spans: Spans, lengths: Spans, places: Spans, numbers: Spans, path: str, snapshot: str, source: str
) -> pa.RecordBatch:
    """A batch of `SCHEMA` of the records that `scan` read.

    Args:
        spans: of plain records alone.
        lengths, places, numbers: bytes of each record, its member's place in the file, its number there.
    """
    count = len(spans)

    def strings(field: int, kind: pa.DataType, head: bytes = b"") -> pa.Array:
        data = pa.allocate_buffer(int(spans[:, field + 1].sum()) + len(head) * count)
        offsets = np.zeros(count + 1, np.int64 if kind == pa.large_string() else np.int32)
        _gather(room, spans, field, np.frombuffer(head, np.uint8), np.frombuffer(data, np.uint8), offsets)
        return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(offsets), data])

    url = strings(URL, pa.string())
    columns = {
        "id": strings(ID, pa.string(), f"commoncrawl:{snapshot}:".encode()),
        "text": strings(TEXT, pa.large_string()),
        "source": pa.repeat(source, count),
        "url": pa.array(url.to_pylist(), mask=spans[:, URL + 1] == 0) if not spans[:, URL + 1].all() else url,
        "timestamp": pa.array(spans[:, DATE], pa.int64()).cast(SCHEMA.field("timestamp").type),
        "origin": pa.StructArray.from_arrays(
            [
                pa.repeat(path, count),
                pa.nulls(count, pa.string()),
                *(pa.array(values) for values in (places, lengths, numbers)),
            ],
            fields=list(ORIGIN_TYPE),
        ),
        "metadata": pa.array(_metadata(room, spans), pa.string()),
    }
    arrays = [columns[field.name] if field.name in columns else pa.nulls(count, field.type) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _metadata(room: Bytes, spans: Spans) -> list[str | None]:
    known: dict[tuple[bytes, bytes, int], str | None] = {(b"", b"", 0): None}
    found = []
    for at, size, cut_at, cut, _, replaced in spans[:, LANGUAGES : REPLACED + 1].tolist():
        key = bytes(room[at : at + size]), bytes(room[cut_at : cut_at + cut]), replaced
        if key not in known:
            body = {"languages": key[0].decode(), "replaced": replaced, "truncated": key[1].decode()}
            known[key] = json.dumps({name: value for name, value in body.items() if value})
        found.append(known[key])
    return found
