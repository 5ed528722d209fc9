"""Near duplicates of documents, by MinHash."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from corpus.dedup.blocks import (
    columns,
    document_columns,
    drop_rows,
    group_starts,
    numbered,
    partitioned,
    record_batch,
)
from corpus.dedup.components import decide_components, distinct_pairs, pairs, pairs_by_partition
from corpus.dedup.minhash import band_keys, matches_needed, optimal_bands, signatures, sketches
from corpus.kernel import kernel
from corpus.rules import Block, Cleaned, Dedup, PartRef, Round
from corpus.text.buffers import text_buffers
from corpus.text.hashing import Hashes

MAX_LEADERS = 64
"""In one bucket, documents are compared with so many of the better ones at most: bounds a bucket of boilerplate."""


class Near(Dedup):
    """Keeps one document of each cluster of near duplicates: the first in the order of `corpus.rules.Winner`.

    1. Each document's set of token n-grams (`corpus.text.shingles`) gets a MinHash signature (`corpus.dedup.minhash`),
       cut into bands; documents that agree in a whole band meet in a bucket.
    2. In a bucket, in the order of winners, each document is compared with the leaders; it is paired with those whose
       estimated Jaccard similarity reaches `threshold`, and becomes a leader when there is none. The estimate is from
       one byte of each minimum: its standard error at similarity 0.8 and 128 permutations is 0.036.
    3. Clusters are the connected components of all pairs, so that two documents of one cluster may be less similar.

    Documents without letters or digits have no duplicates. Reason: `near_duplicate`.

    Attributes:
        threshold: least estimated Jaccard similarity of a pair (0.8: SlimPajama).
        ngram: tokens in a shingle (5: datatrove, `MinhashConfig.n_grams`; text-dedup).
        permutations: length of a signature (128: SlimPajama; datasketch's default).
        bands, rows: of each signature, both or none; null = the best for the threshold by datasketch's measure, 9 and
            13 by default. These find 40% of the pairs of similarity 0.8 exactly and 93% of those of 0.9. datatrove's
            14 and 8 find 92% and 100%; step 2 removes the false ones that come with them.
    """

    version: ClassVar[int] = 2
    keeps: ClassVar[float] = 0.8  # assumed
    reasons: ClassVar[tuple[str, ...]] = ("near_duplicate",)
    spills: ClassVar[str] = "bands x (permutations + 28 B) x documents"

    threshold: float = Field(default=0.8, gt=0, le=1)
    ngram: int = Field(default=5, ge=1)
    permutations: int = Field(default=128, ge=1, le=4096)
    bands: int | None = Field(default=None, ge=1)
    rows: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _bands_fit(self) -> "Near":
        if (self.bands is None) != (self.rows is None):
            raise ValueError("set both of `bands` and `rows`, or neither")
        if self.bands is not None and self.rows is not None and self.bands * self.rows > self.permutations:
            raise ValueError(f"bands x rows is {self.bands * self.rows}, but `permutations` is {self.permutations}")
        return self

    def banding(self) -> tuple[int, int]:
        """(bands, rows) in use."""
        if self.bands is not None and self.rows is not None:
            return self.bands, self.rows
        return optimal_bands(self.threshold, self.permutations)

    def estimate(self, documents: int, text_bytes: int) -> int:
        return documents * self.banding()[0] * (self.permutations + 28)

    def sign(self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        yield from partitioned(self._signatures(part, batches), partitions)

    def _signatures(self, part: PartRef, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[Hashes, pa.RecordBatch]]:
        """One row for each band of each document that has words."""
        bands, rows = self.banding()
        for first_row, batch in numbered(batches):
            signature, shingles = signatures(*text_buffers(batch.column("text")), self.ngram, self.permutations)
            has_words = np.flatnonzero(shingles)
            keys = band_keys(signature, bands, rows)[has_words].ravel()
            body = document_columns(part, batch, first_row)
            body["sketch"] = pa.FixedSizeListArray.from_arrays(sketches(signature).ravel(), self.permutations)
            repeated = record_batch(body).take(pa.array(np.repeat(has_words, bands)))
            yield keys, repeated.append_column("key", pa.array(keys))

    def rounds(self) -> Sequence[Round]:
        return [Round(self._decide_bucket), Round(distinct_pairs), Round(decide_components, partitions=1)]

    def _decide_bucket(self, blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        batch = pa.concat_batches(blocks)
        sketch = batch.column("sketch").flatten().to_numpy().reshape(-1, self.permutations)
        entries = columns([batch.drop_columns(["sketch"])])
        entries["node"] = entries["part"].astype(np.int64) << 32 | entries["row"]
        order = np.lexsort([entries[key] for key in ("node", "id_hash", "priority", "key")])
        starts = np.flatnonzero(group_starts(entries["key"][order]))
        ends = np.append(starts[1:], len(order))
        better, other = _pairs(order, starts, ends, sketch, matches_needed(self.threshold, self.permutations))
        yield from pairs_by_partition(pairs(entries, better, other), partitions)

    def apply(self, batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> Cleaned:
        return drop_rows(batch, first_row, decisions, "near_duplicate")


@kernel
def _pairs(order: Any, starts: Any, ends: Any, sketch: Any, needed: Any) -> Any:
    """(leader, document) of each pair found in the buckets order[starts[i]:ends[i]]."""
    better = np.empty(1024, np.int64)
    other = np.empty(1024, np.int64)
    count = 0
    leaders = np.empty(MAX_LEADERS, np.int64)
    for bucket in range(len(starts)):
        lead = 0
        for at in range(starts[bucket], ends[bucket]):
            document = order[at]
            alone = True
            for i in range(lead):
                agree = 0
                for p in range(sketch.shape[1]):
                    agree += sketch[leaders[i], p] == sketch[document, p]
                if agree >= needed:
                    alone = False
                    if count == len(better):
                        better = np.append(better, np.empty_like(better))
                        other = np.append(other, np.empty_like(other))
                    better[count] = leaders[i]
                    other[count] = document
                    count += 1
            if alone and lead < MAX_LEADERS:
                leaders[lead] = document
                lead += 1
    return better[:count], other[:count]
