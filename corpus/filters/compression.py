"""Drops texts that compress too well, which repeat themselves, or hardly at all, which are noise."""

import zlib
from itertools import pairwise
from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from corpus.rules import Filter
from corpus.text.buffers import text_buffers
from corpus.thresholds import AtLeast, AtMost


class Compression(Filter):
    """How small zlib makes a text, at its default level 6, as gzip and AI2's datamap-rs (`gzip_annotator`) do.

    Score column: `compression`, bytes of the zlib stream by bytes of UTF-8, four decimals, null for an empty text.
    English prose of a few thousand words has 0.4 to 0.6, shorter texts more. Reasons: `compresses_well`,
    `compresses_badly`. No recipe publishes thresholds: look at the scores of yours.

    Attributes:
        min_ratio, max_ratio: least and most that is kept; None keeps all.
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)

    min_ratio: Annotated[float | None, AtLeast("compression", "compresses_well")] = Field(default=None, ge=0)
    max_ratio: Annotated[float | None, AtMost("compression", "compresses_badly")] = Field(default=None, ge=0)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        data, offsets = text_buffers(batch.column("text"))
        sizes = np.diff(offsets)
        packed = [len(zlib.compress(data[start:end].tobytes())) for start, end in pairwise(offsets)]
        ratios = np.round(np.array(packed, np.float64) / np.maximum(sizes, 1), 4)
        return pa.RecordBatch.from_pydict({"compression": pa.array(ratios, mask=sizes == 0)})
