"""Pairs of buckets against all pairs, and how many there are in a crowded one."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.buckets import FIRST, SMALL, bucket_pairs


def found(keys: list[int], orders: list[int], nodes: list[int]) -> list[tuple[int, int, bool]]:
    pairs = bucket_pairs(np.array(keys, np.uint32), np.array(orders, np.uint32), np.array(nodes, np.int64))
    return [(nodes[a], nodes[b], bool(c)) for a, b, c in zip(*pairs, strict=True)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=SMALL))
def test_small_buckets_give_all_pairs_and_equal_orders_both_ways(entries: list[tuple[int, int]]) -> None:
    keys, orders = [key for key, _ in entries], [order for _, order in entries]
    expected = [
        (a, b, False)
        for one, two in combinations(range(len(entries)), 2)
        for a, b in ((one, two), (two, one))
        if keys[a] == keys[b] and orders[a] <= orders[b]
    ]
    assert sorted(found(keys, orders, list(range(len(entries))))) == sorted(expected)


def test_a_document_is_no_candidate_of_itself() -> None:
    assert found([1, 1, 1], [5, 5, 6], [9, 9, 10]) == [(9, 10, False)] * 2


@pytest.mark.parametrize("count", [SMALL + 1, 100, 1000])
def test_each_document_of_a_crowded_bucket_meets_the_first_and_those_before_it(count: int) -> None:
    order = np.random.default_rng(count).permutation(count)
    pairs = found([7] * count, order.tolist(), order.tolist())  # a node is its place in the order
    first = {(a, b, False) for a, b in combinations(range(SMALL), 2)}
    far = {
        (better, place, better == 0)
        for place in range(SMALL, count)
        for better in [*range(FIRST), *range(place - FIRST, place)]
    }
    assert sorted(pairs) == sorted(first | far)
    assert len(pairs) == SMALL * (SMALL - 1) // 2 + 2 * FIRST * (count - SMALL)
