"""Signatures and bands against datasketch."""

import datasketch
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.minhash import LEAST_FOUND, MINIMA, band_keys, bands_for, chance, minima, permutations, signatures
from corpus.text.buffers import text_buffers
from corpus.text.shingles import shingle_rows


@pytest.mark.parametrize("count", [16, 128, 200])
def test_permutations_are_those_of_datasketch(count: int) -> None:
    ours, theirs = permutations(count), datasketch.MinHash(num_perm=count).permutations
    assert np.array_equal(ours[0], theirs[0])
    assert np.array_equal(ours[1], theirs[1])


def theirs(hashes: list[int], count: int) -> np.ndarray:
    sketch = datasketch.MinHash(num_perm=count, hashfunc=lambda h: h & 0xFFFFFFFF)
    sketch.update_batch(hashes)
    return sketch.hashvalues


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50), st.sampled_from([1, 7, 128]))
def test_minima_equal_datasketch(hashes: list[int], count: int) -> None:
    out = np.full(count, 0xFFFFFFFF, np.uint32)
    minima(np.array(hashes, np.uint64), *permutations(count), out)
    assert np.array_equal(out, theirs(hashes, count))


def test_signatures_equal_datasketch_also_of_long_rows() -> None:
    words = [f"w{i * i % 7919}" for i in range(20_000)]
    column = pa.array(["", "one two", " ".join(words), "a b c d e f", "a b c d e g"])
    signature, counts = signatures(*text_buffers(column), 5, 128)
    hashes, ends = shingle_rows(*text_buffers(column), 5)
    assert counts.tolist() == np.diff(ends).tolist() == [0, 1, 19_996, 2, 2]
    for row in range(5):
        assert np.array_equal(signature[row], theirs(hashes[ends[row] : ends[row + 1]].tolist(), 128))


@pytest.mark.parametrize(
    ("threshold", "banding"),
    [(0.5, (37, 3)), (0.7, (22, 5)), (0.8, (16, 7)), (0.9, (10, 11)), (0.97, (5, 22)), (1.0, (1, 112))],
)
def test_bands_find_pairs_right_at_the_threshold_and_one_row_more_would_not(
    threshold: float, banding: tuple[int, int]
) -> None:
    bands, rows = bands_for(threshold)
    assert (bands, rows) == banding
    assert bands * rows <= MINIMA
    assert 1 - (1 - threshold**rows) ** bands >= LEAST_FOUND
    assert rows == MINIMA or 1 - (1 - threshold ** (rows + 1)) ** (MINIMA // (rows + 1)) < LEAST_FOUND


def test_pairs_share_a_band_as_often_as_the_formula_says() -> None:
    """400 pairs of sets of similarity 0.6 with 16 x 7 minima: 3 standard errors."""
    rng = np.random.default_rng(0)
    met = 0
    for _ in range(400):
        hashes = rng.integers(0, 2**63, 800, np.uint64)
        both = np.full((2, 112), 0xFFFFFFFF, np.uint32)
        minima(hashes[:640], *permutations(112), both[0])
        minima(hashes[160:], *permutations(112), both[1])
        keys = band_keys(both, 16, 7)
        met += bool((keys[0] == keys[1]).any())
    expected = chance(0.6, 16, 7)
    assert 0.3 < expected < 0.4
    assert abs(met / 400 - expected) < 3 * np.sqrt(expected * (1 - expected) / 400)


def test_band_keys_differ_by_band_and_by_content() -> None:
    signature = np.tile(np.arange(4, dtype=np.uint32), (2, 3))
    signature[1, 11] += 1
    keys = band_keys(signature, 3, 4)
    assert len(set(keys[0].tolist())) == 3
    assert (keys[0] == keys[1]).tolist() == [True, True, False]
