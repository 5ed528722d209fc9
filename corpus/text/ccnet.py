"""CCNet's normalisation of a document before its language model reads it: `normalize` of cc_net/text_normalizer.py.

In this order: strip white space; lower case; decompose (NFD) and drop nonspacing marks (Mn), so that accents go; every
decimal digit becomes "0"; typographic punctuation becomes ASCII; control characters 0-31 and 127-159 are deleted. Line
feeds are among them: words on both sides of one are glued together, and the model sees the document as one sentence.

All of this is known for each character by itself, but for two things: a capital sigma becomes another letter at the end
of a word, and combining characters that stay are put in canonical order. Unicode is Python's own.
"""

import unicodedata
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.kernel import kernel
from corpus.text import unicode
from corpus.text.buffers import Bytes, text_array, text_buffers
from corpus.text.lines import strip
from corpus.text.normalize import ends_word
from corpus.text.unicode import CAPITAL_SIGMA, CODE_POINTS, decode, encode, previous

PUNCTUATION = {
    **dict.fromkeys("„”“«»」「《》", '"'),
    **dict.fromkeys("´’", "'"),
    **dict.fromkeys("，、", ","),
    **dict.fromkeys("∶：", ":"),
    **dict.fromkeys("–━►", "-"),
    "。": ".",
    "．": ". ",
    "…": "...",
    "？": "?",
    "！": "!",
    "；": ";",
    "—": " - ",
    "～": "~",
    "％": "%",
    "（": "(",
    "）": ")",
    "〈": "<",
    "〉": ">",
    "【": "[",
    "】": "]",
}
"""UNICODE_PUNCT of cc_net/text_normalizer.py without its slip `"１": '"'`, which has no effect: by then every decimal
digit, the full-width ones too, is "0"."""

GROWTH = 3
"""A text becomes at most so many times as long: a Hangul syllable of three bytes becomes three letters of three."""

_LENGTH_BITS = 4
_REORDERED = (1 << _LENGTH_BITS) - 1
"""In the place of a length: the first byte at the offset has it, and what follows may have to be put in order."""


class Tables(NamedTuple):
    """What becomes of each character.

    Attributes:
        ascii: the new byte of each ASCII byte, 0 = deleted; shape (128,).
        places: by code point, 0 = stays as it is, else offset << `_LENGTH_BITS` | length of what it becomes; uint32.
        becomes: the bytes of all that characters become.
        orders: by code point, its canonical combining class; uint8.
        classes: of `corpus.text.unicode.classes`.
    """

    ascii: Bytes
    places: npt.NDArray[np.uint32]
    becomes: Bytes
    orders: Bytes
    classes: npt.NDArray[np.uint16]


@cache
def tables() -> Tables:
    """Takes a second."""
    ascii = np.array([(_replacement(chr(byte).lower()) or "\0").encode()[0] for byte in range(128)], np.uint8)
    places, orders = np.zeros(CODE_POINTS, np.uint32), np.zeros(CODE_POINTS, np.uint8)
    becomes, known = bytearray(1), dict[bytes, int]()
    for point in range(CODE_POINTS):
        c = chr(point)
        category = unicodedata.category(c)
        if category in ("Cn", "Co", "Cs"):
            continue
        parts = unicodedata.normalize("NFD", "i" if c == "İ" else c.lower())  # its lower case is "i" and a mark
        if category == "Lo" and parts == c:
            continue
        orders[point] = unicodedata.combining(c)
        new = "".join(map(_replacement, parts)).encode()
        reordered = unicodedata.combining(parts[0]) or any(map(unicodedata.combining, new.decode()))
        if new == c.encode() and not reordered:
            continue
        if reordered:
            new = bytes([len(new)]) + new
        if new not in known:
            known[new] = len(becomes)
            becomes += new
        places[point] = known[new] << _LENGTH_BITS | (_REORDERED if reordered else len(new))
    found = Tables(ascii, places, np.frombuffer(bytes(becomes), np.uint8), orders, unicode.classes())
    for array in found:
        array.flags.writeable = False
    return found


def _replacement(c: str) -> str:
    category = unicodedata.category(c)
    if category in ("Mn", "Cc"):  # Cc is exactly 0-31 and 127-159
        return ""
    return "0" if category == "Nd" else PUNCTUATION.get(c, c)


@kernel
def _normalize(data: Any, start: Any, end: Any, out: Any, at: Any, tables: Any) -> Any:
    """Writes the normalised data[start:end] to out[at:] and gives the position behind it."""
    classes = tables.classes
    start, end = strip(data, start, end, classes)
    i = start
    run = at  # where the combining characters written last begin
    behind_run = np.int64(-1)  # the byte of `data` where they go on, if the next character is one
    while i < end:
        byte = data[i]
        if byte < 0x80:
            new = tables.ascii[byte]
            out[at] = new
            at += new != 0
            i += 1
            continue
        point, size = decode(data, i)
        place = np.int64(tables.places[point])
        first, length = place >> _LENGTH_BITS, place & _REORDERED
        if place == 0:
            for k in range(size):
                out[at + k] = data[i + k]
            at += size
        elif point == CAPITAL_SIGMA:
            at = encode(0x3C2 if ends_word(data, start, end, i, classes) else 0x3C3, out, at)
        elif length != _REORDERED:
            for k in range(length):
                out[at + k] = tables.becomes[first + k]
            at += length
        else:
            if behind_run != i:
                run = at
            run, at = _put_in_order(tables.becomes, first + 1, first + 1 + tables.becomes[first], out, run, at, tables)
            behind_run = i + size
        i += size
    return at


@kernel
def _put_in_order(new: Any, start: Any, end: Any, out: Any, run: Any, at: Any, tables: Any) -> Any:
    """Writes each character of new[start:end] to out[at:], before those of out[run:at] of a higher combining class.
    Gives (where the combining characters written last begin, the position behind them)."""
    i = np.int64(start)
    while i < end:
        point, size = decode(new, i)
        order = tables.orders[point]
        to = at
        while order != 0 and to > run:
            before, _ = decode(out, previous(out, to))
            if tables.orders[before] <= order:
                break
            to = previous(out, to)
        for k in range(at - 1, to - 1, -1):
            out[k + size] = out[k]
        for k in range(size):
            out[to + k] = new[i + k]
        at += size
        if order == 0:
            run = at
        i += size
    return run, at


@kernel
def _normalize_rows(data: Any, offsets: Any, out: Any, ends: Any, tables: Any) -> None:
    at = 0
    for row in range(len(offsets) - 1):
        at = _normalize(data, offsets[row], offsets[row + 1], out, at, tables)
        ends[row + 1] = at


def normalize_for_lm(texts: pa.Array) -> pa.Array:
    """Each row of a string array as CCNet's SentencePiece and KenLM models expect it, a large_string array."""
    data, offsets = text_buffers(texts)
    out = np.empty(
        GROWTH * int(offsets[-1] - offsets[0]) + 1, np.uint8
    )  # one byte is written before it is found deleted
    ends = np.zeros(len(offsets), np.int64)
    data = data.view()
    data.flags.writeable = False  # as some columns are: the kernel is compiled for one kind of array
    _normalize_rows(data, offsets, out, ends, tables())
    return text_array(out[: ends[-1]].copy(), ends)
