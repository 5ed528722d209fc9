"""Drops lists, menus and pages put together from repeated lines: the filter that FineWeb adds to Gopher's and C4's."""

from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from corpus.kernel import kernel
from corpus.rules import Filter
from corpus.text.buffers import text_buffers
from corpus.text.lines import BLANK, find_lines
from corpus.text.unicode import classes
from corpus.text.words import find_words
from corpus.thresholds import AtLeast, AtMost


class FinewebQuality(Filter):
    """Thresholds of Penedo et al. 2024 (arXiv 2406.17557), section 3.5; datatrove's `fineweb_quality_filter.py`.

    Lines are what line feeds separate, without blank ones; words what white space separates (datatrove: a tokenizer's).
    Score columns, with four decimals, 0 without words, each also the reason: `punctuated_lines` (share that ends in one
    of `ends`), `short_lines`, `duplicate_chars` (share in lines that stood there before), `feeds_per_word`.

    Attributes:
        min_punctuated_lines, max_short_lines, max_duplicate_chars, max_feeds_per_word: 0.12, 0.67, 0.01 and 0.3.
        short_chars, ends: 30, and FineWeb's; datatrove has since added the ends of lines of other scripts.
    """

    reads: ClassVar[tuple[str, ...]] = ("text",)
    min_punctuated_lines: Annotated[float, AtLeast("punctuated_lines")] = 0.12
    max_short_lines: Annotated[float, AtMost("short_lines")] = 0.67
    max_duplicate_chars: Annotated[float, AtMost("duplicate_chars")] = 0.01
    max_feeds_per_word: Annotated[float, AtMost("feeds_per_word")] = 0.3
    short_chars: int = Field(default=30, ge=0)
    ends: str = ".'\"!?"

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        scores = np.zeros((batch.num_rows, 4))
        ends = np.array([ord(end) for end in self.ends], np.int32)
        _score(*text_buffers(batch.column("text")), classes(), ends, self.short_chars, scores)
        return pa.RecordBatch.from_arrays([pa.array(column) for column in scores.round(4).T], self.score_names())


@kernel
def _score(data: Any, offsets: Any, classes: Any, ends: Any, short: Any, scores: Any) -> None:
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        hashes, lengths = np.empty(end - start + 1, np.uint64), np.empty(end - start + 1, np.int64)
        lasts, feeds = np.empty(end - start + 1, np.int32), np.empty(end - start + 1, np.uint8)
        words = find_words(data, start, end, classes, hashes, lengths, feeds)
        if words == 0:
            continue
        lines = find_lines(data, start, end, classes, hashes, lengths, lasts)
        characters = full = punctuated = short_lines = duplicate = 0
        for line in range(lines):
            characters += lengths[line]
            if lasts[line] == BLANK:
                continue
            hashes[full] = hashes[line]
            lengths[full] = lengths[line]
            full += 1
            short_lines += lengths[line] <= short
            for point in ends:
                if lasts[line] == point:
                    punctuated += 1
                    break
        order = np.argsort(hashes[:full])
        for k in range(1, full):
            if hashes[order[k]] == hashes[order[k - 1]]:
                duplicate += lengths[order[k]]
        scores[row, 0] = punctuated / full
        scores[row, 1] = short_lines / full
        scores[row, 2] = duplicate / characters
        scores[row, 3] = (lines - 1) / words
