"""Sets of shingles: as Python's sets, and Rice codes bit by bit."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.sets import decode_set, encode_sets, shingle_sets, similarities
from corpus.text.buffers import text_buffers
from corpus.text.shingles import shingle_rows

elements = st.integers(0, 2**32 - 1) | st.integers(0, 40) | st.integers(2**32 - 40, 2**32 - 1)
sets = st.lists(st.sets(elements, min_size=1, max_size=200), min_size=1, max_size=5)


def packed(some: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([value for one in some for value in sorted(one)], np.uint32),
        np.cumsum([0, *map(len, some)]),
    )


def rice(one: set[int]) -> bytes:
    """Restated bit by bit."""
    k = max((k for k in range(32) if (len(one) + 1) * 2**k <= 0xB0000000), default=0)
    bits = ""
    last = -1
    for value in sorted(one):
        gap, last = value - last - 1, value
        bits += "0" * (gap >> k) + "1" + "".join(str(gap >> low & 1) for low in range(k))
    body = [int(bits[i : i + 8][::-1], 2) for i in range(0, len(bits), 8)]
    return len(one).to_bytes(4, "little") + bytes(body)


@given(sets)
def test_encoded_as_restated_and_decoded_again(some: list[set[int]]) -> None:
    encoded = encode_sets(*packed(some))
    assert encoded.to_pylist() == [rice(one) for one in some]
    assert [decode_set(one).tolist() for one in encoded.to_pylist()] == [sorted(one) for one in some]


@given(sets, sets)
def test_similarity_is_that_of_pythons_sets(ours: list[set[int]], others: list[set[int]]) -> None:
    which, mine = (grid.ravel() for grid in np.meshgrid(np.arange(len(others)), np.arange(len(ours))))
    found = similarities(encode_sets(*packed(others)), which, *packed(ours), mine)
    expected = [len(others[a] & ours[b]) / len(others[a] | ours[b]) for a, b in zip(which, mine, strict=True)]
    assert found.tolist() == expected


def test_a_slice_of_encoded_sets() -> None:
    encoded = encode_sets(*packed([{1}, {2, 3}, {4}]))[1:]
    assert similarities(encoded, np.array([0, 1]), *packed([{2, 3, 4, 5}]), np.zeros(2, int)).tolist() == [0.5, 0.25]


def test_sets_of_texts() -> None:
    column = pa.array(["a b c a b c", "", "A, b", "x"])
    values, ends = shingle_sets(*text_buffers(column), 2)
    hashes, starts = shingle_rows(*text_buffers(column), 2)
    expected = [sorted({h & 0xFFFFFFFF for h in hashes[starts[i] : starts[i + 1]].tolist()}) for i in range(4)]
    assert [values[ends[i] : ends[i + 1]].tolist() for i in range(4)] == expected
    assert [len(one) for one in expected] == [3, 0, 1, 1]


def test_bytes_of_an_element() -> None:
    rng = np.random.default_rng(1)
    for size, least, most in ((350, 3.0, 3.2), (100_000, 2.0, 2.15)):
        some = np.unique(rng.integers(0, 1 << 32, size, np.uint32))
        taken = len(encode_sets(some, np.array([0, len(some)]))[0].as_py()) / len(some)
        assert least < taken < most
