"""Arrow string arrays as (uint8 data, int64 offsets), and back, without copying."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]


def text_buffers(array: pa.Array) -> tuple[Bytes, Offsets]:
    """The bytes of a string or large_string array and its offsets, shape (len + 1,), int64.

    Row i is `data[offsets[i]:offsets[i + 1]]`; `offsets[0]` need not be 0 (slices stay views). Null rows have
    whatever length the array stores, zero as Arrow writes them.

    Raises:
        TypeError: the array is neither string nor large_string.
    """
    if pa.types.is_string(array.type):
        array = array.cast(pa.large_string())
    elif not pa.types.is_large_string(array.type):
        raise TypeError(f"expected a string array, got {array.type}")
    _, offsets, data = array.buffers()
    if offsets is None or len(array) == 0:
        return np.empty(0, np.uint8), np.zeros(len(array) + 1, np.int64)
    rows = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    return (np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)), rows


def text_array(data: Bytes, offsets: Offsets) -> pa.Array:
    """A large_string array over the given buffers; nothing is copied and UTF-8 is not checked."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
