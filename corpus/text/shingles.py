"""Hashes of the word n-grams of a text.

A word is a longest run of characters for which `str.isalnum` holds, in lower case character by character
(`corpus.text.unicode.lower_case`). So a script that puts no spaces between words gives one word for each run between
punctuation marks, and only long copied passages of it are found. A text of fewer than n words, but at least one, has
one shingle: all of them. A text without words has none. A shingle that occurs twice is listed twice.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel
from corpus.text import unicode
from corpus.text.buffers import Bytes, Offsets
from corpus.text.hashing import Hashes, load64, trailing_zeros
from corpus.text.unicode import ALPHANUMERIC, decode

_SEED = np.uint64(0xCBF29CE484222325)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_BASE = np.uint64(0x2545F4914F6CDD1D)

_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_FROM_A, _BEHIND_Z = _ONES * np.uint64(128 - ord("a")), _ONES * np.uint64(127 - ord("z"))
_FROM_0, _BEHIND_9 = _ONES * np.uint64(128 - ord("0")), _ONES * np.uint64(127 - ord("9"))
"""Added to eight bytes, each sets the high bits of those from a character on; wrong only after a byte above 127, by its
carry."""


def tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """What `shingle` takes: classes and lower case."""
    return unicode.classes(), unicode.lower_case()


@kernel
def mix(h: Any) -> Any:
    """MurmurHash3's 64-bit finaliser: every bit of the result depends on every bit of h."""
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@kernel
def _fold(h: Any, x: Any) -> Any:
    h = (h ^ x) * _STEP
    return h ^ (h >> np.uint64(29))


@kernel
def shingle(data: Any, start: Any, end: Any, n: Any, classes: Any, lower: Any, out: Any) -> Any:
    """Writes the shingle hashes of data[start:end] to `out`, room for (end - start) / 2 + 1; gives how many.

    A word's hash folds its bytes eight at a time where all are ASCII, else its characters one by one
    (h = (h ^ x) * STEP, then h ^= h >> 29), and is mixed; a shingle's is the polynomial in BASE of its words' hashes,
    rolled along, and mixed.
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
        begin = i
        h = _SEED
        size = np.uint64(8 if data[i] < 0x80 else 0)
        while size == 8:  # the ASCII letters and digits from here on, eight bytes at a time
            word = np.uint64(0)
            if i + np.uint64(8) <= end:
                word = load64(data, np.int64(i))
            else:
                for at in range(i, end):
                    word |= np.uint64(data[at]) << (np.uint64(8) * (at - i))
            small = word | _ONES * np.uint64(0x20)
            letters = (small + _FROM_A) & ~(small + _BEHIND_Z) & _HIGH
            other = ~(letters | (word + _FROM_0) & ~(word + _BEHIND_9)) & _HIGH
            word |= letters >> np.uint64(2)  # 0x80 -> 0x20, the difference of upper and lower case
            if other != 0:
                size = trailing_zeros(other) >> np.uint64(3)
                word &= (np.uint64(1) << (np.uint64(8) * size)) - np.uint64(1)
            if size != 0:
                h = _fold(h, word)
            i += size
        empty = i == begin
        if i < end and data[i] >= 0x80:
            point, length = decode(data, i)
            if classes[point] & ALPHANUMERIC:  # not an ASCII word: again by characters
                h, i = _SEED, begin
                empty = False
                while i < end:
                    point, length = decode(data, i)
                    if classes[point] & ALPHANUMERIC == 0:
                        break
                    h = _fold(h, np.uint64(lower[point]))
                    i += np.uint64(length)
            else:
                i += np.uint64(length)
        else:
            i += np.uint64(1)
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


@kernel
def _shingle_rows(data: Any, offsets: Any, n: Any, classes: Any, lower: Any) -> Any:
    rows = len(offsets) - 1
    out = np.empty((offsets[rows] - offsets[0]) // 2 + rows, np.uint64)
    ends = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        at = ends[row]
        ends[row + 1] = at + shingle(data, offsets[row], offsets[row + 1], n, classes, lower, out[at:])
    return out[: ends[rows]].copy(), ends


def shingle_rows(data: Bytes, offsets: Offsets, n: int) -> tuple[Hashes, Offsets]:
    """(hashes of the word n-grams of all rows in order, where those of each row begin, shape (rows + 1,))."""
    return _shingle_rows(data, offsets, n, *tables())
