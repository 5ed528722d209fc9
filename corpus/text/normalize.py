"""Normalisation of a line before it is hashed, with Unicode fixed at 14.0.

- `ccnet`: `normalize_for_dedup` of cc_net/text_normalizer.py. Strip white space, lower case, decimal digits to "0",
  delete UNICODE_PUNCT and the control characters 0-31 and 127-159. ASCII punctuation and accents stay.
- `c4`: `line.strip().lower()` of `_get_hashed_line` in c4_utils.py of TensorFlow Datasets.
"""

from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.kernel import kernel
from corpus.text import unicode
from corpus.text.buffers import text_array, text_buffers
from corpus.text.lines import strip
from corpus.text.unicode import (
    CAPITAL_I_WITH_DOT,
    CAPITAL_SIGMA,
    CASE_IGNORABLE,
    CASED,
    CCNET_PUNCT,
    DECIMAL,
    decode,
    encode,
    previous,
)

Form = Literal["ccnet", "c4"]

_DELETED = 0xFF
"""In place of the new byte of an ASCII byte."""

GROWTH = 3
"""A normalised line has at most 3/2 of the bytes of the line, plus this many: "İ" (2 bytes) becomes 3, "Ⱥ" too."""


@kernel
def ends_word(data: Any, start: Any, end: Any, at: Any, classes: Any) -> Any:
    """Whether the sigma at byte `at` of data[start:end] is final: Final_Sigma of the Unicode standard, table 3-17."""
    i = at
    before = False
    while i > start and not before:
        i = previous(data, i)
        point, _ = decode(data, i)
        before = classes[point] & CASED != 0
        if not before and classes[point] & CASE_IGNORABLE == 0:
            return False
    i = at + 2
    while before and i < end:
        point, size = decode(data, i)
        if classes[point] & CASED:
            return False
        if classes[point] & CASE_IGNORABLE == 0:
            return True
        i += size
    return before


@kernel
def normalize_line(data: Any, start: Any, end: Any, out: Any, at: Any, ascii: Any, classes: Any, lower: Any) -> Any:
    """Writes the normalised data[start:end] to out[at:] and gives the position behind it.

    Args:
        data: valid UTF-8.
        out: room for 3/2 of the line and `GROWTH` bytes.
        ascii, classes, lower: the three of `tables`.
    """
    start, end = strip(data, start, end, classes)
    i = start
    while i < end:
        byte = data[i]
        if byte < 0x80:
            new = ascii[byte]
            out[at] = new
            at += new != _DELETED
            i += 1
            continue
        point, size = decode(data, i)
        if classes[point] & DECIMAL:
            out[at] = 0x30
            at += 1
        elif point == CAPITAL_SIGMA:
            at = encode(0x3C2 if ends_word(data, start, end, i, classes) else 0x3C3, out, at)
        elif point == CAPITAL_I_WITH_DOT:
            out[at] = 0x69
            at = encode(0x307, out, at + 1)
        elif classes[point] & CCNET_PUNCT == 0:
            at = encode(lower[point], out, at)
        i += size
    return at


@cache
def tables(form: Form) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16], npt.NDArray[np.int32]]:
    """What `normalize_line` takes: the new byte of each ASCII byte, classes with the characters that are deleted as
    `CCNET_PUNCT`, lower case; all read-only."""
    ascii = np.array([*bytes(range(128)).lower()], np.uint8)
    classes = unicode.classes().copy()
    if form == "ccnet":
        ascii[[*range(32), 127]] = _DELETED
        ascii[ord("0") : ord("9") + 1] = ord("0")
        classes[0x80:0xA0] |= CCNET_PUNCT
    else:
        classes &= ~np.uint16(CCNET_PUNCT | DECIMAL)
    ascii.flags.writeable = classes.flags.writeable = False
    return ascii, classes, unicode.lower_case()


@kernel
def _normalize_rows(data: Any, offsets: Any, out: Any, ends: Any, ascii: Any, classes: Any, lower: Any) -> None:
    at = 0
    for row in range(len(offsets) - 1):
        at = normalize_line(data, offsets[row], offsets[row + 1], out, at, ascii, classes, lower)
        ends[row + 1] = at


def normalize_lines(lines: pa.Array, form: Form = "ccnet") -> pa.Array:
    """Each row of a string array as one line, normalised; a large_string array of the same length."""
    data, offsets = text_buffers(lines)
    size = int(offsets[-1] - offsets[0])
    out = np.empty(size + size // 2 + GROWTH, np.uint8)
    ends = np.zeros(len(offsets), np.int64)
    _normalize_rows(data, offsets, out, ends, *tables(form))
    return text_array(out, ends)
