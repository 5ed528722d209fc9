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
Sketches = npt.NDArray[np.uint8]

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
def _signatures(data: Any, offsets: Any, n: Any, a: Any, b: Any, classes: Any, lower: Any) -> Any:
    rows = len(offsets) - 1
    out = np.full((rows, len(a)), np.uint32(0xFFFFFFFF))
    counts = np.zeros(rows, np.int64)
    longest = 0
    for row in range(rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    hashes = np.empty(longest // 2 + 1, np.uint64)
    for row in range(rows):
        counts[row] = shingle(data, offsets[row], offsets[row + 1], n, classes, lower, hashes)
        minima(hashes[: counts[row]], a, b, out[row])
    return out, counts


def signatures(data: Bytes, offsets: Offsets, ngram: int, count: int) -> tuple[Signatures, npt.NDArray[np.int64]]:
    """(signature of each row, shape (rows, count); number of its word n-grams, shape (rows,)).

    A row without words has 2^32 - 1 everywhere, as datasketch's of nothing.
    """
    return _signatures(data, offsets, ngram, *permutations(count), *shingles.tables())


@cache
def optimal_bands(threshold: float, count: int) -> tuple[int, int]:
    """(bands, rows) with the least sum of the areas of false positives below the threshold and false negatives
    above, as `datasketch.MinHashLSH` chooses them with its default weights.

    A pair of similarity s shares a band with probability 1 - (1 - s^rows)^bands.
    """
    similarity = np.linspace(0, 1, 10_001)
    below = similarity <= threshold
    best = (np.inf, 1, 1)
    for bands in range(1, count + 1):
        for rows in range(1, count // bands + 1):
            found = 1 - (1 - similarity**rows) ** bands
            error = np.trapezoid(np.where(below, found, 1 - found), similarity)
            best = min(best, (float(error), bands, rows))
    return best[1:]


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


def sketches(signature: Signatures) -> Sketches:
    """The low byte of each minimum: b-bit minwise hashing with b = 8 (Li and König, WWW 2010). Same shape."""
    return signature.astype(np.uint8)


def matches_needed(threshold: float, count: int) -> int:
    """How many of `count` sketch bytes must agree for an estimated similarity of at least `threshold`.

    Bytes of different minima agree by chance once in 256: matches / count estimates 1/256 + 255/256 J (there,
    Theorem 1 for sets that are small against the hash range).
    """
    return int(np.ceil(count * (1 + 255 * threshold) / 256 - 1e-9))
