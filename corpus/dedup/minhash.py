"""MinHash signatures and their bands.

The permutations are those of datasketch 2 (`MinHash(num_perm, seed=1)`, scheme "affine32": a h + b mod 2^32 with odd
a, after MurmurHash3's 32-bit finaliser): given the same 32-bit hashes, signatures are equal to datasketch's.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel
from corpus.text import shingles
from corpus.text.buffers import Bytes, Offsets
from corpus.text.hashing import Hashes, hash_bytes
from corpus.text.shingles import shingle

Signatures = npt.NDArray[np.uint32]

_BLOCK = 4096  # shingles that go through all permutations together: 16 KiB, half of a first-level cache


@cache
def permutations(count: int, seed: int = 1) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """(a, b), each of shape (count,)."""
    random = np.random.RandomState(seed)  # its stream is frozen by NumPy's policy (NEP 19)
    a = random.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return a, random.randint(0, 1 << 32, count, dtype=np.uint32)


@kernel
def minima(hashes: Any, a: Any, b: Any, out: Any) -> None:
    """Lowers each out[p] to the least of the permuted low halves of 64-bit hashes; out starts at 2^32 - 1."""
    mixed = np.empty(_BLOCK, np.uint32)
    for begin in range(0, len(hashes), _BLOCK):
        size = min(_BLOCK, len(hashes) - begin)
        for i in range(size):
            h = np.uint32(hashes[begin + i])
            h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
            h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
            mixed[i] = h ^ (h >> np.uint32(16))
        for p in range(len(out)):
            least, scale, shift = out[p], a[p], b[p]
            for i in range(size):
                least = min(least, np.uint32(np.uint32(scale * mixed[i]) + shift))
            out[p] = least


@kernel
def _signatures(data: Any, offsets: Any, n: Any, a: Any, b: Any, kinds: Any, lower: Any) -> Any:
    rows = len(offsets) - 1
    out = np.full((rows, len(a)), np.uint32(0xFFFFFFFF))
    counts = np.zeros(rows, np.int64)
    longest = 0
    for row in range(rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    hashes = np.empty(longest // 2 + 1, np.uint64)
    for row in range(rows):
        counts[row] = shingle(data, offsets[row], offsets[row + 1], n, kinds, lower, hashes)
        minima(hashes[: counts[row]], a, b, out[row])
    return out, counts


def signatures(data: Bytes, offsets: Offsets, ngram: int, count: int) -> tuple[Signatures, npt.NDArray[np.int64]]:
    """(signature of each row, shape (rows, count); number of its shingles, shape (rows,)).

    A row without shingles has 2^32 - 1 everywhere, as datasketch's of nothing.
    """
    return _signatures(data, offsets, ngram, *permutations(count), *shingles.tables())


@kernel
def _set_signatures(elements: Any, ends: Any, a: Any, b: Any) -> Any:
    out = np.full((len(ends) - 1, len(a)), np.uint32(0xFFFFFFFF))
    for row in range(len(ends) - 1):
        minima(elements[ends[row] : ends[row + 1]], a, b, out[row])
    return out


def set_signatures(elements: npt.NDArray[np.uint32], ends: Offsets, count: int) -> Signatures:
    """The signatures of texts by their sets of shingles, elements[ends[row]:ends[row + 1]]; as `signatures` of their
    text, which looks at the low 32 bits of each hash too."""
    return _set_signatures(elements, ends, *permutations(count))


MINIMA = 112
"""Most that a signature has where the bands are chosen for the threshold."""
LEAST_FOUND = 0.97
"""Least share of the pairs right at the threshold that the bands chosen for it find."""


def chance(similarity: float, bands: int, rows: int) -> float:
    """That a pair of this similarity shares a band: 1 - (1 - s^rows)^bands."""
    return float(1 - (1 - similarity**rows) ** bands)


def bands_for(threshold: float, minima: int = MINIMA) -> tuple[int, int]:
    """(bands, rows): as many rows as still find `LEAST_FOUND` of the pairs at the threshold with so many minima.

    Rows keep pairs below the threshold from being compared. 16 x 7 for 0.8, 22 x 5 for 0.7, 10 x 11 for 0.9.
    """
    rows = next(r for r in range(minima, 0, -1) if r == 1 or chance(threshold, minima // r, r) >= LEAST_FOUND)
    return minima // rows, rows


@kernel
def _band_keys(raw: Any, bands: Any, width: Any) -> Any:
    out = np.empty((len(raw), bands), np.uint64)
    for row in range(len(raw)):
        for band in range(bands):
            out[row, band] = hash_bytes(raw[row], band * width, (band + 1) * width, band)
    return out


def band_keys(signature: Signatures, bands: int, rows: int) -> Hashes:
    """XXH64 of each band of each signature, seeded by the number of the band; shape (len(signature), bands)."""
    return _band_keys(signature.view(np.uint8), bands, rows * 4)
