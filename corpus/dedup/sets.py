"""Sets of shingle hashes: exact similarity of two, and their bytes.

A hash counts by its low 32 bits. Two sets of 350 then agree in one element too many with a chance of 3 x 10^-5, which
changes their similarity by 0.002. On the wire a set is its size (uint32), and behind it the Rice codes of the gaps of
the sorted hashes, low bits first: about 3 bytes an element at 350, 2 at 100,000 (Rice and Plaunt, 1971).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dedup.blocks import group_starts
from corpus.kernel import kernel
from corpus.text.buffers import Bytes, Offsets
from corpus.text.hashing import Hashes, hash_rows, load64, trailing_zeros
from corpus.text.shingles import shingle_rows

_MOST_ZEROS = 24
"""Zeros that are written or read at once: with the one and up to 31 low bits behind them they fit into the 57 bits that
are there in any case."""
_FIRST_BITS = np.uint64((1 << _MOST_ZEROS) - 1)

Elements = npt.NDArray[np.uint32]


def shingle_sets(data: Bytes, offsets: Offsets, ngram: int) -> tuple[Elements, Offsets]:
    """(distinct shingle hashes of each row, sorted; where those of each row begin, shape (rows + 1,))."""
    hashes, ends = shingle_rows(data, offsets, ngram)
    rows = np.repeat(np.arange(len(ends) - 1, dtype=np.uint64), np.diff(ends))
    every = np.sort(rows << np.uint64(32) | hashes & np.uint64(0xFFFFFFFF))
    distinct = every[group_starts(every)]
    starts = np.searchsorted(distinct, np.arange(len(ends), dtype=np.uint64) << np.uint64(32))
    return distinct.astype(np.uint32), starts


def hash_sets(elements: Elements, ends: Offsets) -> Hashes:
    """XXH64 of the elements of each set."""
    return hash_rows(elements.view(np.uint8), ends * elements.itemsize)


def encode_sets(elements: Elements, ends: Offsets) -> pa.Array:
    """Sets as large_binary, one row for each."""
    out, where = _encode(elements, ends)
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(where) - 1, [None, pa.py_buffer(where), pa.py_buffer(out)]
    )


def decode_set(encoded: bytes) -> Elements:
    """The elements of one encoded set, sorted."""
    return _decode(np.frombuffer(encoded, np.uint8), 0)


def decode_sets(encoded: pa.Array) -> tuple[Elements, Offsets]:
    """Sets that `encode_sets` gave, none of them null, as `shingle_sets` gives them."""
    if not len(encoded):
        return np.empty(0, np.uint32), np.zeros(1, np.int64)
    _, offsets, data = encoded.buffers()
    where = np.frombuffer(offsets, np.int64)[encoded.offset : encoded.offset + len(encoded) + 1]
    return _decode_all(np.frombuffer(data, np.uint8), where)


def similarities(
    encoded: pa.Array, which: npt.NDArray[Any], elements: Elements, ends: Offsets, mine: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Jaccard similarity of encoded[which[i]] and elements[ends[mine[i]]:ends[mine[i] + 1]], not both empty."""
    _, offsets, data = encoded.buffers()
    if not len(which):
        return np.empty(0)
    where = np.frombuffer(offsets, np.int64)[encoded.offset :]
    return _similarities(np.frombuffer(data, np.uint8), where, which, elements, ends, mine)


@kernel
def _low_bits(size: Any) -> Any:
    """Low bits of a gap that are written as they are: the largest k with 2^k <= 0.69 x the mean gap (Kiely 2004)."""
    k = 0
    while k < 31 and (size + 1) << (k + 1) <= 0xB0000000:
        k += 1
    return k


