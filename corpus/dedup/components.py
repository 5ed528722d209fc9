"""From pairs of equal documents to those that go, and for whom: the last rounds of `Near` and `Overlap`.

A pair is a row with `node`, `priority`, `id_hash` of one document, `other_node`, `other_priority`, `other_id_hash` of
the other, and `score`, how similar they are. A node is part * 2^32 + row; the better of two is the first in the order
of `corpus.rules.Winner`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dedup.blocks import columns, group_starts, keyed, numbered, partition_of, record_batch
from corpus.kernel import kernel
from corpus.rules import Block, PartRef

Nodes = npt.NDArray[np.int64]
Keep = Literal["component", "neighbours"]

FIELDS = ("node", "priority", "id_hash")


def node_of(part: Any, row: npt.NDArray[Any]) -> Nodes:
    """Nodes of rows of a part, or of a part each."""
    return np.asarray(part, np.int64) << 32 | row.astype(np.int64)


def part_of(node: Nodes) -> npt.NDArray[np.int32]:
    """The part that a document is in."""
    return (node >> 32).astype(np.int32)


def row_of(node: Nodes) -> npt.NDArray[np.uint32]:
    """Its row there."""
    return node.astype(np.uint32)


def pairs(
    better: Mapping[str, npt.NDArray[Any]], other: Mapping[str, npt.NDArray[Any]], **more: npt.NDArray[Any]
) -> pa.RecordBatch:
    """Pairs of documents, each side given by columns that hold `FIELDS`, with more columns."""
    sides = {field: better[field] for field in FIELDS} | {f"other_{field}": other[field] for field in FIELDS}
    return record_batch(sides | more)


def pairs_by_partition(found: pa.RecordBatch, partitions: int) -> Iterator[Block]:
    """Pairs keyed so that equal pairs meet in one partition."""
    yield from keyed(partition_of(found.column("id_hash").to_numpy(), partitions), found)


def decide(blocks: Sequence[pa.RecordBatch], partitions: int, keep: Keep) -> Iterator[Block]:
    """The round from all pairs to who goes; it must be one partition, about 250 bytes for each pair. Gives `row`,
    `loser` (a node) and `score`, by the part of the partner, for `name_partners`.

    Args:
        keep: `component`: one document of each connected component stays. `neighbours`: going through the documents
            from the best on, one goes if a document of its pairs stays that is better.
    """
    found = columns(blocks)
    both = {field: np.concatenate([found[field], found[f"other_{field}"]]) for field in FIELDS}
    nodes, first, place = np.unique(both["node"], return_index=True, return_inverse=True)
    by_rank = np.lexsort((nodes, both["id_hash"][first], both["priority"][first]))
    rank = np.empty(len(nodes), np.int64)
    rank[by_rank] = np.arange(len(nodes))
    one, two = rank[place[: len(place) // 2]], rank[place[len(place) // 2 :]]
    better, other = np.minimum(one, two), np.maximum(one, two)
    order = np.lexsort((better, other))
    better, other, score = better[order], other[order], found["score"][order]
    if keep == "component":
        stays = components(len(nodes), better, other) == np.arange(len(nodes))
        better, other, score = (np.concatenate(both) for both in ((better, other), (other, better), (score, score)))
        asks = ~stays[other]
    else:
        stays = neighbours(len(nodes), better, other)
        asks = stays[better]
    # Of its neighbours (that stay) the partner is the most similar, of those the best.
    better, other, score = better[asks], other[asks], score[asks]
    order = np.lexsort((better, -score, other))
    chosen = order[group_starts(other[order])]
    partner, loser = nodes[by_rank[better[chosen]]], nodes[by_rank[other[chosen]]]
    yield from keyed(part_of(partner), record_batch({"row": row_of(partner), "loser": loser, "score": score[chosen]}))


def name_partners(
    part: PartRef, batches: Iterator[pa.RecordBatch], blocks: Sequence[pa.RecordBatch], partitions: int
) -> Iterator[Block]:
    """Decisions: the `row` of a document that goes; `partner`, `partner_part` and `partner_row`, the id and place of
    the one for which it goes; `score`, how similar they are. A reread of ids."""
    losers = columns(blocks)
    for first_row, batch in numbered(batches):
        here = np.flatnonzero((losers["row"] >= first_row) & (losers["row"] < first_row + batch.num_rows))
        body = {
            "row": row_of(losers["loser"][here]),
            "partner": batch.column("id").take(pa.array(losers["row"][here] - first_row)),
            "partner_part": np.full(len(here), part.index, np.int32),
            "partner_row": losers["row"][here],
            "score": losers["score"][here],
        }
        yield from keyed(part_of(losers["loser"][here]), record_batch(body))


@kernel
def components(nodes: Any, a: Any, b: Any) -> Any:
    """The least node of the component of each of the nodes 0..nodes-1, given edges a[i] - b[i]; int64, (nodes,).

    Union by least node and path halving: as good as linear in the number of edges.
    """
    parent = np.arange(nodes)
    for edge in range(len(a)):
        x, y = a[edge], b[edge]
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        while parent[y] != y:
            parent[y] = parent[parent[y]]
            y = parent[y]
        parent[max(x, y)] = min(x, y)
    for x in range(nodes):
        parent[x] = parent[parent[x]]  # parents are never greater, so those of lesser nodes are roots by now
    return parent


@kernel
def neighbours(nodes: Any, better: Any, other: Any) -> Any:
    """Which of the nodes 0..nodes-1 stay: those without a lesser neighbour that stays. Edges better[i] < other[i] in
    order of `other`; bool, (nodes,)."""
    stays = np.ones(nodes, np.bool_)
    for edge in range(len(better)):
        if stays[better[edge]]:
            stays[other[edge]] = False
    return stays
