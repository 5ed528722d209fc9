"""How many characters and words of each kind the rows of a text column have: documents, their lines, or sentences."""

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.kernel import kernel
from corpus.text.buffers import text_buffers
from corpus.text.unicode import ALPHABETIC, ALPHANUMERIC, DECIMAL, SPACE, UPPER, classes, decode

Counts = npt.NDArray[np.int64]


class Count(IntEnum):
    """A column of `count_rows`.

    Attributes:
        CHARACTERS: code points.
        LETTERS, CAPITALS, DIGITS, SPACES: those of `str.isalpha`, `isupper`, `isdecimal`, `isspace`.
        SYMBOLS: neither alphanumeric (`str.isalnum`) nor white space.
        FEEDS: line feeds.
        WORDS: between white space (`str.split`).
        CAPITALISED: words that begin with a capital.
    """

    CHARACTERS = 0
    LETTERS = 1
    CAPITALS = 2
    DIGITS = 3
    SPACES = 4
    SYMBOLS = 5
    FEEDS = 6
    WORDS = 7
    CAPITALISED = 8


_CHARACTERS, _LETTERS, _CAPITALS, _DIGITS, _SPACES, _SYMBOLS, _FEEDS, _WORDS, _CAPITALISED = map(int, Count)


def count_rows(texts: pa.Array) -> Counts:
    """Shape (rows, len(Count)), int64."""
    data, offsets = text_buffers(texts)
    counts = np.zeros((len(texts), len(Count)), np.int64)
    _count_rows(data, offsets, classes(), counts)
    return counts


def share(counts: Counts, of: Counts) -> npt.NDArray[np.float64]:
    """counts / of with four decimals, 0 where `of` is 0."""
    return np.round(counts / np.maximum(of, 1), 4)


@kernel
def _count_rows(data: Any, offsets: Any, classes: Any, counts: Any) -> None:
    for row in range(len(offsets) - 1):
        characters = letters = capitals = digits = spaces = symbols = feeds = words = capitalised = 0
        behind_space = True
        i, end = offsets[row], offsets[row + 1]
        while i < end:
            point, size = decode(data, i)
            kind = classes[point]
            characters += 1
            letters += kind & ALPHABETIC != 0
            capitals += kind & UPPER != 0
            digits += kind & DECIMAL != 0
            space = kind & SPACE != 0
            spaces += space
            symbols += kind & (ALPHANUMERIC | SPACE) == 0
            feeds += point == 10
            begins = behind_space and not space
            words += begins
            capitalised += begins and kind & UPPER != 0
            behind_space = space
            i += size
        counts[row, _CHARACTERS] = characters
        counts[row, _LETTERS] = letters
        counts[row, _CAPITALS] = capitals
        counts[row, _DIGITS] = digits
        counts[row, _SPACES] = spaces
        counts[row, _SYMBOLS] = symbols
        counts[row, _FEEDS] = feeds
        counts[row, _WORDS] = words
        counts[row, _CAPITALISED] = capitalised
