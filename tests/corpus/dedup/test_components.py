from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.components import Keep, components, decide, name_partners, node_of, pairs, part_of, row_of
from corpus.rules import PartRef
from corpus.steps.spill import gather


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


NODES = [(5, 1), (0, 7), (3, 0), (0, 2), (1, 1)]
"""(part, row)"""


def test_a_node_is_a_part_and_a_row() -> None:
    part, row = np.array([0, 3, 2**31 - 1]), np.array([2**32 - 1, 0, 7], np.uint32)
    node = node_of(part, row)
    assert part_of(node).tolist() == part.tolist()
    assert row_of(node).tolist() == row.tolist()
    assert len(set(node.tolist())) == 3


def decided(documents: dict[str, Any], edges: list[tuple[int, int]], score: list[float], keep: Keep) -> dict[Any, Any]:
    """(part, row) of each document that goes -> (partner, score)."""
    one, two = ({name: column[list(side)] for name, column in documents.items()} for side in zip(*edges, strict=True))
    found = {}
    for partner_part, block in gather(decide([pairs(one, two, score=np.array(score, np.float32))], 6, keep), 6):
        ids = [
            pa.RecordBatch.from_pydict({"id": [f"{partner_part}:{r}" for r in rows]})
            for rows in ([0, 1, 2], range(3, 8))
        ]
        for part, named in gather(name_partners(PartRef(partner_part), iter(ids), [block], 6), 6):
            for row in named.to_pylist():
                assert (part, row["row"]) not in found
                assert row["partner"] == f"{row['partner_part']}:{row['partner_row']}"
                found[part, row["row"]] = (row["partner"], round(row["score"], 1))
    return found


@given(
    st.permutations(range(5)),
    st.permutations(range(5)),
    st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda edge: edge[0] < edge[1]), min_size=1),
    st.sampled_from(["component", "neighbours"]),
    st.randoms(use_true_random=False),
)
def test_who_goes_and_for_whom(
    priority: list[int], id_hash: list[int], edges: set[tuple[int, int]], keep: Keep, random: Random
) -> None:
    """Halves of the priorities are equal, so that the id decides too; pairs come twice, either way, in no order."""
    rank = [(priority[n] // 2, id_hash[n]) for n in range(5)]
    score = {edge: random.choice([0.8, 0.9]) for edge in sorted(edges)}
    documents = {
        "node": np.array([part << 32 | row for part, row in NODES]),
        "priority": np.array([place // 2 for place in priority]),
        "id_hash": np.array(id_hash, np.uint64),
    }
    twice = [random.choice([edge, edge[::-1]]) for edge in sorted(edges) * 2]
    random.shuffle(twice)
    found = decided(documents, twice, [score[min(e), max(e)] for e in twice], keep)

    def most_similar(n: int, among: set[int]) -> tuple[str, float] | None:
        """The best of the most similar neighbours."""
        some = [(-score[min(n, m), max(n, m)], rank[m], m) for m in among if (min(n, m), max(n, m)) in edges]
        return (f"{NODES[min(some)[2]][0]}:{NODES[min(some)[2]][1]}", -min(some)[0]) if some else None

    everyone = set(range(5))
    expected = {}
    if keep == "component":
        label = spread(5, sorted(edges))
        gone = [n for n in everyone if any(label[m] == label[n] and rank[m] < rank[n] for m in everyone)]
        expected = {NODES[n]: most_similar(n, everyone) for n in gone}
    else:
        stay: set[int] = set()
        for n in sorted(everyone, key=rank.__getitem__):
            if partner := most_similar(n, stay):
                expected[NODES[n]] = partner
            else:
                stay.add(n)
    assert found == expected
