"""Drops short documents, and long ones if asked."""

from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.filters.reasons import first_reason
from corpus.settings import Settings


class Length(Settings):
    """Length of the text in code points. Score column: `characters` (int64). Reasons: `too_short`, `too_long`.

    Attributes:
        min_chars: the least that is kept (CCNet: 300 after line dedup, cc_net/mine.py `min_len`).
        max_chars: the most that is kept, or None.
    """

    version: ClassVar[int] = 1
    thresholds: ClassVar[frozenset[str]] = frozenset({"min_chars", "max_chars"})

    min_chars: int = Field(default=300, ge=0)
    max_chars: int | None = Field(default=None, ge=0)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict({"characters": pc.utf8_length(batch.column("text")).cast(pa.int64())})

    def decide(self, scores: pa.RecordBatch) -> pa.Array:
        characters = scores.column("characters")
        conditions = {"too_short": pc.less(characters, self.min_chars)}
        if self.max_chars is not None:
            conditions["too_long"] = pc.greater(characters, self.max_chars)
        return first_reason(len(characters), conditions)
