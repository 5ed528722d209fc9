"""The order of sequences in an epoch: a keyed permutation of [0, n) that needs no memory and no start-up.

A Feistel network permutes [0, 4^b) for any round function; the numbers from n on are walked through until one below
n comes out (cycle walking; Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). b is the smallest with
4^b >= n, so a walk is shorter than four steps on average. Any n below 2^62 works.
"""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel

ROUNDS = 8
"""Enough for the smallest domains too, whose halves are one or two bits."""

MAX_N = 1 << 62

Keys = npt.NDArray[np.uint64]


def round_keys(seed: int, source: str, epoch: int) -> Keys:
    """The keys of one epoch of one source, shape (8,): SHA-512 of "seed:epoch:source", as little-endian integers."""
    digest = hashlib.sha512(f"{seed}:{epoch}:{source}".encode()).digest()
    return np.frombuffer(digest, "<u8").astype(np.uint64)


def permute(index: npt.NDArray[np.int64], n: int, keys: Keys) -> npt.NDArray[np.int64]:
    """The place of each index under the permutation of [0, n) that `keys` choose; any shape.

    Raises:
        ValueError: an index outside [0, n), or n outside [1, 2^62].
    """
    return _walked(_permute, index, n, keys)


def invert(place: npt.NDArray[np.int64], n: int, keys: Keys) -> npt.NDArray[np.int64]:
    """The inverse of `permute`: which index has each place; any shape. Raises as it does."""
    return _walked(_invert, place, n, keys)


def _walked(walk: Any, numbers: npt.NDArray[np.int64], n: int, keys: Keys) -> npt.NDArray[np.int64]:
    if not 1 <= n <= MAX_N:
        raise ValueError(f"n is {n}, not in 1 to 2^62")
    numbers = np.ascontiguousarray(numbers, np.int64)
    if numbers.size and (numbers.min() < 0 or numbers.max() >= n):
        raise ValueError(f"an index is outside 0 to {n - 1}")
    out = np.empty(numbers.size, np.int64)
    walk(numbers.ravel(), np.uint64(n), np.uint64(half_bits(n)), keys, out)
    return out.reshape(numbers.shape)


def half_bits(n: int) -> int:
    """The smallest b >= 1 with 4^b >= n."""
    return max(1, -(-(n - 1).bit_length() // 2))


@kernel
def _mix(x: Any) -> Any:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def _permute(index: Any, n: Any, half: Any, keys: Any, out: Any) -> None:
    mask = (np.uint64(1) << half) - np.uint64(1)
    for i in range(len(index)):
        value = np.uint64(index[i])
        while True:
            left = value >> half
            right = value & mask
            for key in keys:
                left, right = right, left ^ (_mix(right + key) & mask)
            value = left << half | right
            if value < n:
                break
        out[i] = np.int64(value)


@kernel
def _invert(place: Any, n: Any, half: Any, keys: Any, out: Any) -> None:
    # The same rounds backwards. The walk goes back over the numbers from n on that `_permute` passed.
    mask = (np.uint64(1) << half) - np.uint64(1)
    for i in range(len(place)):
        value = np.uint64(place[i])
        while True:
            left = value >> half
            right = value & mask
            for key in keys[::-1]:
                left, right = right ^ (_mix(left + key) & mask), left
            value = left << half | right
            if value < n:
                break
        out[i] = np.int64(value)
