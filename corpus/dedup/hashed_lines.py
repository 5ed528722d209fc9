"""Lines of documents by the hashes of their normalised text: hashed, looked up, and those that stay copied."""

from typing import Any

import numpy as np
import pyarrow as pa

from corpus.kernel import kernel
from corpus.text.buffers import Offsets, text_buffers
from corpus.text.hashing import Hashes, hash_bytes
from corpus.text.normalize import GROWTH, Form, normalize_line, tables

KEPT, TOO_SHORT, NO_LINES_LEFT = 0, 1, 2
"""Codes of what becomes of a document."""

NEWLINE = 10


def line_hashes(text: pa.Array, form: Form | None) -> tuple[Hashes, Offsets]:
    """Hashes of all lines of all rows, normalised or as they are, and where the lines of each row begin, shape
    (rows + 1,)."""
    data, offsets = text_buffers(text)
    first = _count_lines(data, offsets)
    hashes = np.empty(first[-1], np.uint64)
    if form is None:
        _hash_bytes_of_lines(data, offsets, hashes)
    else:
        _hash_lines(data, offsets, hashes, *tables(form))
    return hashes, first


@kernel
def _count_lines(data: Any, offsets: Any) -> Any:
    first = np.zeros(len(offsets), np.int64)
    for row in range(len(offsets) - 1):
        count = 1
        for i in range(offsets[row], offsets[row + 1]):
            count += data[i] == NEWLINE
        first[row + 1] = first[row] + count
    return first


@kernel
def _hash_bytes_of_lines(data: Any, offsets: Any, hashes: Any) -> None:
    line = 0
    for row in range(len(offsets) - 1):
        start = offsets[row]
        for end in range(start, offsets[row + 1] + 1):
            if end == offsets[row + 1] or data[end] == NEWLINE:
                hashes[line] = hash_bytes(data, start, end, 0)
                line += 1
                start = end + 1


@kernel
def _hash_lines(data: Any, offsets: Any, hashes: Any, ascii: Any, classes: Any, lower: Any) -> None:
    scratch = np.empty(1 << 12, np.uint8)
    line = 0
    for row in range(len(offsets) - 1):
        start, stop = offsets[row], offsets[row + 1]
        while start <= stop:
            end = start
            while end < stop and data[end] != NEWLINE:
                end += 1
            room = (end - start) * 3 // 2 + GROWTH
            if room > len(scratch):
                scratch = np.empty(2 * room, np.uint8)
            size = normalize_line(data, start, end, scratch, 0, ascii, classes, lower)
            hashes[line] = hash_bytes(scratch, 0, size, 0)
            line += 1
            start = end + 1


@kernel
def first_of_equals(hashes: Any, first: Any, long_enough: Any) -> Any:
    """Which lines are the first of their hash in their row; none of a row that is not long enough."""
    new = np.zeros(len(hashes), np.bool_)
    most = 1
    for row in range(len(first) - 1):
        most = max(most, first[row + 1] - first[row])
    size = 2
    while size < 2 * most:
        size *= 2
    seen = np.empty(size, np.uint64)  # open addressing; a slot counts where its row is the present one
    seen_row = np.full(size, -1, np.int64)
    for row in range(len(first) - 1):
        if long_enough[row]:
            for line in range(first[row], first[row + 1]):
                value = hashes[line]
                slot = np.int64(value & np.uint64(size - 1))
                while seen_row[slot] == row and seen[slot] != value:
                    slot = (slot + 1) & (size - 1)
                if seen_row[slot] != row:
                    seen_row[slot] = row
                    seen[slot] = value
                    new[line] = True
    return new


@kernel
def _place(ordered: Any, value: Any) -> Any:
    """Where the value is in a sorted array of hashes, or -1. Hashes are even, so the search starts where it should
    be."""
    last = np.int64(len(ordered) - 1)
    if last < 0:
        return -1
    low = high = np.int64(((value >> np.uint64(32)) * np.uint64(last + 1)) >> np.uint64(32))
    step = 32
    while low > 0 and ordered[low] > value:
        low = max(low - step, np.int64(0))
        step *= 2
    step = 32
    while high < last and ordered[high] < value:
        high = min(high + step, last)
        step *= 2
    while low < high:
        middle = (low + high) >> 1
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low if ordered[low] == value else -1


@kernel
def kept_lines(hashes: Any, first: Any, long_enough: Any, drop: Any, keeper: Any, first_row: Any) -> Any:
    """(which lines stay, code of the reason of each row). A line of the sorted hashes `drop` stays in the row of its
    `keeper` alone; rows count from `first_row`."""
    keep = first_of_equals(hashes, first, long_enough)
    code = np.empty(len(first) - 1, np.int8)
    for row in range(len(first) - 1):
        code[row] = NO_LINES_LEFT if long_enough[row] else TOO_SHORT
        for line in range(first[row], first[row + 1]):
            if keep[line]:
                place = _place(drop, hashes[line])
                keep[line] = place < 0 or keeper[place] == first_row + row
                if keep[line]:
                    code[row] = KEPT
    return keep, code


@kernel
def copy_kept(data: Any, offsets: Any, first: Any, keep: Any) -> Any:
    """(bytes, offsets) of the kept lines of each row joined by "\\n", and (numbers, offsets) of those lines."""
    rows = len(offsets) - 1
    out = np.empty(offsets[rows] - offsets[0], np.uint8)
    ends = np.zeros(rows + 1, np.int64)
    kept = np.empty(len(keep), np.uint32)
    kept_ends = np.zeros(rows + 1, np.int32)
    at = 0
    count = 0
    for row in range(rows):
        i = offsets[row]
        begin = at
        for line in range(first[row], first[row + 1]):
            if keep[line]:
                if at > begin or count > kept_ends[row]:
                    out[at] = NEWLINE
                    at += 1
                while i < offsets[row + 1] and data[i] != NEWLINE:
                    out[at] = data[i]
                    at += 1
                    i += 1
                kept[count] = line - first[row]
                count += 1
            else:
                while i < offsets[row + 1] and data[i] != NEWLINE:
                    i += 1
            i += 1
        ends[row + 1] = at
        kept_ends[row + 1] = count
    return out[:at], ends, kept[:count], kept_ends
