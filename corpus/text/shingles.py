"""Hashes of the word n-grams of a text.

A word is a longest run of characters for which `str.isalnum` holds, in lower case character by character
(`corpus.text.unicode.lower_case`). So a script that puts no spaces between words gives one word for each run between
punctuation marks, and only long copied passages of it are found. A text of fewer than n words, but at least one, has
one shingle: all of them. A text without words has none. A shingle that occurs twice is listed twice.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from corpus.text import unicode
from corpus.text.buffers import Bytes, Offsets
from corpus.text.hashing import Hashes
from corpus.text.unicode import ALPHANUMERIC, decode

_SEED = np.uint64(0xCBF29CE484222325)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_BASE = np.uint64(0x2545F4914F6CDD1D)


def tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """What `shingle` takes: the lower case of each ASCII byte of a word and 0 for others, classes, lower case."""
    ascii = np.array([ord(chr(c).lower()) if chr(c).isalnum() else 0 for c in range(128)], np.uint8)
    return ascii, unicode.classes(), unicode.lower_case()


@njit(inline="always")
def mix(h: Any) -> Any:
    """MurmurHash3's 64-bit finaliser: every bit of the result depends on every bit of h."""
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@njit(nogil=True, cache=True)
def shingle(data: Any, start: Any, end: Any, n: Any, ascii: Any, classes: Any, lower: Any, out: Any) -> Any:
    """Writes the shingle hashes of data[start:end] to `out`, room for (end - start) / 2 + 1; gives how many.

    A word's hash folds its characters (h = (h ^ c) * STEP, then h ^= h >> 29) and is mixed; a shingle's is the
    polynomial in BASE of its words' hashes, rolled along, and mixed.
    """
    ring = np.zeros(n, np.uint64)
    leave = np.uint64(1)
    for _ in range(n):
        leave *= _BASE
    words = 0
    slot = 0
    count = 0
    rolling = np.uint64(0)
    i, end = np.uint64(start), np.uint64(end)  # unsigned: numba then tests no index for being negative
    while i < end:
        h = _SEED
        empty = True
        while i < end:
            byte = data[i]
            if byte < 0x80:
                c = np.uint64(ascii[byte])
                i += np.uint64(1)
                if c == 0:
                    break
            else:
                point, size = decode(data, i)
                i += np.uint64(size)
                if classes[point] & ALPHANUMERIC == 0:
                    break
                c = np.uint64(lower[point])
            h = (h ^ c) * _STEP
            h ^= h >> np.uint64(29)
            empty = False
        if empty:
            continue
        h = mix(h)
        rolling = rolling * _BASE + h - ring[slot] * leave
        ring[slot] = h
        slot = slot + 1 if slot + 1 < n else 0
        words += 1
        if words >= n:
            out[count] = mix(rolling)
            count += 1
    if 0 < words < n:
        out[0] = mix(rolling)
        count = 1
    return count


@njit(nogil=True, cache=True)
def _shingle_rows(data: Any, offsets: Any, n: Any, ascii: Any, classes: Any, lower: Any) -> Any:
    rows = len(offsets) - 1
    out = np.empty((offsets[rows] - offsets[0]) // 2 + rows, np.uint64)
    ends = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        at = ends[row]
        ends[row + 1] = at + shingle(data, offsets[row], offsets[row + 1], n, ascii, classes, lower, out[at:])
    return out[: ends[rows]].copy(), ends


def shingle_rows(data: Bytes, offsets: Offsets, n: int) -> tuple[Hashes, Offsets]:
    """(hashes of the word n-grams of all rows in order, where those of each row begin, shape (rows + 1,))."""
    return _shingle_rows(data, offsets, n, *tables())
