"""Hashes of the token n-grams of a text.

A token is one character of a script that puts no spaces between words (`SPACELESS`: Han, kana, Thai ...), or a longest
run of other letters and digits (`str.isalnum`); combining marks behind a letter belong to its token, so that the vowel
signs of Hindi do not cut its words. Letters count in lower case, character by character
(`corpus.text.unicode.lower_case`). A text of fewer than n tokens, but at least one, has one shingle: all of them. One
without tokens has none. A shingle that occurs twice is listed twice.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel
from corpus.text import unicode
from corpus.text.buffers import Bytes, Offsets
from corpus.text.hashing import Hashes, load64, trailing_zeros
from corpus.text.unicode import ALPHANUMERIC, MARK, decode

SPACELESS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19FF),  # Tai Le, New Tai Lue, Khmer symbols
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x1B00, 0x1B7F),  # Balinese
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark and zero
    (0x3041, 0x30FF),  # Hiragana, Katakana
    (0x3100, 0x312F),  # Bopomofo
    (0x31A0, 0x31BF),  # Bopomofo, extended
    (0x31F0, 0x31FF),  # Katakana, phonetic extensions
    (0x3400, 0x4DBF),  # Han, extension A
    (0x4E00, 0x9FFF),  # Han
    (0xA000, 0xA4CF),  # Yi
    (0xA980, 0xA9FF),  # Javanese, Myanmar extended B
    (0xAA60, 0xAADF),  # Myanmar extended A, Tai Viet
    (0xF900, 0xFAFF),  # Han, compatibility
    (0xFF66, 0xFF9F),  # Katakana, halfwidth
    (0x1AFF0, 0x1B16F),  # kana, supplement and extensions
    (0x20000, 0x323AF),  # Han, extensions B to H and compatibility supplement
)
"""(first, last) code point of the Unicode blocks of scripts that are written without spaces between words; of these
the letters and digits are tokens by themselves."""

_WORD, _ALONE, _MARK = 1, 2, 3
"""What a character is to a token; 0 = it stands between tokens."""

_SEED = np.uint64(0xCBF29CE484222325)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_BASE = np.uint64(0x2545F4914F6CDD1D)

_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_FROM_A, _BEHIND_Z = _ONES * np.uint64(128 - ord("a")), _ONES * np.uint64(127 - ord("z"))
_FROM_0, _BEHIND_9 = _ONES * np.uint64(128 - ord("0")), _ONES * np.uint64(127 - ord("9"))
"""Added to eight bytes, each sets the high bits of those from a character on; wrong only after a byte above 127, by its
carry."""


@cache
def tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """What `shingle` takes, by code point: what a character is to a token, and its lower case."""
    classes = unicode.classes()
    kinds = np.where(classes & ALPHANUMERIC, _WORD, np.where(classes & MARK, _MARK, 0)).astype(np.uint8)
    for first, last in SPACELESS:
        some = kinds[first : last + 1]
        some[some == _WORD] = _ALONE
    kinds.flags.writeable = False
    return kinds, unicode.lower_case()


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
def shingle(data: Any, start: Any, end: Any, n: Any, kinds: Any, lower: Any, out: Any) -> Any:
    """Writes the shingle hashes of data[start:end] to `out`, room for (end - start) / 2 + 1; gives how many.

    A token's hash folds its bytes eight at a time where all are ASCII, else its characters one by one
    (h = (h ^ x) * STEP, then h ^= h >> 29), and is mixed; a shingle's is the polynomial in BASE of its tokens' hashes,
    rolled along, and mixed.
    """
    ring = np.zeros(n, np.uint64)
    leave = np.uint64(1)
    for _ in range(n):
        leave *= _BASE
    tokens = 0
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
            kind = kinds[point]
            if kind == _WORD or (kind == _MARK and not empty):  # not an ASCII word: again by characters
                h, i = _SEED, begin
                empty = False
                while i < end:
                    point, length = decode(data, i)
                    if kinds[point] != _WORD and kinds[point] != _MARK:
                        break
                    h = _fold(h, np.uint64(lower[point]))
                    i += np.uint64(length)
            elif kind == _ALONE and empty:
                empty = False
                while True:
                    h = _fold(h, np.uint64(lower[point]))
                    i += np.uint64(length)
                    if i >= end:
                        break
                    point, length = decode(data, i)
                    if kinds[point] != _MARK:
                        break
            elif kind != _ALONE:
                i += np.uint64(length)
        elif i < end:
            i += np.uint64(1)
        if empty:
            continue
        h = mix(h)
        rolling = rolling * _BASE + h - ring[slot] * leave
        ring[slot] = h
        slot = slot + 1 if slot + 1 < n else 0
        tokens += 1
        if tokens >= n:
            out[count] = mix(rolling)
            count += 1
    if 0 < tokens < n:
        out[0] = mix(rolling)
        count = 1
    return count


@kernel
def _shingle_rows(data: Any, offsets: Any, n: Any, kinds: Any, lower: Any) -> Any:
    rows = len(offsets) - 1
    out = np.empty((offsets[rows] - offsets[0]) // 2 + rows, np.uint64)
    ends = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        at = ends[row]
        ends[row + 1] = at + shingle(data, offsets[row], offsets[row + 1], n, kinds, lower, out[at:])
    return out[: ends[rows]].copy(), ends


def shingle_rows(data: Bytes, offsets: Offsets, n: int) -> tuple[Hashes, Offsets]:
    """(hashes of the token n-grams of all rows in order, where those of each row begin, shape (rows + 1,))."""
    return _shingle_rows(data, offsets, n, *tables())
