"""Books that are mostly contained in other books."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpus.dedup.blocks import (
    Ints,
    columns,
    drop_rows,
    group_starts,
    numbered,
    partition_of,
    partitioned,
    record_batch,
)
from corpus.dedup.components import Keep, decide, name_partners, pairs, pairs_by_partition
from corpus.dedup.winners import Prefer, competitors
from corpus.kernel import kernel
from corpus.rules import Block, Cleaned, Dedup, PartRef, Reread, Round
from corpus.text.buffers import text_buffers
from corpus.text.hashing import Hashes
from corpus.text.shingles import shingle_rows

LEAST_SHINGLES = 20
"""Two documents are not compared by fewer shingles than this: of one or two, all could be in some book by chance."""

HELD_PAIRS = 1 << 22
"""Pairs listed before equal ones are counted together: bounds the memory of a partition."""


class Overlap(Dedup):
    """Keeps one of the books that overlap, the first in the order of `corpus.rules.Winner`.

    Two documents overlap when |A n B| / min(|A|, |B|) >= `threshold` over their sets of token n-grams
    (`corpus.text.shingles`): LLaMA-1 drops books with more than 90% content overlap (section 2.1).

    The sets are sampled by hash, the same n-grams in every document, and the shares counted exactly in the sample:
    at 32, a novel of 100,000 words has 3,000, and the standard error of a share of 0.9 is 0.005. A document with fewer
    than 40 sampled n-grams (about 1,280 words) is compared with others like it by all of its n-grams. What is not
    compared: a document of fewer than 20 n-grams (24 words), with any; one of fewer than 20 sampled n-grams (about 640
    words), with one of 40 or more. An n-gram in more than `max_documents` documents does not count as shared (a licence
    text); a text in more editions than that is not found. Reason: `overlap`.

    Attributes:
        threshold: least share of the smaller document's n-grams.
        ngram: tokens in an n-gram.
        sample: one n-gram in so many is used.
        max_documents: an n-gram in more documents than this is ignored.
        keep: `component`: one book stays of all that are connected. `neighbours`: a book goes only for one that
            overlaps with it and stays.
        prefer: who wins among books of one source: `longest` text, `newest`, or `metadata.KEY`, the highest number
            under that key; null = by the hash of the id. An earlier source always wins.
    """

    version: ClassVar[int] = 2
    keeps: ClassVar[float] = 0.9  # assumed
    reasons: ClassVar[tuple[str, ...]] = ("overlap",)
    names_partners: ClassVar[bool] = True
    spills: ClassVar[str] = "52 B x documents + 8 B for each sampled n-gram"

    threshold: float = Field(default=0.9, gt=0, le=1)
    ngram: int = Field(default=5, ge=1)
    sample: int = Field(default=32, ge=1)
    max_documents: int = Field(default=100, ge=2)
    keep: Keep = "component"
    prefer: Prefer | None = None

    def estimate(self, documents: int, text_bytes: int) -> int:
        words = text_bytes / 5.7 / max(1, documents)
        share = 1 if words < 2 * LEAST_SHINGLES * self.sample else 1 / self.sample
        return documents * (52 + int(words * share * 8))

    def sign(self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        yield from partitioned(self._samples(part, batches, partitions), partitions)

    def _samples(
        self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int
    ) -> Iterator[tuple[Hashes, pa.RecordBatch]]:
        """One row for each document and partition, with the list of the document's hashes there: all where `size` is
        how many it has, else those in the sample."""
        for first_row, batch in numbered(batches):
            every, ends = shingle_rows(*text_buffers(batch.column("text")), self.ngram)
            in_sample = np.flatnonzero(every % np.uint64(self.sample) == 0)
            hashes, row = _distinct(every[in_sample], np.searchsorted(ends, in_sample, side="right") - 1)
            sampled = np.bincount(row, minlength=batch.num_rows)
            short = sampled < 2 * LEAST_SHINGLES
            count = np.where(short, np.diff(ends), 0)
            whole = every[np.repeat(short, np.diff(ends))] if short.any() else every[:0]
            all_hashes, all_row = _distinct(whole, np.repeat(np.arange(batch.num_rows), count))
            size = np.bincount(all_row, minlength=batch.num_rows)
            given, all_given = ~short[row], size[all_row] >= LEAST_SHINGLES
            hashes = np.concatenate([hashes[given], all_hashes[all_given]])
            row = np.concatenate([row[given], all_row[all_given]])
            starts = np.flatnonzero(group_starts(row, partition_of(hashes, partitions)))
            sizes = {"size": size, "sampled": sampled}
            documents = competitors(part, batch, first_row, self.prefer)
            del documents["short"]
            body = record_batch({**documents, **sizes})
            lists = pa.LargeListArray.from_arrays(np.append(starts, len(hashes)), hashes)
            yield hashes[starts], body.take(pa.array(row[starts])).append_column("hashes", lists)

    def rounds(self) -> Sequence[Round | Reread]:
        return [
            Round(self._count_shared),
            Round(self._decide_pairs),
            Round(partial(decide, keep=self.keep), partitions=1),
            Reread(name_partners, columns=("id",)),
        ]

    def _count_shared(self, blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        """How many of this partition's hashes each pair of documents shares."""
        batch = pa.concat_batches(blocks)
        documents = columns([batch.drop_columns(["hashes"])])
        documents["node"] = documents["part"].astype(np.int64) << 32 | documents["row"]
        by_winner = np.lexsort([documents[key] for key in ("node", "id_hash", "priority")])
        documents = {name: column[by_winner] for name, column in documents.items()}
        lists = batch.column("hashes").take(pa.array(by_winner))
        hashes = lists.flatten().to_numpy()
        owner = np.repeat(np.arange(len(lists)), lists.value_lengths().to_numpy())
        better, other, shared = _shared(hashes, owner, self.max_documents)
        size, sampled = (np.minimum(documents[name][better], documents[name][other]) for name in ("size", "sampled"))
        smaller = np.where(size > 0, size, sampled)  # where one gave its sample, the two have only samples in common
        compared = smaller >= LEAST_SHINGLES
        one, two = ({name: column[at[compared]] for name, column in documents.items()} for at in (better, other))
        found = pairs(one, two, shared=shared[compared], smaller=smaller[compared])
        yield from pairs_by_partition(found, partitions)

    def _decide_pairs(self, blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        """Adds up the partitions' counts and gives the pairs that overlap."""
        found = pa.concat_batches(blocks)
        values = columns([found])
        order = np.lexsort((values["other_node"], values["node"]))
        starts = np.flatnonzero(group_starts(values["node"][order], values["other_node"][order]))
        shared = np.add.reduceat(values["shared"][order], starts)
        # a hair less, because 0.9 x 50 is not 45 in binary
        smaller = values["smaller"][order[starts]]
        overlaps = shared >= self.threshold * smaller - 1e-6
        if overlaps.any():
            score = pa.array((shared[overlaps] / smaller[overlaps]).astype(np.float32))
            chosen = found.drop_columns(["shared", "smaller"]).take(pa.array(order[starts[overlaps]]))
            yield 0, chosen.append_column("score", score)

    def memory(self) -> str:
        return (
            "a later document can make an n-gram too frequent to count, and can join two that stayed; `near` with "
            "`keep: neighbours` can go on from an index"
        )

    def apply(self, batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> Cleaned:
        return drop_rows(batch, first_row, decisions, "overlap")


def _distinct(hashes: Hashes, row: Ints) -> tuple[Hashes, Ints]:
    """Hashes in order of their rows, and sorted and once in each row, with their rows."""
    order = np.argsort(hashes)
    order = order[
        np.argsort(row[order].astype(np.uint16) if row.max(initial=0) < 1 << 16 else row[order], kind="stable")
    ]
    hashes, row = hashes[order], row[order]
    first = group_starts(row, hashes)
    return hashes[first], row[first]


def _shared(hashes: Hashes, owner: Ints, max_documents: int) -> tuple[Ints, Ints, Ints]:
    """(lower document, higher document, number of common hashes) of all pairs with any.

    Args:
        hashes: without repeats in one document.
        owner: document of each hash.
    """
    order = np.lexsort((owner, hashes))
    starts = np.flatnonzero(group_starts(hashes[order]))
    holders = np.diff(starts, append=len(order))
    common = (holders > 1) & (holders <= max_documents)
    starts, holders = starts[common], holders[common]
    before = np.cumsum(holders * (holders - 1) // 2)
    cuts = np.searchsorted(before, np.arange(HELD_PAIRS, before[-1] if len(before) else 0, HELD_PAIRS))
    keys, counts = np.empty(0, np.int64), np.empty(0, np.int64)
    for some in np.split(np.arange(len(starts)), cuts):
        new, times = np.unique(_pair_keys(owner[order], starts[some], holders[some]), return_counts=True)
        keys, place = np.unique(np.concatenate([keys, new]), return_inverse=True)
        total = np.zeros(len(keys), np.int64)
        total[place[: len(counts)]] = counts
        total[place[len(counts) :]] += times
        counts = total
    return keys >> 32, keys & 0xFFFFFFFF, counts


@kernel
def _pair_keys(owner: Any, starts: Any, holders: Any) -> npt.NDArray[np.int64]:
    """lower * 2^32 + higher for all pairs of owner[starts[i]:starts[i] + holders[i]]."""
    out = np.empty((holders * (holders - 1) // 2).sum(), np.int64)
    at = 0
    for i in range(len(starts)):
        for j in range(starts[i], starts[i] + holders[i]):
            for k in range(j + 1, starts[i] + holders[i]):
                out[at] = owner[j] << 32 | owner[k]
                at += 1
    return out
