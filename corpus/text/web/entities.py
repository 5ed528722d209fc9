"""Character references of HTML (`&eacute;`) as a table for kernels."""

from functools import cache
from html.entities import html5

import numpy as np
import numpy.typing as npt

SLOTS = 8192  # a power of 2; 2,231 names
LONGEST = 32  # letters of a name, with its semicolon
LONGEST_BARE = 6  # of one that needs no semicolon
BYTES = 8  # of UTF-8 that a name stands for: 6 at most


def name_key(name: bytes) -> int:
    """FNV-1a, 64 bits."""
    found = 0xCBF29CE484222325
    for byte in name:
        found = (found ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return found


@cache
def entity_table() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """(keys, texts) of a hash table with open addressing, of the names of the HTML standard (as Python carries them).

    A row of `texts`, shape (slots, 8), is the number of bytes and then the bytes. A key of 0 is an empty slot.
    """
    keys, texts = np.zeros(SLOTS, np.uint64), np.zeros((SLOTS, BYTES), np.uint8)
    for name, text in html5.items():
        slot = name_key(name.encode()) & (SLOTS - 1)
        while keys[slot]:
            slot = (slot + 1) & (SLOTS - 1)
        data = text.encode()
        keys[slot] = name_key(name.encode())
        texts[slot, 0] = len(data)
        texts[slot, 1 : 1 + len(data)] = list(data)
    return keys, texts


WINDOWS_1252 = np.array([ord(bytes([byte]).decode("cp1252", "replace")) for byte in range(0x80, 0xA0)], np.int64)
"""What `&#128;` to `&#159;` mean: those code points are no characters, and pages mean Windows-1252 by them."""
