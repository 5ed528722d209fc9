"""Numbers by 64-bit hash, and sets of such hashes, for kernels."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel


class Table(NamedTuple):
    """A hash table with open addressing.

    Attributes:
        keys: uint64, shape (slots,), a power of 2 of them; 0 is an empty slot.
        values: of the keys, shape (slots,).
    """

    keys: npt.NDArray[np.uint64]
    values: npt.NDArray[Any]


def table(keys: npt.NDArray[np.uint64], values: npt.NDArray[Any]) -> Table:
    """Of keys other than 0, each once; at most half of the slots are taken."""
    slots = 1 << max(1, 2 * len(keys) - 1).bit_length()
    made = Table(np.zeros(slots, np.uint64), np.zeros(slots, values.dtype))
    _fill(made, keys, values)
    return made


@kernel
def _fill(made: Any, keys: Any, values: Any) -> None:
    for i in range(len(keys)):
        made.values[add(made.keys, keys[i])] = values[i]


@kernel
def add(keys: Any, key: Any) -> Any:
    """For kernels: the slot of a key in `Table.keys`, into which it is put where it is not there."""
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    keys[slot] = key
    return np.int64(slot)


@kernel
def slot_of(keys: Any, key: Any) -> Any:
    """For kernels: the slot of a key in `Table.keys`, -1 where it is not in the table."""
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while keys[slot] != 0:
        if keys[slot] == key:
            return np.int64(slot)
        slot = (slot + np.uint64(1)) & mask
    return np.int64(-1)
