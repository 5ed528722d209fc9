"""Boosted trees, applied to rows of numbers."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel

_TOGETHER = 4  # rows


class Forest(NamedTuple):
    """Trees whose nodes stand one behind the other.

    A leaf leads to itself, so that every row can go as many steps as its tree is deep.

    Attributes:
        roots: the first node of each tree, int32, shape (trees,).
        depths: most steps from it to a leaf, int32, shape (trees,).
        column: of each node, int16: of the row.
        bound: float32: a row goes left where its number is at most this.
        left: int32: the node on the left; that on the right stands behind it.
        value: float32: of a leaf.
    """

    roots: npt.NDArray[np.int32]
    depths: npt.NDArray[np.int32]
    column: npt.NDArray[np.int16]
    bound: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]

    def probabilities(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Of each row, shape (rows,): the logistic function of the sum of the leaves it comes to."""
        out = np.zeros(len(rows), np.float32)
        _sum_leaves(self, rows, out)
        return (1 / (1 + np.exp(-out))).astype(np.float32)

    @classmethod
    def from_lightgbm(cls, dumped: dict[str, Any]) -> "Forest":
        """Of what `lightgbm.Booster.dump_model` gives."""
        column: list[int] = []
        bound: list[float] = []
        left: list[int] = []
        value: list[float] = []
        roots, depths = [], []

        def place(count: int) -> int:
            at = len(column)
            column.extend([0] * count)
            bound.extend([np.inf] * count)
            left.extend(range(at, at + count))
            value.extend([0.0] * count)
            return at

        for tree in dumped["tree_info"]:
            roots.append(place(1))
            depths.append(0)
            todo = [(roots[-1], 0, tree["tree_structure"])]
            while todo:
                at, depth, node = todo.pop()
                depths[-1] = max(depths[-1], depth)
                if "leaf_value" in node:
                    value[at] = node["leaf_value"]
                    continue
                column[at], bound[at], left[at] = node["split_feature"], _at_most(node["threshold"]), place(2)
                todo.append((left[at], depth + 1, node["left_child"]))
                todo.append((left[at] + 1, depth + 1, node["right_child"]))
        return cls(
            np.array(roots, np.int32),
            np.array(depths, np.int32),
            np.array(column, np.int16),
            np.array(bound, np.float32),
            np.array(left, np.int32),
            np.array(value, np.float32),
        )


def _at_most(bound: float) -> float:
    """The largest float32 that is not over a bound, so that a float32 is on the same side of both."""
    near = np.float32(bound)
    return float(near if float(near) <= bound else np.nextafter(near, np.float32(-np.inf)))


@kernel
def _sum_leaves(forest: Any, rows: Any, out: Any) -> None:
    """Four rows at a time, which the processor does side by side: none waits for what another one reads."""
    column, bound, left, value = forest.column, forest.bound, forest.left, forest.value
    whole = len(rows) - len(rows) % _TOGETHER
    for begin in range(0, whole, _TOGETHER):
        r0, r1, r2, r3 = rows[begin], rows[begin + 1], rows[begin + 2], rows[begin + 3]
        for tree in range(len(forest.roots)):
            a = b = c = d = forest.roots[tree]
            for _ in range(forest.depths[tree]):
                a = left[a] + (r0[column[a]] > bound[a])
                b = left[b] + (r1[column[b]] > bound[b])
                c = left[c] + (r2[column[c]] > bound[c])
                d = left[d] + (r3[column[d]] > bound[d])
            out[begin] += value[a]
            out[begin + 1] += value[b]
            out[begin + 2] += value[c]
            out[begin + 3] += value[d]
    for row in range(whole, len(rows)):
        for tree in range(len(forest.roots)):
            a = forest.roots[tree]
            for _ in range(forest.depths[tree]):
                a = left[a] + (rows[row, column[a]] > bound[a])
            out[row] += value[a]
