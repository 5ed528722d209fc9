"""Boosted trees."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.web.forest import Forest

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


@given(st.lists(st.tuples(*2 * [st.floats(-5, 5, width=32)]), max_size=8))
def test_rows_come_to_the_leaves_that_the_tree_says(rows: list[tuple[float, float]]) -> None:
    found = Forest.from_lightgbm(DUMPED).probabilities(np.array(rows, np.float32).reshape(-1, 2))
    assert np.allclose(found, [plainly(DUMPED, list(row)) for row in rows], atol=1e-6)


def test_a_number_at_a_bound_goes_left() -> None:
    """Also where the bound is no float32: 0.1 rounds up to one."""
    near = np.float32(0.1)
    rows = np.array([[0, near], [0, np.nextafter(near, np.float32(0))], [-2, 3]], np.float32)
    found = Forest.from_lightgbm(DUMPED).probabilities(rows)
    assert np.allclose(found, [plainly(DUMPED, [float(x) for x in row]) for row in rows], atol=1e-6)
