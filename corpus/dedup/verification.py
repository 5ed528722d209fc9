"""From candidates to verified pairs: documents ask each other for their sets of shingles, in two turns.

What goes between parts, in tables of `corpus.dedup.messages` ("here" is the part that gets a row, "it" the document
`row` of that part):

- `entry`: a bucket (`key`) that a document of the sender is in; in the round of differences also whether it
  `asks` those before it there, or is decided already.
- `candidate`: it may be a near duplicate of `node`, which is better; `asked` for its set or not yet; `crowded`: found
  as the best one of a crowded bucket.
- `ask`: `asker` wants to see its set, or if `brief` only the set's hash, since the two are equal in all bands.
  `group`: the document that the asker is settled for, or the asker.
- `set`: the set of a document of the sender and its hash, or the hash alone; `free`: it has no candidates that are
  better, so that it stays; `gone`: it is known to have gone, when the index that keeps it was made.
- `verified`: it is a near duplicate of `node`, and `settled` if that one is free: it goes, for that one.

Documents of an index are decided. They ask for the best ones of crowded buckets alone, since what they lack of these
brings later documents to them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dedup.blocks import Ints, columns, group_starts, keyed, numbered, partition_of, record_batch
from corpus.dedup.buckets import bucket_pairs
from corpus.dedup.components import Keep, Nodes, node_of, pairs, part_of, row_of
from corpus.dedup.messages import SENDER, Table, empty, receive, rows_of, send
from corpus.dedup.sets import Elements, decode_set, decode_sets, encode_sets, hash_sets, shingle_sets, similarities
from corpus.dedup.winners import Prefer, competitors
from corpus.rules import Block, PartRef
from corpus.text.buffers import Offsets, text_buffers
from corpus.text.hashing import Hashes
from corpus.text.shingles import mix

DIFFERENCES = 8
"""Shingles by which a document of a crowded bucket is compared again, when it is not like the best one there."""

ENTRY = {"key": np.uint32, "order": np.uint32, "row": np.uint32}
DIFFERENCE = {**ENTRY, "asks": np.bool_}
CANDIDATE = {"row": np.uint32, "node": np.int64, "asked": np.bool_, "crowded": np.bool_}
ASK = {"row": np.uint32, "asker": np.int64, "group": np.int64, "brief": np.bool_}
SET = {
    "row": np.uint32,
    "priority": np.int64,
    "id_hash": np.uint64,
    "free": np.bool_,
    "gone": np.bool_,
    "hash": np.uint64,
}
VERIFIED = {
    "row": np.uint32,
    "node": np.int64,
    "priority": np.int64,
    "id_hash": np.uint64,
    "score": np.float32,
    "settled": np.bool_,
}


_NO_SETS = rows_of(empty(SET), SET).append_column("set", pa.array([], pa.large_binary()))


def entries(hashes: Hashes, order: npt.NDArray[np.uint32], row: npt.NDArray[np.uint32]) -> pa.RecordBatch:
    """Entries of 12 bytes. Of a bucket's hash the upper half gives the partition, the lower is the key. `order` is
    `short` of `corpus.dedup.winners`: of two documents that are equal in it each is a candidate of the other."""
    return rows_of({"key": hashes.astype(np.uint32), "order": order, "row": row}, ENTRY)


def pair_buckets(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """The round of buckets: candidates, for the parts of those that will ask."""
    found = receive(blocks, "entry")
    node = node_of(found[SENDER], found["row"])
    better, other, crowded = bucket_pairs(found["key"], found["order"], node)
    body = {"row": found["row"][other], "node": node[better], "order": found["order"][better], "crowded": crowded}
    yield from keyed(part_of(node[other]), record_batch(body))


def choose(
    part: PartRef, batches: Iterator[pa.RecordBatch], blocks: Sequence[pa.RecordBatch], partitions: int, bands: int
) -> Iterator[Block]:
    """Each document asks the best of its candidates, and the best one of each crowded bucket. Reads no documents."""
    found = columns(blocks)
    order = np.lexsort((~found["crowded"], found["node"], found["order"], found["row"]))
    starts = np.flatnonzero(group_starts(found["row"][order], found["node"][order]))
    buckets = np.diff(starts, append=len(order))
    found = {name: column[order[starts]] for name, column in found.items()}
    found["asked"] = found["crowded"] if part.kept else group_starts(found["row"]) | found["crowded"]
    found["brief"] = buckets == bands
    asker = node_of(part.index, found["row"])
    yield from _ask(part.index, asker, found, asker, empty(VERIFIED) | {SENDER: np.empty(0, np.int64)})


@dataclass(frozen=True)
class Verifier:
    """The turns, by the settings of `corpus.dedup.near.Near`."""

    threshold: float
    ngram: int
    keep: Keep
    prefer: Prefer | None

    def send_sets(
        self, part: PartRef, batches: Iterator[pa.RecordBatch], blocks: Sequence[pa.RecordBatch], partitions: int
    ) -> Iterator[Block]:
        """Sends the sets that were asked for, each once to a part; what this part knows, it tells itself again."""
        asks, candidates, verified = (receive(blocks, kind) for kind in ("ask", "candidate", "verified"))
        own, settled = node_of(part.index, asks["row"]), verified["settled"]
        group = _groups(own, node_of(part.index, verified["row"][settled]), verified["node"][settled])
        # One that has gone takes no other with it; what is in one component needs no other pair.
        useless = group == asks["group"] if self.keep == "component" else group != own
        wanted, brief = node_of(part_of(asks["asker"]), asks["row"])[~useless], asks["brief"][~useless]
        order = np.lexsort((brief, wanted))
        order = order[group_starts(wanted[order])]
        to, row, brief = part_of(wanted[order]), row_of(wanted[order]), brief[order]
        yield from self._tell(part.index, to[:0], _NO_SETS, candidates, verified)
        for first_row, batch in numbered(batches) if len(row) else ():
            here = np.flatnonzero((row >= first_row) & (row < first_row + batch.num_rows))
            if not len(here):
                continue
            places, which = np.unique(row[here].astype(np.int64) - first_row, return_inverse=True)
            documents = competitors(part, batch, first_row, self.prefer)
            body = {name: documents[name][places] for name in ("row", "priority", "id_hash")}
            body["free"] = ~np.isin(body["row"], candidates["row"])
            body["gone"] = np.asarray(batch.column("gone"))[places] if part.kept else np.zeros(len(places), np.bool_)
            sets = self._sets(part, batch, places)
            body["hash"] = hash_sets(*sets)
            whole = encode_sets(*sets).take(pa.array(which, mask=brief[here]))
            rows = rows_of(body, SET).take(pa.array(which)).append_column("set", whole)
            yield from self._tell(part.index, to[here], rows, empty(CANDIDATE), empty(VERIFIED))

    def _sets(self, part: PartRef, batch: pa.RecordBatch, rows: npt.NDArray[Any]) -> tuple[Elements, Offsets]:
        """Of some of the documents, or of what an index keeps of them."""
        if part.kept:
            return decode_sets(batch.column("set").take(pa.array(rows)))
        return shingle_sets(*text_buffers(batch.column("text").take(pa.array(rows))), self.ngram)

    @staticmethod
    def _tell(
        sender: int, to: npt.NDArray[Any], sets: pa.RecordBatch, candidates: Table, verified: Table
    ) -> Iterator[Block]:
        own = {
            name: (np.full(len(table["row"]), sender), rows_of(table, kind))
            for name, table, kind in (("candidate", candidates, CANDIDATE), ("verified", verified, VERIFIED))
        }
        yield from send(sender, {"set": (to, sets), **own})

    def verify_first(
        self, part: PartRef, batches: Iterator[pa.RecordBatch], blocks: Sequence[pa.RecordBatch], partitions: int
    ) -> Iterator[Block]:
        """The first turn. Who is settled by the sets that came is done; the others go on with all their candidates.
        Those unlike the best one of a crowded bucket enter buckets again, by shingles that the best one lacks."""
        candidates = receive(blocks, "candidate")
        tables, hashes, found = [empty(VERIFIED)], [np.empty(0, np.uint64)], [empty(DIFFERENCE)]
        left = ~candidates["asked"] & (not part.kept)
        for batch in self._compared(part, batches, candidates, blocks):
            left[batch.pair] = np.isnan(batch.similarity) & (not part.kept)
            like = batch.verified(self.threshold)
            if not part.kept:
                tables.append(like)
            hidden = candidates["crowded"][batch.pair] & (batch.similarity < self.threshold)
            decided = np.full(len(hidden), part.kept)
            if self.keep == "neighbours":
                decided |= np.isin(candidates["row"][batch.pair], like["row"][like["settled"]])
            for place in np.flatnonzero(hidden):
                new = batch.difference(place)
                hashes.append(new)
                at = np.repeat(batch.document[place], len(new))
                found.append(
                    {
                        "key": new.astype(np.uint32),
                        "order": batch.documents["short"][at],
                        "row": batch.documents["row"][at],
                        "asks": np.full(len(new), not decided[place]),
                    }
                )
        verified = {name: np.concatenate([table[name] for table in tables]) for name in VERIFIED}
        if self.keep == "neighbours":
            left &= ~np.isin(candidates["row"], verified["row"][verified["settled"]])
        hashed = np.concatenate(hashes)
        rows = {name: np.concatenate([table[name] for table in found]) for name in DIFFERENCE}
        left = {name: candidates[name][left] for name in CANDIDATE}
        here = part.index % partitions  # any would do: it comes back
        yield from send(
            part.index,
            {
                "entry": (partition_of(hashed, partitions), rows_of(rows, DIFFERENCE)),
                "candidate": (np.full(len(left["row"]), here), rows_of(left, CANDIDATE)),
                "verified": (np.full(len(verified["row"]), here), rows_of(verified, VERIFIED)),
            },
        )

    def verify_all(
        self, part: PartRef, batches: Iterator[pa.RecordBatch], blocks: Sequence[pa.RecordBatch], partitions: int
    ) -> Iterator[Block]:
        """The second turn. Gives all verified pairs of this part, as `corpus.dedup.components` takes them."""
        before = receive(blocks, "verified")
        del before[SENDER]
        for batch in self._compared(part, batches, receive(blocks, "candidate"), blocks, also=before["row"]):
            earlier = _within(before, batch.documents["row"])
            new = batch.verified(self.threshold)
            found = {name: np.concatenate([earlier[name], new[name]]) for name in VERIFIED}
            if len(found["row"]):
                at = found["row"].astype(np.int64) - int(batch.documents["row"][0])
                own = {name: batch.documents[name][at] for name in ("priority", "id_hash")}
                yield 0, pairs(found, own | {"node": node_of(part.index, found["row"])}, score=found["score"])

    def _compared(
        self,
        part: PartRef,
        batches: Iterator[pa.RecordBatch],
        candidates: Table,
        blocks: Sequence[pa.RecordBatch],
        also: npt.NDArray[Any] | None = None,
    ) -> "Iterator[_Compared]":
        """The similarity of each candidate whose set came, for each batch that has such, or some of the rows `also`."""
        sets = receive(blocks, "set")
        nodes = node_of(sets[SENDER], sets["row"])
        order = np.argsort(nodes)
        place = np.minimum(np.searchsorted(nodes[order], candidates["node"]), max(0, len(nodes) - 1))
        came = np.zeros(len(candidates["node"]), np.bool_)
        if len(nodes):
            place = order[place]
            came = (nodes[place] == candidates["node"]) & candidates["asked"]
        wanted = candidates["row"][came]
        if also is not None:
            wanted = np.concatenate([wanted, also])
        for first_row, batch in numbered(batches) if len(wanted) else ():
            last = first_row + batch.num_rows
            if not ((wanted >= first_row) & (wanted < last)).any():
                continue
            pair = np.flatnonzero(came & (candidates["row"] >= first_row) & (candidates["row"] < last))
            document = candidates["row"][pair].astype(np.int64) - first_row
            rows, mine = np.unique(document, return_inverse=True)
            elements, ends = self._sets(part, batch, rows)
            similarity = np.where(sets["hash"][place[pair]] == hash_sets(elements, ends)[mine], 1.0, np.nan)
            whole = np.flatnonzero(sets["set"].is_valid().to_numpy(zero_copy_only=False)[place[pair]])
            similarity[whole] = similarities(sets["set"], place[pair[whole]], elements, ends, mine[whole])
            documents = competitors(part, batch, first_row, self.prefer)
            yield _Compared(documents, pair, document, place[pair], similarity, sets, nodes, (elements, ends, mine))


@dataclass(frozen=True)
class _Compared:
    """Candidates of the documents of one batch, compared with the sets that came.

    Attributes:
        documents: `competitors` of the batch.
        pair: number of each candidate in the table of candidates.
        document: its place in the batch.
        which: number of its set among `sets`, whose documents are `nodes`.
        similarity: NaN where a hash alone came, and was another.
        own: the sets of the batch's documents, and which of these is that of each candidate's.
    """

    documents: Table
    pair: Ints
    document: Ints
    which: Ints
    similarity: npt.NDArray[np.float64]
    sets: Table
    nodes: Nodes
    own: tuple[Any, Any, Ints]

    def verified(self, threshold: float) -> Table:
        """The pairs that reach the threshold."""
        like = (self.similarity >= threshold) & ~self.sets["gone"][self.which]
        document, which = self.document[like], self.which[like]
        found = {"row": self.documents["row"][document], "node": self.nodes[which], "score": self.similarity[like]}
        found |= {name: self.sets[name][which] for name in ("priority", "id_hash")}
        own_priority, own_id = (self.documents[name][document] for name in ("priority", "id_hash"))
        first = (found["priority"] < own_priority) | ((found["priority"] == own_priority) & (found["id_hash"] < own_id))
        found["settled"] = self.sets["free"][which] & first
        return found

    def difference(self, place: Any) -> Hashes:
        """Hashes of the least shingles of a candidate that the set which came lacks."""
        elements, ends, mine = self.own
        other = decode_set(self.sets["set"][int(self.which[place])].as_py())
        own = elements[ends[mine[place]] : ends[mine[place] + 1]]
        lacked = np.setdiff1d(own, other, assume_unique=True)[:DIFFERENCES].astype(np.uint64)
        leader = np.array([self.nodes[self.which[place]]], np.int64).astype(np.uint64)
        return np.asarray(mix(lacked ^ mix(leader)))


def pair_differences(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """The round of differences: documents of a crowded bucket that have shingles in common which its best one lacks
    become candidates. Every candidate is asked now."""
    left, verified, found = (receive(blocks, kind) for kind in ("candidate", "verified", "entry"))
    node = node_of(found[SENDER], found["row"])
    better, other, _ = bucket_pairs(found["key"], found["order"], node)
    better, other = better[found["asks"][other]], other[found["asks"][other]]
    asker = np.concatenate([node_of(left[SENDER], left["row"]), node[other]])
    asked = np.concatenate([left["node"], node[better]])
    order = np.lexsort((asked, asker))
    order = order[group_starts(asker[order], asked[order])]
    settled = verified["settled"]
    group = _groups(asker[order], node_of(verified[SENDER], verified["row"])[settled], verified["node"][settled])
    every = np.ones(len(order), np.bool_)
    yield from _ask(
        -1, asker[order], {"node": asked[order], "asked": every, "crowded": ~every, "brief": ~every}, group, verified
    )


def _ask(sender: int, asker: Nodes, candidates: Table, group: Nodes, verified: Table) -> Iterator[Block]:
    """Messages for `send_sets`: of these candidates of `asker` those that are asked, and what is known so far."""
    asked = candidates["asked"]
    better = candidates["node"][asked]
    asks = {"row": row_of(better), "asker": asker[asked], "group": group[asked], "brief": candidates["brief"][asked]}
    yield from send(
        sender,
        {
            "ask": (part_of(better), rows_of(asks, ASK)),
            "candidate": (part_of(asker), rows_of(candidates | {"row": row_of(asker)}, CANDIDATE)),
            "verified": (verified[SENDER], rows_of(verified, VERIFIED)),
        },
    )


def _groups(nodes: Nodes, settled: Nodes, partner: Nodes) -> Nodes:
    """Of each node the document that it is settled for, else itself."""
    if not len(settled):
        return nodes
    order = np.lexsort((partner, settled))
    settled, partner = settled[order], partner[order]
    place = np.minimum(np.searchsorted(settled, nodes), len(settled) - 1)
    return np.where(settled[place] == nodes, partner[place], nodes)


def _within(table: Table, rows: npt.NDArray[np.uint32]) -> Table:
    """The rows of a table whose `row` is one of consecutive numbers."""
    here = (table["row"] >= rows[0]) & (table["row"] <= rows[-1])
    return {name: column[here] for name, column in table.items()}
