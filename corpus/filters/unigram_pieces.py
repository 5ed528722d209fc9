"""SentencePiece's unigram pieces of a column of texts, equal to the library's, for texts that
`corpus.text.ccnet` has normalised.

The library looks for the way of cutting a text whose pieces have the largest sum of scores (`EncodeOptimized` of
src/unigram_model.cc). Where every piece has a space in front or none at all, the best way through a text is made of the
best ways through its words, so words are looked up in a cache. One thing stands against that: the library adds up in
float32 from the start of the text, so which of two ways wins where they are almost equal depends on the sum before. A
word in the cache therefore has a limit: with no larger a sum before it, rounding cannot change its pieces. Beyond it,
and where a word is not in the cache, the word is cut anew, in float32 from the very sum that the library has there. The
library begins again from 0 when the sum falls below -100,000, since its version 0.2.2.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.filters.unigram_model import Unigram
from corpus.kernel import kernel
from corpus.text.buffers import Bytes, Offsets
from corpus.text.double_array import ENDS, LABEL, VALUE, children
from corpus.text.hashing import load64, trailing_zeros
from corpus.text.unicode import width
from corpus.text.word_keys import KEY_BYTES, READ_BYTES, word_key

CACHE_SETS = 1 << 17

_RESTART = np.float32(-100_000)
"""kScoreResetThreshold of src/unigram_model.cc."""
_SPACE = 32
_LINE_PIECES = 8
_ROOM = 4096
"""Bytes that scratch begins with; it grows with the longest word."""
_ROUNDING = 2.0**23
"""Sums of float32 of an absolute value below x are at most x / 2^24 apart from the true ones, for each addition; so two
of them may come nearer by x / 2^23."""

_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_SPACES = np.uint64(0x2020202020202020)


class Pieces(NamedTuple):
    """The pieces of texts.

    Attributes:
        numbers: of the pieces of all texts; -1 - k for the unknown characters side by side that are number k of those
            below. int32.
        offsets: text k has numbers[offsets[k]:offsets[k + 1]]; int64, shape (texts + 1,).
        unknown: the unknown characters.
        unknown_offsets: number k is unknown[unknown_offsets[k]:unknown_offsets[k + 1]]; int64.
    """

    numbers: npt.NDArray[np.int32]
    offsets: Offsets
    unknown: Bytes
    unknown_offsets: Offsets


class Cache(NamedTuple):
    """Words and their pieces: two lines of 64 bytes for each set of words. A line has a word's key (three uint64), the
    number of its pieces (int32), the limit of the sum (float32, see above), and up to eight pieces (int32).

    Attributes:
        words, numbers, limits: the same memory as uint64, int32 and float32, shape (2 * sets, 8 or 16).
    """

    words: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.int32]
    limits: npt.NDArray[np.float32]


def new_cache(sets: int = CACHE_SETS) -> Cache:
    """An empty one, of 128 bytes a set; `sets` is a power of two. Of no use to two threads at once."""
    words = np.zeros((2 * sets, 8), np.uint64)
    return Cache(words, words.view(np.int32), words.view(np.float32))


@kernel
def _next_space(data: Any, i: Any, end: Any) -> Any:
    """The first space of data[i:end], or the end."""
    while i + 8 <= end:
        x = load64(data, i) ^ _SPACES
        found = (x - _ONES) & ~x & _HIGH
        if found != 0:
            return i + np.int64(trailing_zeros(found) >> np.uint64(3))
        i += 8
    while i < end and data[i] != _SPACE:
        i += 1
    return i


@kernel
def _longer(array: Any, used: Any, room: Any) -> Any:
    """A copy of array[:used] with room for more."""
    longer = np.empty(2 * used + room, array.dtype)
    for k in range(used):
        longer[k] = array[k]
    return longer


@kernel
def _write_word(data: Any, start: Any, end: Any, rules: Any, replacements: Any, plain: Any, word: Any) -> Any:
    """Writes a space and data[start:end], as the model's normaliser makes it, to `word`. Gives (`word` or a longer
    array in its place, the number of bytes, 0 where nothing but spaces is left)."""
    if 1 + end - start > len(word):
        word = _longer(word, 0, 1 + end - start)
    word[0] = _SPACE
    at = np.int64(1)
    ascii = plain
    for i in range(start, end):
        ascii = ascii and data[i] < 0x80
    if ascii:
        for i in range(start, end):
            word[at] = data[i]
            at += 1
        return word, at
    after_space = True
    i = start
    while i < end:
        size, place = _rule(rules, data, i, end)
        if size == 0:
            size = width(data[i])
            for k in range(i, i + size):
                if at == len(word):
                    word = _longer(word, at, _ROOM)
                word[at] = data[k]
                at += 1
            after_space = False
        else:
            while after_space and replacements[place] == _SPACE:
                place += 1
            while replacements[place] != 0:
                if at == len(word):
                    word = _longer(word, at, _ROOM)
                word[at] = replacements[place]
                after_space = word[at] == _SPACE
                at += 1
                place += 1
        i += size
    while at > 0 and word[at - 1] == _SPACE:
        at -= 1
    return word, at


@kernel
def _rule(rules: Any, data: Any, i: Any, end: Any) -> Any:
    """Of the longest text at data[i:end] that the normaliser replaces: (its bytes or 0, the place of what by)."""
    size, place = np.int64(0), np.int64(0)
    below = children(np.int64(0), np.int64(rules[0]))
    for k in range(i, end):
        byte = np.int64(data[k])
        at = below ^ byte
        unit = np.int64(rules[at])
        if unit & LABEL != byte:
            break
        below = children(at, unit)
        if unit & ENDS:
            size, place = k + 1 - i, np.int64(rules[below]) & VALUE
    return size, place


_WAY = np.dtype(
    [("sum", np.float32), ("second", np.float32), ("begin", np.int32), ("piece", np.int32), ("cut", np.int32)]
)
"""Of a place in a word, between two bytes: the sum of the best way up to it; that of the best one that ends with
another piece; where the last piece of the best begins, -1 where no way leads; the number of that piece, -1 for an
unknown character. `cut` is not of this place; see `_cut`."""


@kernel
def _offer(ways: Any, place: Any, begin: Any, piece: Any, total: Any) -> None:
    """A way to a place, whose last piece begins at `begin`. The first of equal ones stays."""
    way = ways[place]
    if way.begin >= 0:
        way.second = max(way.second, min(way.sum, total))
    if way.begin < 0 or total > way.sum:
        way.sum = total
        way.begin = begin
        way.piece = piece


@kernel
def _cut(word: Any, size: Any, before: Any, pieces: Any, scores: Any, unknown: Any, ways: Any) -> Any:
    """Finds the best way through word[:size] after the sum `before`, as the library does, the first of equal ones.

    `cut` of `ways` becomes the places where its pieces end, the last first. Gives (how many, by how much the best is
    ahead of the second at these places, at least).
    """
    for place in range(size + 1):
        ways[place].begin = -1
        ways[place].second = -np.inf
    ways[0].sum = before
    root = children(np.int64(0), np.int64(pieces[0]))
    i: Any = np.int64(0)
    furthest = i  # place that a way leads to
    while i < size:
        here = ways[i].sum
        if here < _RESTART:
            for k in range(i + 1, furthest + 1):
                if ways[k].begin >= 0:
                    ways[k].sum -= here
            here = np.float32(0)
            ways[i].sum = here
        following = i + width(word[i])
        single = False  # whether the character is a piece
        below = root
        for k in range(i, size):
            byte = np.int64(word[k])
            at = below ^ byte
            unit = np.int64(pieces[at])
            if unit & LABEL != byte:
                break
            below = children(at, unit)
            if unit & ENDS:
                piece = np.int64(pieces[below]) & VALUE
                _offer(ways, k + 1, i, piece, scores[piece] + here)
                single = single or k + 1 == following
                furthest = max(furthest, k + 1)
        if not single:
            _offer(ways, following, i, np.int64(-1), unknown + here)
            furthest = max(furthest, following)
        i = following
    ahead = np.float32(np.inf)
    count = 0
    end = np.int64(size)
    while end > 0:
        ways[count].cut = end
        count += 1
        ahead = min(ahead, ways[end].sum - ways[end].second)
        end = np.int64(ways[end].begin)
    return count, ahead


@kernel
def _limit(size: Any, before: Any, after: Any, ahead: Any, unknown: Any) -> Any:
    """Up to which absolute value of the sum before it a word of `size` bytes has the same pieces, where it was cut
    after the sum `before`, the best way `ahead` of the second; or less.

    It has at most `size` pieces on each way. Here as there, the sums of both may have come nearer to each other by
    `size` roundings, or further apart. And no way may come to where the library begins again, which no character
    brings nearer than by the score of an unknown one.
    """
    restart = np.float64(size + 1) * unknown - _RESTART
    if -before > restart:
        return np.float32(0)
    most = 0.98 * ahead * _ROUNDING / (size + 1)  # that the sums may come to, if none had come nearer here
    return np.float32(min(restart, most + after - (before - after)))


@kernel
def _known_words(
    data: Any, i: Any, end: Any, total: Any, at: Any, words: Any, lines: Any, limits: Any, scores: Any, numbers: Any
) -> Any:
    """Writes the pieces of the words of data[i:end] to numbers[at:], until the end of the text or of `numbers`, or a
    word that is not in the cache or whose limit does not allow `total`, the sum before it.

    Gives (the byte to go on at, the sum, the end of the pieces). Most words are such: they have a loop of their own,
    which the compiler can keep small.
    """
    sets = np.uint64(len(words) // 2 - 1)
    while i < end and at + _LINE_PIECES <= len(numbers):
        start = i
        i = _next_space(data, i, end)
        if i == start:
            i += 1
            continue
        if i - start > KEY_BYTES or start + READ_BYTES > len(data):
            return start, total, at
        k0, k1, k2, h = word_key(data, start, i - start)
        line = np.int64(h >> np.uint64(32) & sets) * 2
        if words[line, 0] != k0 or words[line, 1] != k1 or words[line, 2] != k2:
            line += 1
            if words[line, 0] != k0 or words[line, 1] != k1 or words[line, 2] != k2:
                return start, total, at
        if not limits[line, 7] > -total:
            return start, total, at
        for k in range(3):  # few words have more: a branch less that cannot be foreseen
            piece = lines[line, 8 + k]
            numbers[at + k] = piece
            total += scores[piece]
        count = np.int64(lines[line, 6])
        for k in range(3, count):
            piece = lines[line, 8 + k]
            numbers[at + k] = piece
            total += scores[piece]
        at += count
        i += i < end  # the space
    return i, total, at


@kernel
def _keep(key: Any, words: Any, lines: Any, limits: Any, ways: Any, count: Any, limit: Any, padding: Any) -> None:
    """Puts a word into the cache, unless it has an unknown character, or too many pieces, or is there with a limit as
    far."""
    if count > _LINE_PIECES or limit <= 0:
        return
    for k in range(count):
        if ways[ways[k].cut].piece < 0:
            return
    k0, k1, k2, h = key
    line = np.int64(h >> np.uint64(32) & np.uint64(len(words) // 2 - 1)) * 2
    if words[line + 1, 0] == k0 and words[line + 1, 1] == k1 and words[line + 1, 2] == k2:
        line += 1
    elif words[line, 0] != k0 or words[line, 1] != k1 or words[line, 2] != k2:
        for k in range(8):
            words[line + 1, k] = words[line, k]
        limits[line, 7] = -1
    if limits[line, 7] >= limit:
        return
    words[line, 0] = k0
    words[line, 1] = k1
    words[line, 2] = k2
    lines[line, 6] = count
    limits[line, 7] = limit
    for k in range(_LINE_PIECES):
        lines[line, 8 + k] = ways[ways[count - 1 - k].cut].piece if k < count else padding


@kernel
def cut_rows(data: Any, offsets: Any, model: Any, cache: Any, row_ends: Any) -> Any:
    """Fills the offsets of `Pieces` behind the first, and gives (`numbers`, `unknown` and `unknown_offsets`, each with
    room behind, and how many unknown ones there are).

    Args:
        data, offsets: texts that `normalize_for_lm` made, in the layout of `corpus.text.buffers`.
        model: `Unigram`.
        cache: of the same model; is changed.
        row_ends: int64, shape (texts,).
    """
    words, lines, limits = cache
    pieces, scores, rules, replacements = model.pieces, model.scores, model.rules, model.replacements
    numbers = np.empty((offsets[-1] - offsets[0]) // 2 + _ROOM, np.int32)
    unknown, unknown_ends = np.empty(_ROOM, np.uint8), np.zeros(_ROOM, np.int64)
    word, ways = np.empty(_ROOM, np.uint8), np.empty(_ROOM, _WAY)
    runs: Any = 0
    at: Any = 0
    for row in range(len(offsets) - 1):
        i, end = offsets[row], offsets[row + 1]
        total = np.float32(0)
        while i < end:
            if at + _LINE_PIECES > len(numbers):
                numbers = _longer(numbers, at, _ROOM)
            start, total, at = _known_words(data, i, end, total, at, words, lines, limits, scores, numbers)
            i = _next_space(data, start, end)
            if i == start:  # also where there is no room for more
                continue
            word, size = _write_word(data, start, i, rules, replacements, model.plain, word)
            if size == 0:
                continue
            if size >= len(ways):
                ways = np.empty(2 * size, _WAY)
            before = total
            count, ahead = _cut(word, size, before, pieces, scores, model.unknown, ways)
            total = ways[size].sum
            if i - start <= KEY_BYTES and start + READ_BYTES <= len(data):
                limit = _limit(size, before, total, ahead, model.unknown)
                key = word_key(data, start, i - start)
                _keep(key, words, lines, limits, ways, count, limit, len(scores) - 1)
            if at + count > len(numbers):
                numbers = _longer(numbers, at, count)
            begin = np.int64(0)
            in_unknown = False
            for k in range(count - 1, -1, -1):
                place = np.int64(ways[k].cut)
                piece = ways[place].piece
                if piece >= 0:
                    numbers[at] = piece
                    at += 1
                else:  # unknown characters side by side are one piece
                    if not in_unknown:
                        numbers[at] = -1 - runs
                        at += 1
                        runs += 1
                        if runs == len(unknown_ends):
                            unknown_ends = _longer(unknown_ends, runs, _ROOM)
                        unknown_ends[runs] = unknown_ends[runs - 1]
                    used = unknown_ends[runs]
                    if used + place - begin > len(unknown):
                        unknown = _longer(unknown, used, _ROOM)
                    for b in range(begin, place):
                        unknown[used] = word[b]
                        used += 1
                    unknown_ends[runs] = used
                in_unknown = piece < 0
                begin = place
        row_ends[row] = at
    return numbers, unknown, unknown_ends, runs


def cut_texts(data: Bytes, offsets: Offsets, model: Unigram, cache: Cache) -> Pieces:
    """The pieces of each text. See `cut_rows`."""
    ends = np.zeros(len(offsets), np.int64)
    data = data.view()
    data.flags.writeable = False  # as some columns are: the kernel is compiled for one kind of array
    numbers, unknown, unknown_ends, runs = cut_rows(data, offsets, model, cache, ends[1:])
    return Pieces(numbers[: ends[-1]], ends, unknown[: unknown_ends[runs]], unknown_ends[: runs + 1])
