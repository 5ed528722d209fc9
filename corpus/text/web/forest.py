"""Boosted trees, applied to rows of numbers."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel


class Forest(NamedTuple):
    """Trees whose nodes stand one behind the other.

    Attributes:
        roots: the first node of each tree, int32, shape (trees,).
        column: of each node, int16: of the row, -1 in a leaf.
        bound: float32: a row goes left where its number is at most this; in a leaf its value.
        left: int32: the node on the left; that on the right stands behind it.
    """

    roots: npt.NDArray[np.int32]
    column: npt.NDArray[np.int16]
    bound: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]

    def probabilities(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Of each row, shape (rows,): the logistic function of the sum of the leaves it comes to."""
        out = np.empty(len(rows), np.float32)
        _sum_leaves(self, rows, out)
        return (1 / (1 + np.exp(-out))).astype(np.float32)

    @classmethod
    def from_lightgbm(cls, dumped: dict[str, Any]) -> "Forest":
        """Of what `lightgbm.Booster.dump_model` gives."""
        column: list[int] = []
        bound: list[float] = []
        left: list[int] = []
        roots = []

        def place(count: int) -> int:
            at = len(column)
            column.extend([-1] * count)
            bound.extend([0.0] * count)
            left.extend([0] * count)
            return at

        for tree in dumped["tree_info"]:
            roots.append(place(1))
            todo = [(roots[-1], tree["tree_structure"])]
            while todo:
                at, node = todo.pop()
                if "leaf_value" in node:
                    bound[at] = node["leaf_value"]
                    continue
                column[at], bound[at], left[at] = node["split_feature"], _at_most(node["threshold"]), place(2)
                todo += [(left[at], node["left_child"]), (left[at] + 1, node["right_child"])]
        return cls(
            np.array(roots, np.int32), np.array(column, np.int16), np.array(bound, np.float32), np.array(left, np.int32)
        )


def _at_most(bound: float) -> float:
    """The largest float32 that is not over a bound, so that a float32 is on the same side of both."""
    near = np.float32(bound)
    return float(near if float(near) <= bound else np.nextafter(near, np.float32(-np.inf)))


@kernel
def _sum_leaves(forest: Any, rows: Any, out: Any) -> None:
    out[:] = 0
    for root in forest.roots:  # tree by tree: its nodes stay in the processor's cache
        for row in range(len(rows)):
            at = root
            while forest.column[at] >= 0:
                at = forest.left[at] + (rows[row, forest.column[at]] > forest.bound[at])
            out[row] += forest.bound[at]
