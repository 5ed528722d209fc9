"""Takes out the lines of web pages that are no text: the line-wise corrections of RefinedWeb."""

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.clean.regex_lines import cleaned_lines, edit_lines
from corpus.rules import Cleaned, Cleaner
from corpus.text.counts import Count, count_rows
from corpus.text.lines import split_lines
from corpus.thresholds import first_reason

COUNTER = (
    r"(?i)^\W*\d[\d,.]*[KMB]?\s+"
    r"(?:likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|downloads|views|followers)\W*$"
)
"""DCLM's reading of "counters (e.g. 3 likes)" (baselines/mappers/modifiers.py, `counter_line_modifier`)."""
PHRASES = (r"(?i)\s?items in cart", r"(?i)\s?read more\.\.\.$", r"(?i)^sign-in\s?")
"""The examples that the paper gives of its patterns anywhere, at the end and at the beginning of a line."""


class RefinedwebLines(Cleaner):
    """Penedo et al. 2023 (arXiv 2306.01116), appendix G.2, "line-wise corrections", as DCLM reads them
    (baselines_configs/dclm_baseline_refinedweb.yaml). Lines are what line feeds separate.

    A line goes when it is mainly in capitals (more than `max_capitals` of its characters), all digits, a counter ("3
    likes"), or a single word. Of a line of at most `short_words` words, "items in cart", "Read more..." at its end and
    "Sign-in" at its beginning go. Empty lines stay. A document that loses more than `max_removed` of its words is
    dropped.

    Counts: `removed_words`, their share with four decimals. Reasons: `lines_removed`, `empty`.

    DCLM counts words of another tokenizer for the share, looks for counters in longer lines too, and reads the dots of
    "Read more..." as any characters. Its removal of more than two line feeds in a row and of URLs are other rules.

    Attributes:
        max_capitals: 0.5 (DCLM; the paper says "mainly").
        min_words: 2; empty lines have none and stay.
        short_words: 10.
        max_removed: 0.05.
    """

    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = ("lines_removed", "empty")

    max_capitals: float = Field(default=0.5, ge=0, le=1)
    min_words: int = Field(default=2, ge=0)
    short_words: int = Field(default=10, ge=0)
    max_removed: float = Field(default=0.05, ge=0, le=1)

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        lines = split_lines(batch.column("text"))
        counts = count_rows(lines.text)
        characters, words = counts[:, Count.CHARACTERS], counts[:, Count.WORDS]
        bad = counts[:, Count.CAPITALS] > self.max_capitals * characters
        bad |= counts[:, Count.DIGITS] == characters
        bad |= words < self.min_words
        bad &= characters > 0
        edited, kept = edit_lines(lines, ~bad & (words <= self.short_words), (COUNTER,), PHRASES)
        kept &= ~bad
        before, after = lines.sums(words), lines.sums(count_rows(edited.text)[:, Count.WORDS] * kept)
        removed = (before - after) / np.maximum(before, 1)
        text, reason, kept_lines, _ = cleaned_lines(edited, kept)
        many = first_reason(batch.num_rows, [("lines_removed", pa.array(removed > self.max_removed))])
        shares = pa.RecordBatch.from_pydict({"removed_words": pa.array(np.round(removed, 4))})
        return Cleaned(text, pc.coalesce(many, reason), kept_lines, shares)
