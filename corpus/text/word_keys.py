"""Keys of short words for the caches of kernels: the bytes themselves, so that two words never share one."""

from typing import Any

import numpy as np

from corpus.kernel import kernel
from corpus.text.hashing import load64

KEY_BYTES = 23
"""Longer words have no key."""
READ_BYTES = 24
"""Are read from a word's start on, however short it is."""

_MASKS = np.array(
    [[(1 << 8 * min(8, max(0, length - 8 * word))) - 1 for word in range(3)] for length in range(KEY_BYTES + 1)],
    np.uint64,
)
"""[number of bytes, word of the key] -> the bits of that word that are text."""

_M1 = np.uint64(0x9E3779B97F4A7C15)
_M2 = np.uint64(0xC2B2AE3D27D4EB4F)
_M3 = np.uint64(0x165667B19E3779F9)


@kernel
def word_key(data: Any, start: Any, length: Any) -> Any:
    """(three uint64 that hold the bytes of data[start:start + length] and their number, a hash of these whose bits from
    32 on are the good ones). `length` is at most `KEY_BYTES`, and `READ_BYTES` can be read from `start` on."""
    k0 = load64(data, start) & _MASKS[length, 0]
    k1 = load64(data, start + 8) & _MASKS[length, 1]
    k2 = load64(data, start + 16) & _MASKS[length, 2] | np.uint64(length) << np.uint64(56)
    h = k0 * _M1 ^ k1 * _M2 ^ k2 * _M3
    return k0, k1, k2, (h ^ h >> np.uint64(32)) * _M1
