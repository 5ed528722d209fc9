import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.components import components, decide_components, pairs


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


@given(st.permutations(range(4)), st.permutations(range(4)), st.sampled_from([[(0, 1), (2, 3)], [(2, 0), (1, 2)]]))
def test_one_of_a_component_stays_by_priority_then_id(
    priority: list[int], id_hash: list[int], edges: list[tuple[int, int]]
) -> None:
    """A node is (part, row); halves of the priorities are equal, so that the id decides too."""
    nodes = [(5, 1), (0, 7), (3, 0), (0, 2**32 - 1)]
    rank = [(priority[n] // 2, id_hash[n], n) for n in range(4)]
    documents = {
        "node": np.array([part << 32 | row for part, row in nodes]),
        "priority": np.array([place // 2 for place in priority], np.int32),
        "id_hash": np.array(id_hash, np.uint64),
    }
    better, other = np.array([sorted(edge, key=rank.__getitem__) for edge in edges]).T
    label = spread(4, edges)
    losers = {nodes[n] for n in range(4) if any(label[m] == label[n] and rank[m] < rank[n] for m in range(4))}
    found = list(decide_components([pairs(documents, better, other)], 1))
    assert {(part, row.as_py()) for part, batch in found for row in batch["row"]} == losers
