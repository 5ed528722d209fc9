"""Exact repeated passages of documents."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.dedup import passages
from corpus.dedup.copies import Finder, shared_keys
from corpus.dedup.winnowing import LONGEST, Unit, gram_of
from corpus.rules import Block, Cleaned, Dedup, Memory, PartRef, Reread, Round
from corpus.text.buffers import text_buffers


class Substring(Dedup):
    """Finds every passage of `length` or more that stands somewhere else too, and keeps one copy of it, as Lee et al.
    (2022, "Deduplicating training data makes language models better") do with a suffix array.

    A window, `length` units in a row, is a later copy if an equal one comes before it: in a document before it, in the
    order of `corpus.rules.Winner`, or in its own without overlapping it. What later copies cover together is repeated.
    A character that is only partly inside a repeated passage does not belong to it. Windows are equal where their bytes
    are, or 128 bits of hashes (`corpus.dedup.copies`).

    Reasons: `nothing_left` of a document that is empty, or white space alone, without its repeated passages (`cut`);
    `repeated` (`drop`). Of each document `spans` and `bytes` of what is repeated are stored beside the scores.

    Attributes:
        length: of the shortest passage (500 bytes: Dolma 3; the 50 tokens of Lee et al. are about 200 characters).
        unit: that `length` is in: `bytes` of UTF-8, or `characters`, which are code points.
        action: `cut`: repeated passages are cut out of documents, what stood before and behind them then stands
            together. `drop`: documents of which more than `max_share` is repeated go, others stay as they are.
            `report`: nothing goes.
        max_share: of the bytes of a document that may be repeated, with `drop` (our choice).
    """

    version: ClassVar[int] = 1
    keeps: ClassVar[float] = 0.9  # of mixed text 11.5% is repeated (docs/dedup.md)
    reasons: ClassVar[tuple[str, ...]] = ("nothing_left", "repeated")
    removes: ClassVar[Literal["documents", "lines", "passages"]] = "passages"
    spills: ClassVar[str] = "text / 46 + 1.7 x what is repeated (10% of the text)"

    length: int = Field(default=500, ge=1, le=LONGEST)
    unit: Unit = "bytes"
    action: Literal["cut", "drop", "report"] = "cut"
    max_share: float = Field(default=0.5, ge=0, lt=1)

    @property
    def rewrites(self) -> bool:
        return self.action == "cut"

    @property
    def only_reports(self) -> bool:
        return self.action == "report"

    def memory(self) -> Memory | str:
        return "passages are found by comparing text, which an index does not hold: take all snapshots together"

    def estimate(self, documents: int, text_bytes: int) -> int:
        return int(text_bytes * self._anchors * 4.125)  # a key of 4 bytes, and a bit

    def shipped(self, documents: int, text_bytes: int) -> int:
        # What is repeated: its text about once, and of its anchors, with those of the first copies, two rows.
        repeated = (1 - self.keeps) * (1 + 130 * self._anchors)
        return self.estimate(documents, text_bytes) + int(text_bytes * repeated)

    @property
    def _anchors(self) -> float:
        """Of a unit of text."""
        return 2 / (self.length - gram_of(self.length) + 2)

    def sign(self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        yield from self._finder.keys(part, batches, partitions)

    @property
    def _finder(self) -> Finder:
        return Finder(self.length, self.unit)

    def rounds(self) -> Sequence[Round | Reread]:
        finder = self._finder
        return [
            Round(shared_keys),
            Reread(finder.describe, ("id", "text")),
            Round(finder.settle),
            Reread(finder.send_windows, ("id", "text")),
            Round(finder.compare),
            Reread(finder.cover, ("text",)),
        ]

    def apply(self, batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> Cleaned:
        text = batch.column("text")
        data, offsets = text_buffers(text)
        found = _of_rows(decisions, first_row, batch.num_rows)
        size = found.stop - found.start
        repeated = np.bincount(found.row, size, batch.num_rows).astype(np.int64)
        counts = {"spans": np.bincount(found.row, minlength=batch.num_rows), "bytes": repeated}
        left, reason = text, np.zeros(batch.num_rows, np.int8)
        if self.action == "cut":
            left = passages.cut(data, offsets, found)
            bare = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(left)), 0)
            reason = np.where(bare.to_numpy(zero_copy_only=False) & (repeated > 0), 1, 0)
        elif self.action == "drop":
            reason = np.where(repeated > self.max_share * np.diff(offsets), 2, 0)
        return Cleaned(
            left,
            pa.array([None, *self.reasons], pa.string()).take(pa.array(reason)),
            counts=pa.RecordBatch.from_pydict(counts),
        )


def _of_rows(decisions: pa.Table | None, first_row: int, rows: int) -> passages.Spans:
    """The decisions for rows of a part, which count from 0 then, sorted."""
    if decisions is None:
        return passages.Spans(*np.zeros((3, 0), np.int64))
    row = decisions.column("row").to_numpy().astype(np.int64) - first_row
    here = np.flatnonzero((row >= 0) & (row < rows))
    start, stop = (decisions.column(name).to_numpy()[here].astype(np.int64) for name in ("start", "end"))
    order = np.lexsort((start, row[here]))
    return passages.Spans(row[here][order], start[order], stop[order])
