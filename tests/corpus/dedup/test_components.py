import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.components import components


def spread(nodes: int, edges: list[tuple[int, int]]) -> list[int]:
    """Lowest label that reaches each node, by going round until nothing changes."""
    label = list(range(nodes))
    for _ in range(nodes):
        for a, b in edges:
            label[a] = label[b] = min(label[a], label[b])
    return label


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_against_label_spreading(graph: tuple[int, list[tuple[int, int]]]) -> None:
    nodes, edges = graph
    ends = np.array(edges, np.int64).reshape(-1, 2)
    assert components(nodes, ends[:, 0], ends[:, 1]).tolist() == spread(nodes, edges)


def test_a_long_path_given_backwards() -> None:
    order = np.arange(100_000, 0, -1)
    assert not components(100_001, order, order - 1).any()
