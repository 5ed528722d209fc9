"""Drops short documents, and long ones if asked."""

from typing import Annotated, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.rules import Filter
from corpus.thresholds import AtLeast, AtMost


class Length(Filter):
    """Length of the text in code points. Score column: `characters` (int64). Reasons: `too_short`, `too_long`.

    Attributes:
        min_chars: the least that is kept (CCNet: 300 after line dedup, cc_net/mine.py `min_len`).
        max_chars: the most that is kept, or None.
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)

    min_chars: Annotated[int, AtLeast("characters", "too_short")] = Field(default=300, ge=0)
    max_chars: Annotated[int | None, AtMost("characters", "too_long")] = Field(default=None, ge=0)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict({"characters": pc.utf8_length(batch.column("text")).cast(pa.int64())})
