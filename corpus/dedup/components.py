"""Connected components of pairs of equal documents, and who stays: last rounds of `Near` and `Overlap`.

A pair is a row with `node`, `priority`, `id_hash` of the better document (order of `corpus.rules.Winner`) and
`other_node`, `other_priority`, `other_id_hash` of the other. A node is part * 2^32 + row.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dedup.blocks import columns, cut, drops, group_starts, partition_of, record_batch
from corpus.kernel import kernel
from corpus.rules import Block

Nodes = npt.NDArray[np.int64]

FIELDS = ("node", "priority", "id_hash")


def pairs(documents: Mapping[str, npt.NDArray[Any]], better: Nodes, other: Nodes) -> pa.RecordBatch:
    """Pairs of documents given by their places in columns that hold `FIELDS`."""
    body = {field: documents[field][better] for field in FIELDS}
    return record_batch(body | {f"other_{field}": documents[field][other] for field in FIELDS})


def pairs_by_partition(found: pa.RecordBatch, partitions: int) -> Iterator[Block]:
    """Pairs cut so that equal pairs meet in one partition."""
    yield from cut(partition_of(found.column("id_hash").to_numpy(), partitions), found)


def distinct_pairs(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """A round that gives each pair once, before all of them must fit in one partition."""
    found = pa.concat_batches(blocks)
    node, other = found.column("node").to_numpy(), found.column("other_node").to_numpy()
    order = np.lexsort((other, node))
    yield 0, found.take(pa.array(order[group_starts(node[order], other[order])]))


def decide_components(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """The last round, from pairs to rows to drop. It must be one partition; about 220 bytes for each pair."""
    found = columns(blocks)
    both = {field: np.concatenate([found[field], found[f"other_{field}"]]) for field in FIELDS}
    nodes, first, place = np.unique(both["node"], return_index=True, return_inverse=True)
    half = len(place) // 2
    component = components(len(nodes), place[:half], place[half:])
    order = np.lexsort((nodes, both["id_hash"][first], both["priority"][first], component))
    loser = nodes[order[~group_starts(component[order])]]
    yield from drops((loser >> 32).astype(np.int32), loser.astype(np.uint32))


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
