"""Stores the MinHash signature of each text, and drops nothing."""

from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from corpus.dedup.minhash import signatures
from corpus.rules import Filter
from corpus.text.buffers import text_buffers


class Signatures(Filter):
    """The signatures that `near` makes, kept in the folder of scores: to look documents up by what they are like
    (`corpus near query`), or to load them into an index of datasketch (`corpus.sketches`).

    Score column: `signature`, the minima of datasketch's permutations (`MinHash(num_perm=minima, seed=1)`, scheme
    affine32) over the hashes of the shingles (`corpus.text.shingles`), 32-bit little-endian; null for a text without
    letters or digits.

    Attributes:
        minima: of a signature, 4 bytes each; 112 as `near` has for 0.8.
        ngram: tokens in a shingle (5, as in `near`).
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)
    other_scores: ClassVar[tuple[str, ...]] = ("signature",)

    minima: int = Field(default=112, ge=2, le=4096)
    ngram: int = Field(default=5, ge=1)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        found, shingles = signatures(*text_buffers(batch.column("text")), self.ngram, self.minima)
        width = 4 * self.minima
        data = pa.py_buffer(np.ascontiguousarray(found, "<u4").tobytes())
        valid = pa.array(shingles > 0).buffers()[1]
        column = pa.Array.from_buffers(pa.binary(width), batch.num_rows, [valid, data])
        return pa.RecordBatch.from_arrays([column], names=["signature"])
