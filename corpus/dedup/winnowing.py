"""Anchors: in each window of a text one place that depends on the window alone, so that equal windows meet there.

A window is `length` units in a row, its anchor the leftmost of the k-grams in it whose hash is least, for a k below
`length`. Equal windows have it at the same offset. Neighbouring windows mostly share theirs: about two of `length` - k
+ 2 units are anchors (Schleimer, Wilkerson and Aiken, 2003, of what they call winnowing).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from corpus.dedup.blocks import Ints
from corpus.kernel import kernel
from corpus.text.buffers import Bytes, Offsets
from corpus.text.hashing import Hashes, hash_spans
from corpus.text.unicode import decode

Unit = Literal["bytes", "characters"]

BASE = np.uint64(0x9E3779B97F4A7C15)
"""Of the rolling hash, a polynomial modulo 2^64. It says where anchors are, never what is equal."""
_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)
_PLACE = np.uint64(0xFFFFF)
"""The bits of a mixed hash that give way to its place among those of two blocks, so that one comparison finds the
leftmost of the least."""
LONGEST = 10_000
"""Units of a window: two blocks of them have fewer places than `_PLACE`, and one of its hashes stays cheap."""
_ROOM = 1 << 18
"""Anchors that are found at a time: where a text is one character over and over each of its places is one."""


@dataclass(frozen=True)
class Units:
    """The texts of a batch, unit by unit.

    Attributes:
        values: uint32, of all texts one after the other: bytes, or code points.
        ends: int64, shape (rows + 1,): text i has the units ends[i]:ends[i + 1].
        data: the bytes of the texts, of which the first unit begins at `begin`.
        places: int64, shape (units + 1,), where each character begins in `data`; None where a unit is a byte.
    """

    values: npt.NDArray[np.uint32]
    ends: Offsets
    data: Bytes
    begin: int
    places: Ints | None

    @classmethod
    def of(cls, data: Bytes, offsets: Offsets, unit: Unit) -> Self:
        """Of the rows data[offsets[i]:offsets[i + 1]], which are valid UTF-8 where a unit is a character."""
        begin, end = int(offsets[0]), int(offsets[-1])
        data = data.view()
        data.flags.writeable = False
        body = data[begin:end]
        if unit == "bytes":
            values, ends, places = body.astype(np.uint32), offsets - begin, None
        else:
            values, places = _characters(data, begin, end, len(body) - np.count_nonzero(continues(body)))
            ends = np.searchsorted(places, offsets)
        values.flags.writeable = False  # whatever it is made of: the kernels are compiled for one kind of array
        return cls(values, ends, data, begin, places)

    def bytes_at(self, place: Ints) -> Ints:
        """Where these units begin in `data`."""
        return place + self.begin if self.places is None else self.places[place]

    def hashes(self, start: Ints, stop: Ints, seed: int) -> Hashes:
        """XXH64 of the bytes of the units start[i]:stop[i]."""
        return hash_spans(self.data, self.bytes_at(start), self.bytes_at(stop), seed)


@kernel
def _characters(data: Any, begin: Any, end: Any, count: Any) -> tuple[Any, Any]:
    """The code points of data[begin:end], and where each begins, with the end behind them."""
    values, places = np.empty(count, np.uint32), np.empty(count + 1, np.int64)
    places[count] = end
    at = begin
    for i in range(count):
        places[i] = at
        values[i], size = decode(data, at)
        at += size
    return values, places


def continues(data: Bytes) -> npt.NDArray[np.bool_]:
    """Which bytes of UTF-8 are not the first of a character."""
    return (data & 0xC0) == 0x80


class Anchors(NamedTuple):
    """Anchors and the windows that have them: those that start from `first` to `last`.

    Attributes:
        row: of the text, counted in the batch; int64, like all of these.
        place, first, last: units in the text.
    """

    row: Ints
    place: Ints
    first: Ints
    last: Ints


def gram_of(length: int) -> int:
    """Units of the k-grams whose hashes choose the anchors of windows of `length`: a quarter. Shorter ones make fewer
    anchors, but of more k-grams that two places have in common by chance."""
    return max(1, length // 4)


def anchors_of(units: Units, length: int) -> Iterator[Anchors]:
    """Every anchor of every window of the texts, in order, some at a time."""
    gram = gram_of(length)
    out = np.empty((max(_ROOM, 4 * length), 4), np.int64)
    row = begin = 0
    while row < len(units.ends) - 1:
        count, row, begin = _sample(units.values, units.ends, length, gram, power(gram), row, begin, out)
        if count:
            yield Anchors(*out[:count].T.copy())


def power(exponent: int) -> np.uint64:
    """Of `BASE`: what a unit counts in a rolling hash when so many have come after it."""
    return np.uint64(pow(int(BASE), exponent, 1 << 64))


@kernel
def mixed(rolling: Any) -> Any:
    """For kernels: a rolling hash with its bits mixed."""
    h = (rolling ^ (rolling >> np.uint64(32))) * _MULTIPLIER
    return h ^ (h >> np.uint64(29))


@kernel
def _roll(values: Any, start: Any, count: Any, gram: Any, top: Any, rolling: Any, out: Any) -> Any:
    """The mixed hashes of `count` k-grams from the one behind `start` on, into `out`; `rolling` is that of the one
    there. Gives the last one."""
    gone, new = values[start : start + count], values[start + gram : start + gram + count]
    for j in range(count):
        rolling = rolling * BASE + (np.uint64(new[j]) - np.uint64(gone[j]) * top)
        out[j] = mixed(rolling) & ~_PLACE
    return rolling


@kernel
def _minima(both: Any, width: Any, count: Any, out: Any) -> None:
    """The least of both[j : j + width] with its place, for each j below `count`: van Herk's way by two blocks, whose
    work does not depend on the values."""
    least = ~np.uint64(0)
    for i in range(width - 1, -1, -1):
        x = both[i] | np.uint64(i)
        least = x if x < least else least
        out[i] = least
    least = ~np.uint64(0)
    for j in range(1, count):
        x = both[width + j - 1] | np.uint64(width + j - 1)
        least = x if x < least else least
        out[j] = out[j] if out[j] < least else least


@kernel
def _changes(least: Any, count: Any, begin: Any, row: Any, last: Any, out: Any, at: Any) -> Any:
    """Enters an anchor wherever the windows from `begin` on have another one than the window before them."""
    for j in range(count):
        place = begin + np.int64(least[j] & _PLACE)
        if place != last:
            if last >= 0:
                out[at - 1, 3] = begin + j - 1
            out[at, 0], out[at, 1], out[at, 2] = row, place, begin + j
            at += 1
            last = place
    return last, at


@kernel
def _sample(
    values: Any, ends: Any, length: Any, gram: Any, top: Any, row: Any, begin: Any, out: Any
) -> tuple[Any, Any, Any]:
    """Enters the anchors from window `begin` of text `row` on, until all are entered or `out` may not hold those of
    another block. Gives how many are entered, and where to go on."""
    width = length - gram + 1  # k-grams in a window, and windows in a block
    both, least = np.empty(2 * width, np.uint64), np.empty(width, np.uint64)
    at = 0
    while row < len(ends) - 1:
        base, windows = ends[row], ends[row + 1] - ends[row] - length + 1
        if windows > begin:
            rolling, last = np.uint64(0), np.int64(-1)
            for i in range(gram):
                rolling = rolling * BASE + np.uint64(values[base + begin + i])
            both[0] = mixed(rolling) & ~_PLACE
            rolling = _roll(values, base + begin, width - 1, gram, top, rolling, both[1:])
            for block in range(begin, windows, width):
                if at + width > len(out):
                    if last < 0:
                        return at, row, begin
                    return at - 1, row, out[at - 1, 2]  # the last one may have more windows: it is found again
                count = min(width, windows - block)
                more = min(width, windows - 1 - block)
                rolling = _roll(values, base + block + width - 1, more, gram, top, rolling, both[width:])
                _minima(both, width, count, least)
                last, at = _changes(least, count, block, row, last, out, at)
                for i in range(width):
                    both[i] = both[width + i]
            out[at - 1, 3] = windows - 1
        row, begin = row + 1, 0
    return at, row, begin
