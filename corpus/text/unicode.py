"""Character classes and lower case by code point, from the committed table of Unicode 14.0.0 (unicode.tsv).

Each class is the `str` method of the same meaning; kernels take the two arrays as arguments.
"""

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel

TABLE = "unicode.tsv"
CODE_POINTS = 0x110000

ALPHABETIC = 1
"""`str.isalpha`."""
ALPHANUMERIC = 2
"""`str.isalnum`."""
DECIMAL = 4
"""`str.isdecimal`, which is also what `\\d` matches in `re`."""
SPACE = 8
"""`str.isspace`, which is also what `str.strip` and `str.split` take for space."""
CASED = 16
"""Cased and not case-ignorable; with the next, decides which lower-case form a capital sigma has."""
CASE_IGNORABLE = 32
CCNET_PUNCT = 64
"""In UNICODE_PUNCT of cc_net/text_normalizer.py."""
MARK = 128
"""A combining mark: general category M."""
UPPER = 256
"""`str.isupper`."""

CAPITAL_SIGMA = 0x3A3
CAPITAL_I_WITH_DOT = 0x130
"""The only character whose lower case is two characters: "i" and U+0307."""


@cache
def classes() -> npt.NDArray[np.uint16]:
    """Class bits of each code point, shape (0x110000,), read-only."""
    return _tables()[0]


@cache
def lower_case() -> npt.NDArray[np.int32]:
    """Lower case of each code point, shape (0x110000,), read-only.

    CAPITAL_SIGMA maps to U+03C3, which is not right at the end of a word; CAPITAL_I_WITH_DOT to itself.
    """
    return _tables()[1]


@cache
def _tables() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32]]:
    bits = np.zeros(CODE_POINTS, np.uint16)
    lower = np.arange(CODE_POINTS, dtype=np.int32)
    for line in files("corpus.text").joinpath(TABLE).read_text("ascii").splitlines()[1:]:
        first, last, value, delta = line.split("\t")
        run = slice(int(first, 16), int(last, 16) + 1)
        bits[run] = int(value, 16)
        lower[run] += int(delta)
    bits.flags.writeable = lower.flags.writeable = False
    return bits, lower


@kernel
def width(lead: Any) -> Any:
    """Bytes of the UTF-8 character that begins with this byte."""
    return 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


@kernel
def decode(data: Any, i: Any) -> Any:
    """(code point, bytes) of the character that starts at byte i of valid UTF-8."""
    i = np.uint64(i)  # unsigned: numba then tests no index for being negative
    a = np.int32(data[i])
    if a < 0x80:
        return a, 1
    b = np.int32(data[i + np.uint64(1)]) & 0x3F
    if a < 0xE0:
        return (a & 0x1F) << 6 | b, 2
    c = np.int32(data[i + np.uint64(2)]) & 0x3F
    if a < 0xF0:
        return (a & 0x0F) << 12 | b << 6 | c, 3
    return (a & 0x07) << 18 | b << 12 | c << 6 | (np.int32(data[i + np.uint64(3)]) & 0x3F), 4


@kernel
def encode(point: Any, out: Any, at: Any) -> Any:
    """Writes the UTF-8 of a code point to out[at:]; gives the position behind it."""
    if point < 0x80:
        out[at] = point
        return at + 1
    if point < 0x800:
        out[at] = 0xC0 | point >> 6
    else:
        if point < 0x10000:
            out[at] = 0xE0 | point >> 12
        else:
            out[at] = 0xF0 | point >> 18
            at += 1
            out[at] = 0x80 | (point >> 12) & 0x3F
        at += 1
        out[at] = 0x80 | (point >> 6) & 0x3F
    out[at + 1] = 0x80 | point & 0x3F
    return at + 2


@kernel
def previous(data: Any, i: Any) -> Any:
    """First byte of the character that ends before byte i of valid UTF-8."""
    i -= 1
    while data[i] & 0xC0 == 0x80:
        i -= 1
    return i
