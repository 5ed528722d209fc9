"""Drops documents that someone asked to take out."""

from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from corpus.rules import Filter


class Remove(Filter):
    """Drops the documents of these ids and URLs; samples of the step do not show them. `corpus remove` puts this rule
    behind all others of a run.

    Score column: `listed` (bool). Reason: `on_request`.

    Attributes:
        ids, urls: as the documents have them.
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("id", "url")
    reasons: ClassVar[tuple[str, ...]] = ("on_request",)
    other_scores: ClassVar[tuple[str, ...]] = ("listed",)
    shows_dropped: ClassVar[bool] = False

    ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        of_id = pc.is_in(batch.column("id"), pa.array(self.ids, pa.string()))
        of_url = pc.is_in(batch.column("url"), pa.array(self.urls, pa.string()))
        return pa.RecordBatch.from_pydict({"listed": pc.or_(of_id, of_url)})

    def decide(self, scores: pa.RecordBatch) -> pa.Array:
        reason = pa.scalar("on_request", pa.string())
        return pc.if_else(scores.column("listed"), reason, pa.scalar(None, pa.string()))
