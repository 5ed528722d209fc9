"""Boosted trees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.web.forest import LEAVES, Forest

LEFT, RIGHT = {"leaf_value": -1.5}, {"leaf_value": 0.25}
DUMPED = {
    "tree_info": [
        {"tree_structure": {"split_feature": 1, "threshold": 0.1, "left_child": LEFT, "right_child": RIGHT}},
        {"tree_structure": {"leaf_value": 0.5}},
        {
            "tree_structure": {
                "split_feature": 0,
                "threshold": -2.0,
                "left_child": RIGHT,
                "right_child": {"split_feature": 1, "threshold": 3.0, "left_child": RIGHT, "right_child": LEFT},
            }
        },
    ]
}


def plainly(dumped: dict, row: list[float]) -> float:
    total = 0.0
    for tree in dumped["tree_info"]:
        node = tree["tree_structure"]
        while "leaf_value" not in node:
            node = node["left_child" if row[node["split_feature"]] <= node["threshold"] else "right_child"]
        total += node["leaf_value"]
    return 1 / (1 + np.exp(-total))


NUMBERS = st.integers(-12, 12).map(lambda number: number / 4)  # few, so that many are at a bound
TREES = st.recursive(
    st.builds(lambda value: {"leaf_value": value}, NUMBERS),
    lambda inner: st.builds(
        lambda column, bound, left, right: {
            "split_feature": column,
            "threshold": bound,
            "left_child": left,
            "right_child": right,
        },
        st.integers(0, 1),
        NUMBERS,
        inner,
        inner,
    ),
    max_leaves=LEAVES,
)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=40)


@given(st.lists(TREES, max_size=4), ROWS)
def test_rows_come_to_the_leaves_that_the_tree_says(trees: list[dict], rows: list[tuple[float, float]]) -> None:
    dumped = {"tree_info": [{"tree_structure": tree} for tree in trees]}
    found = Forest.from_lightgbm(dumped).probabilities(np.array(rows, np.float32).reshape(-1, 2))
    assert np.allclose(found, [plainly(dumped, list(row)) for row in rows], atol=1e-6)


@pytest.mark.parametrize("leaves", [LEAVES, LEAVES + 1])
def test_all_leaves_of_the_largest_tree_are_reached(leaves: int) -> None:
    """A tree that only goes on to the right, so that its last leaf is the last bit of its word."""
    tree: dict = {"leaf_value": float(leaves - 1)}
    for number in range(leaves - 2, -1, -1):
        left = {"leaf_value": float(number)}
        tree = {"split_feature": 0, "threshold": number, "left_child": left, "right_child": tree}
    dumped = {"tree_info": [{"tree_structure": tree}]}
    if leaves > LEAVES:
        with pytest.raises(ValueError, match="tree 0 has 33 leaves: at most 32"):
            Forest.from_lightgbm(dumped)
        return
    forest = Forest.from_lightgbm(dumped)
    assert forest.values.tolist() == [list(range(LEAVES))]
    rows = np.arange(LEAVES, dtype=np.float32).reshape(-1, 1)
    assert np.allclose(forest.probabilities(rows), 1 / (1 + np.exp(-rows[:, 0])))


def test_a_number_at_a_bound_goes_left() -> None:
    """Also where the bound is no float32: 0.1 rounds up to one."""
    near = np.float32(0.1)
    rows = np.array([[0, near], [0, np.nextafter(near, np.float32(0))], [-2, 3]], np.float32)
    found = Forest.from_lightgbm(DUMPED).probabilities(rows)
    assert np.allclose(found, [plainly(DUMPED, [float(x) for x in row]) for row in rows], atol=1e-6)