@kernel
def _encode(elements: Any, ends: Any) -> Any:
    sets = len(ends) - 1
    where = np.zeros(sets + 1, np.int64)
    for i in range(sets):
        k = _low_bits(ends[i + 1] - ends[i])
        length = 0
        last = np.int64(-1)
        for at in range(ends[i], ends[i + 1]):
            value = np.int64(elements[at])
            length += ((value - last - 1) >> k) + 1 + k
            last = value
        where[i + 1] = where[i] + 4 + (length + 7) // 8
    out = np.empty(where[sets], np.uint8)
    for i in range(sets):
        size = ends[i + 1] - ends[i]
        k = _low_bits(size)
        for byte in range(4):
            out[where[i] + byte] = (size >> (8 * byte)) & 0xFF
        at = where[i] + 4
        held: Any = np.uint64(0)
        bits: Any = np.uint64(0)
        last = np.int64(-1)
        for element in range(ends[i], ends[i + 1]):
            value = np.int64(elements[element])
            gap = np.uint64(value - last - 1)
            last = value
            zeros = gap >> np.uint64(k)
            while zeros >= np.uint64(_MOST_ZEROS):
                zeros -= np.uint64(_MOST_ZEROS)
                at, held, bits = _write(out, at, held, bits + np.uint64(_MOST_ZEROS))
            low = gap & ((np.uint64(1) << np.uint64(k)) - np.uint64(1))
            held |= (low << np.uint64(1) | np.uint64(1)) << (bits + zeros)
            at, held, bits = _write(out, at, held, bits + zeros + np.uint64(1 + k))
        if bits:
            out[at] = held
    return out, where


@kernel
def _write(out: Any, at: Any, held: Any, bits: Any) -> Any:
    """Writes the whole bytes of the bits held, the first of them lowest; gives (place, bits left, their number)."""
    while bits >= np.uint64(8):
        out[at] = held & np.uint64(0xFF)
        at += 1
        held >>= np.uint64(8)
        bits -= np.uint64(8)
    return at, held, bits


@kernel
def _peek(data: Any, bit: Any) -> Any:
    """57 bits or more from `bit` on; zeros behind the end."""
    byte = bit >> 3
    word = np.uint64(0)
    if byte + 8 <= len(data):
        word = load64(data, byte)
    else:
        for at in range(byte, len(data)):
            word |= np.uint64(data[at]) << np.uint64(8 * (at - byte))
    return word >> np.uint64(bit & 7)


@kernel
def _size(data: Any, start: Any) -> Any:
    size = np.int64(0)
    for byte in range(4):
        size |= np.int64(data[start + byte]) << (8 * byte)
    return size


@kernel
def _decode(data: Any, start: Any) -> Any:
    size = _size(data, start)
    k = _low_bits(size)
    out = np.empty(size, np.uint32)
    bit = np.int64(start + 4) * 8
    last = np.int64(-1)
    for i in range(size):
        gap = np.int64(0)
        word = _peek(data, bit) & _FIRST_BITS
        while word == 0:
            gap += _MOST_ZEROS
            bit += _MOST_ZEROS
            word = _peek(data, bit) & _FIRST_BITS
        zeros = np.int64(trailing_zeros(word))
        low = np.int64((_peek(data, bit) >> np.uint64(zeros + 1)) & ((np.uint64(1) << np.uint64(k)) - np.uint64(1)))
        bit += zeros + 1 + k
        last += ((gap + zeros) << k | low) + 1
        out[i] = last
    return out


@kernel
def _decode_all(data: Any, where: Any) -> Any:
    ends = np.zeros(len(where), np.int64)
    for i in range(len(where) - 1):
        ends[i + 1] = ends[i] + _size(data, where[i])
    out = np.empty(ends[-1], np.uint32)
    for i in range(len(where) - 1):
        out[ends[i] : ends[i + 1]] = _decode(data, where[i])
    return out, ends


@kernel
def _similarities(data: Any, where: Any, which: Any, elements: Any, ends: Any, mine: Any) -> Any:
    out = np.empty(len(which), np.float64)
    for pair in range(len(which)):
        other = _decode(data, where[which[pair]])
        at, end = ends[mine[pair]], ends[mine[pair] + 1]
        common = 0
        i = 0
        union = len(other) + end - at
        while i < len(other) and at < end:
            a, b = other[i], elements[at]
            common += a == b
            i += a <= b
            at += b <= a
        out[pair] = common / (union - common)
    return out
