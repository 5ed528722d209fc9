"""Character references of HTML (`&amp;`, `&#8212;`), as the HTML standard reads them in text."""

from functools import cache
from html.entities import html5
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from corpus.kernel import kernel
from corpus.text.buffers import Bytes
from corpus.text.hashing import Hashes, hash_bytes
from corpus.text.unicode import encode

LONGEST_REFERENCE = 8
"""Most bytes that a reference stands for: two characters of up to four bytes."""

_LONGEST_NAME = max(map(len, html5))
_LONGEST_LEGACY = max(len(name) for name in html5 if not name.endswith(";"))
_REPLACEMENT = 0xFFFD


class References(NamedTuple):
    """The named references for the kernel, sorted by the XXH64 of their names (without `;`).

    Attributes:
        legacy: whether the name is also read without `;` behind it (`&copy`).
        values: UTF-8 that each stands for, shape (names, LONGEST_REFERENCE), zeros behind it.
        windows: code points that the standard reads instead of the numbers 0x80 to 0x9F, shape (32,).
    """

    names: Hashes
    legacy: npt.NDArray[np.bool_]
    values: Bytes
    windows: npt.NDArray[np.int64]


@cache
def references() -> References:
    """The 2,125 names that Python has from the standard
    (https://html.spec.whatwg.org/multipage/named-characters.html)."""
    names = sorted({name.rstrip(";") for name in html5}, key=lambda name: xxhash.xxh64_intdigest(name.encode()))
    values = np.zeros((len(names), LONGEST_REFERENCE), np.uint8)
    for row, name in enumerate(names):
        value = html5[name + ";"].encode()
        values[row, : len(value)] = list(value)
    return References(
        np.array([xxhash.xxh64_intdigest(name.encode()) for name in names], np.uint64),
        np.array([name in html5 for name in names]),
        values,
        # https://html.spec.whatwg.org/multipage/parsing.html#numeric-character-reference-end-state
        np.array([ord(bytes([byte]).decode("cp1252", "ignore") or chr(byte)) for byte in range(0x80, 0xA0)], np.int64),
    )


@kernel
def read_reference(data: Any, i: Any, end: Any, table: Any, out: Any) -> Any:
    """(bytes read, bytes written to `out`) of the reference at the `&` at byte i of data[:end]; (0, 0) where it is
    none and the `&` is text.

    Args:
        table: of `references`.
        out: uint8, room for `LONGEST_REFERENCE`.
    """
    if i + 1 < end and data[i + 1] == ord("#"):
        return _read_number(data, i, end, table, out)
    stop = i + 1
    while stop < end and stop - i <= _LONGEST_NAME and _is_alphanumeric(data[stop]):
        stop += 1
    if stop < end and data[stop] == ord(";"):
        row = _find(data, i + 1, stop, table)
        if row >= 0:
            return stop + 1 - i, _write(table.values[row], out)
    stop = min(stop, i + 1 + _LONGEST_LEGACY)
    while stop > i + 1:
        row = _find(data, i + 1, stop, table)
        if row >= 0 and table.legacy[row]:
            return stop - i, _write(table.values[row], out)
        stop -= 1
    return 0, 0


@kernel
def _read_number(data: Any, i: Any, end: Any, table: Any, out: Any) -> Any:
    at = i + 2
    base = 10
    if at < end and (data[at] | 32) == ord("x"):
        base = 16
        at += 1
    first = at
    point = 0
    while at < end:
        digit = _digit(data[at])
        if digit >= base:
            break
        point = min(point * base + digit, 0x110000)
        at += 1
    if at == first:
        return 0, 0
    if at < end and data[at] == ord(";"):
        at += 1
    if point == 0 or point > 0x10FFFF or 0xD800 <= point < 0xE000:
        point = _REPLACEMENT
    elif 0x80 <= point < 0xA0:
        point = table.windows[point - 0x80]
    return at - i, encode(point, out, 0)


@kernel
def _find(data: Any, start: Any, end: Any, table: Any) -> Any:
    """Row of the name data[start:end], or -1."""
    key = hash_bytes(data, start, end, 0)
    row = np.searchsorted(table.names, key)
    return row if row < len(table.names) and table.names[row] == key else -1


@kernel
def _write(value: Any, out: Any) -> Any:
    size = 0
    while size < len(value) and value[size]:
        out[size] = value[size]
        size += 1
    return size


@kernel
def _digit(byte: Any) -> Any:
    """Value of a hexadecimal digit, or 16."""
    if ord("0") <= byte <= ord("9"):
        return byte - ord("0")
    lower = byte | 32
    return lower - ord("a") + 10 if ord("a") <= lower <= ord("f") else 16


@kernel
def _is_alphanumeric(byte: Any) -> Any:
    return ord("0") <= byte <= ord("9") or ord("a") <= (byte | 32) <= ord("z")
