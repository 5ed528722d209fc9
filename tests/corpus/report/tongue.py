"""A filter that finds a language, as `language` does with a model."""

from typing import Annotated, ClassVar

import pyarrow as pa

from corpus.rules import Filter
from corpus.thresholds import OneOf


class Tongue(Filter):
    """The first two letters of a text are its language."""

    reads: ClassVar[tuple[str, ...]] = ("text",)

    keep: Annotated[tuple[str, ...] | None, OneOf("language", "unwanted")] = None

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        found = [text[:2] or None for text in batch.column("text").to_pylist()]
        return pa.RecordBatch.from_pydict({"language": pa.array(found, pa.string())})
