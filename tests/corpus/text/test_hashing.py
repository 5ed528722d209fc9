"""hash_rows against the xxhash library, byte for byte."""

import numpy as np
import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.buffers import text_buffers
from corpus.text.hashing import hash_rows

rows = st.lists(st.binary(max_size=200), max_size=20)


def pack(values: list[bytes], pad: int) -> tuple[np.ndarray, np.ndarray]:
    data = np.frombuffer(b"\xff" * pad + b"".join(values), np.uint8)
    return data, np.cumsum([pad] + [len(v) for v in values], dtype=np.int64)


@given(rows, st.integers(0, 2**64 - 1), st.integers(0, 9))
def test_equals_library_at_any_alignment_and_seed(values: list[bytes], seed: int, pad: int) -> None:
    got = hash_rows(*pack(values, pad), seed=seed)
    assert got.tolist() == [xxhash.xxh64_intdigest(v, seed) for v in values]


def test_every_length_up_to_130_and_a_long_row() -> None:
    block = np.random.default_rng(5).integers(0, 256, 100_003, np.uint8).tobytes()
    values = [block[:n] for n in range(130)] + [block]
    assert hash_rows(*pack(values, 3)).tolist() == [xxhash.xxh64_intdigest(v) for v in values]


def test_slice_of_a_column() -> None:
    column = pa.array(["a", "bé", "", "c" * 99, "d"], pa.large_string())[1:4]
    assert hash_rows(*text_buffers(column)).tolist() == [
        xxhash.xxh64_intdigest(v.encode()) for v in ["bé", "", "c" * 99]
    ]
