"""Double arrays, which find every prefix of a text that is one of many words, as SentencePiece's models have them.

A unit is 32 bits, of Darts-clone (github.com/s-yata/darts-clone, include/darts.h): bits 0-7 the byte that leads to it,
bit 8 whether a word ends here, bits 10-31, shifted left by 8 if bit 9 is set, what to xor its number with to come to
its children. The child for a byte stands at `children ^ byte`, the value of a word that ends here, with bit 31 set, at
`children` itself. Units come in blocks of 256, so that no byte leads out of them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel

Units = npt.NDArray[np.uint32]

MOST_UNITS = 1 << 21
"""That `build` takes: the offsets of more do not fit into bits 10-31 alone."""

LABEL = 0x800000FF
"""The bits of a unit that are the byte that leads to it, if it is one that a byte leads to."""
ENDS = 0x100
VALUE = 0x7FFFFFFF


def _children(at: Any, unit: Any) -> Any:
    """The place that the children of the unit at `at` are found from; both int64, or arrays of it."""
    return at ^ (unit >> 10 << ((unit & 0x200) >> 6))


children = kernel(_children)
"""The same for kernels."""


def build(words: list[bytes], values: list[int]) -> Units:
    """A double array of words, none of which is empty, has a NUL or comes twice, and their values, below 2^31.

    Raises:
        ValueError: there are too many.
    """
    order = sorted(range(len(words)), key=words.__getitem__)
    lengths = [len(words[k]) for k in order]
    text = np.frombuffer(b"".join(words[k] for k in order), np.uint8)
    units = np.zeros(min(4 * len(text) + 1024, MOST_UNITS + 256) // 256 * 256, np.uint32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    used = _build(text, offsets, np.array([values[k] for k in order], np.int64), units, np.zeros(len(units), np.uint8))
    if used > MOST_UNITS:
        raise ValueError("too many words for a double array")
    return units[:used].copy()


@kernel
def _build(text: Any, offsets: Any, values: Any, units: Any, used: Any) -> Any:
    """Fills `units` with the sorted words text[offsets[k]:offsets[k + 1]]; gives how many it takes, or more than
    `MOST_UNITS`. `used`: zeros, 1 for a unit that is taken and 2 for one that children are found from."""
    stack = np.empty((len(text) + 1, 4), np.int64)  # unit, first and last word below it, bytes that they share
    stack[0] = 0
    stack[0, 2] = len(values)
    height = 1
    labels, starts = np.empty(256, np.int64), np.empty(257, np.int64)
    one, several, high = 1, 1, 256
    used[0] = 1
    while height > 0:
        height -= 1
        at, first, last, depth = stack[height, 0], stack[height, 1], stack[height, 2], stack[height, 3]
        n = 0
        for k in range(first, last):
            byte = offsets[k] + depth
            label = np.int64(text[byte]) if byte < offsets[k + 1] else np.int64(0)
            if n == 0 or labels[n - 1] != label:
                labels[n] = label
                starts[n] = k
                n += 1
        starts[n] = last
        # Where the first of them shall stand: not looked for again where others before found no room.
        to = one if n == 1 else several
        while to + 256 <= len(units) and not _fits(used, to ^ labels[0], labels, n):
            to += 1
        if n == 1:
            one = to
        else:
            several = to
        place = to ^ labels[0]
        if to + 256 > len(units) or max(place, at) >= MOST_UNITS:
            return MOST_UNITS + 1
        used[place] |= 2
        units[at] |= np.uint32((at ^ place) << 10)
        for k in range(n):
            to = place ^ labels[k]
            used[to] |= 1
            high = max(high, (to | 255) + 1)
            if labels[k] == 0:
                units[at] |= np.uint32(ENDS)
                units[to] = np.uint32(values[starts[k]] | VALUE + 1)
            else:
                units[to] = np.uint32(labels[k])
                stack[height, 0], stack[height, 1], stack[height, 2] = to, starts[k], starts[k + 1]
                stack[height, 3] = depth + 1
                height += 1
    return high


@kernel
def _fits(used: Any, place: Any, labels: Any, n: Any) -> Any:
    """Whether children with these labels can be found from a place."""
    k = 0
    while k < n and used[place ^ labels[k]] & 1 == 0:
        k += 1
    return k == n and used[place] & 2 == 0


def reached(units: Units, labels: list[int]) -> npt.NDArray[np.int64]:
    """The units that these bytes lead to from the first.

    Raises:
        ValueError: it is no double array.
    """
    if len(units) % 256 or not len(units):
        raise ValueError("no double array")
    seen = np.zeros(len(units), np.bool_)
    at, steps = np.zeros(1, np.int64), np.array(labels)
    while len(at):
        seen[at] = True
        places = _children(at, units[at].astype(np.int64))
        if places.max() >= len(units):
            raise ValueError("no double array")
        to = places[:, None] ^ steps
        to = np.unique(to[units[to] & LABEL == steps])
        at = to[~seen[to]]
    return np.flatnonzero(seen)


def values(units: Units, at: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """Of the words that end at some of these units that were reached."""
    at = at[units[at] & ENDS != 0]
    return units[_children(at, units[at].astype(np.int64))] & VALUE


def value_of(units: Units, word: bytes) -> int | None:
    """Of a word, if it is there."""
    at = 0
    for byte in word:
        at = _children(at, int(units[at])) ^ byte
        if units[at] & LABEL != byte:
            return None
    return int(units[_children(at, int(units[at]))]) & VALUE if units[at] & ENDS else None
