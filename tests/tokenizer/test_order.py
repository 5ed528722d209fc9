import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.order import MAX_N, half_bits, invert, permute, round_keys

MASK = (1 << 64) - 1


def reference(index: int, n: int, seed: int, source: str, epoch: int) -> int:
    """The permutation as docs/tokens.md describes it, with Python integers."""
    digest = hashlib.sha512(f"{seed}:{epoch}:{source}".encode()).digest()
    keys = [int.from_bytes(digest[i : i + 8], "little") for i in range(0, 64, 8)]
    half = 1
    while 4**half < n:
        half += 1
    low = (1 << half) - 1
    while True:
        left, right = index >> half, index & low
        for key in keys:
            x = (right + key) & MASK
            x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
            x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
            x ^= x >> 31
            left, right = right, left ^ x & low
        index = left << half | right
        if index < n:
            return index


@given(n=st.integers(1, 5000), seed=st.integers(0, 2**63), epoch=st.integers(0, 9))
@settings(deadline=None)
def test_every_index_comes_once(n: int, seed: int, epoch: int) -> None:
    got = permute(np.arange(n), n, round_keys(seed, "books", epoch))
    assert np.array_equal(np.sort(got), np.arange(n))


@given(data=st.data(), n=st.integers(1, MAX_N), seed=st.integers(0, 2**63), source=st.text(max_size=8))
@settings(deadline=None)
def test_equal_to_the_reference_at_any_size(data: st.DataObject, n: int, seed: int, source: str) -> None:
    index = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20))
    epoch = data.draw(st.integers(0, 5))
    got = permute(np.array(index), n, round_keys(seed, source, epoch))
    assert got.tolist() == [reference(i, n, seed, source, epoch) for i in index]


@given(
    data=st.data(),
    n=st.one_of(
        st.integers(1, 5000),
        st.integers(2**32, MAX_N),
        st.tuples(st.integers(1, 30), st.integers(-1, 1)).map(lambda near: 4 ** near[0] + near[1]),
    ),
    seed=st.integers(0, 2**63),
)
def test_the_inverse_leads_back(data: st.DataObject, n: int, seed: int) -> None:
    numbers = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20))
    index = np.array([*numbers, 0, n - 1])
    keys = round_keys(seed, "books", data.draw(st.integers(0, 5)))
    assert np.array_equal(invert(permute(index, n, keys), n, keys), index)
    assert np.array_equal(permute(invert(index, n, keys), n, keys), index)


def test_the_inverse_of_every_small_n() -> None:
    for n in range(1, 70):
        keys = round_keys(n, "a", 0)
        assert np.array_equal(invert(permute(np.arange(n), n, keys), n, keys), np.arange(n))


@given(n=st.integers(1, MAX_N))
def test_half_bits(n: int) -> None:
    half = half_bits(n)
    assert 4**half >= n
    assert half == 1 or 4 ** (half - 1) < n


def test_beyond_32_bits_no_two_indices_meet() -> None:
    n = 5 * 2**32 + 12345
    index = np.concatenate([np.arange(100_000), n - 1 - np.arange(100_000)])
    got = permute(index, n, round_keys(1, "c4", 0))
    assert len(np.unique(got)) == len(index)
    assert got.min() >= 0
    assert got.max() < n
    # Spread over the whole range, not only its low bits.
    assert abs(got.mean() / n - 0.5) < 0.01


def test_seed_source_and_epoch_each_give_another_order() -> None:
    orders = [
        permute(np.arange(1000), 1000, round_keys(*key)).tolist()
        for key in ((0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (1, "0:a", 0), (10, "a", 0))
    ]
    assert all(a != b for i, a in enumerate(orders) for b in orders[:i])


def test_neighbours_do_not_stay_neighbours() -> None:
    got = permute(np.arange(100_000), 100_000, round_keys(0, "a", 0))
    # Of 99,999 random pairs about two are adjacent in either direction.
    assert np.sum(np.abs(np.diff(got)) == 1) < 15


def test_every_place_is_reached_about_equally_often() -> None:
    n, draws = 11, 6000
    counts = np.zeros((n, n))
    for seed in range(draws):
        counts[np.arange(n), permute(np.arange(n), n, round_keys(seed, "a", 0))] += 1
    expected = draws / n
    chi_square = ((counts - expected) ** 2 / expected).sum()
    # 100 degrees of freedom; 200 is beyond the 1 - 1e-8 quantile.
    assert chi_square < 200


def test_indices_outside_are_refused() -> None:
    keys = round_keys(0, "a", 0)
    for index, n in (([5], 5), ([-1], 5), ([0], 0), ([0], MAX_N + 1)):
        with pytest.raises(ValueError, match=r"not in 1|outside"):
            permute(np.array(index), n, keys)
        with pytest.raises(ValueError, match=r"not in 1|outside"):
            invert(np.array(index), n, keys)
    assert permute(np.zeros((0, 3), np.int64), 7, keys).shape == (0, 3)
