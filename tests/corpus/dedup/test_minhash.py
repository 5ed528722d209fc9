"""Signatures and bands against datasketch."""

import datasketch
import datasketch.lsh
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.minhash import (
    band_keys,
    matches_needed,
    minima,
    optimal_bands,
    permutations,
    signatures,
    sketches,
)
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


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("count", [64, 128])
def test_optimal_bands_are_those_of_datasketch(threshold: float, count: int) -> None:
    assert optimal_bands(threshold, count) == datasketch.lsh._optimal_param(threshold, count, 0.5, 0.5)


def test_equal_sets_alone_take_one_band() -> None:
    assert optimal_bands(1.0, 4) == (1, 4)


def test_band_keys_differ_by_band_and_by_content() -> None:
    signature = np.tile(np.arange(4, dtype=np.uint32), (2, 3))
    signature[1, 11] += 1
    keys = band_keys(signature, 3, 4)
    assert len(set(keys[0].tolist())) == 3
    assert (keys[0] == keys[1]).tolist() == [True, True, False]


def test_estimate_from_sketches_is_unbiased() -> None:
    """Sets of similarity 0.8: 3 standard errors of the mean of 200 estimates."""
    rng = np.random.default_rng(0)
    matches = []
    for _ in range(200):
        hashes = rng.integers(0, 2**63, 1000, np.uint64)
        both = np.full((2, 128), 0xFFFFFFFF, np.uint32)
        minima(hashes[:900], *permutations(128), both[0])
        minima(hashes[100:], *permutations(128), both[1])
        matches.append((sketches(both)[0] == sketches(both)[1]).sum())
    estimates = (np.array(matches) / 128 - 1 / 256) * 256 / 255
    assert abs(estimates.mean() - 0.8) < 3 * estimates.std() / np.sqrt(200)
    assert estimates.std() == pytest.approx(0.0355, rel=0.2)


def test_matches_needed() -> None:
    assert matches_needed(1.0, 128) == 128
    assert matches_needed(0.8, 128) == 103  # 102 / 128 estimates 0.796, 103 / 128 estimates 0.804
