"""Heuristics on line lengths and alphanumeric characters, which tell code from data and minified files."""

from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa

from corpus.kernel import kernel
from corpus.rules import Filter
from corpus.text.buffers import text_buffers
from corpus.text.unicode import ALPHANUMERIC, classes, decode
from corpus.thresholds import AtLeast, AtMost

DIGITS = 4
"""Decimal digits that the two fractional scores are rounded to."""


class Code(Filter):
    """Drops files with very long lines or hardly any letters and digits.

    LLaMA (section 2.1, GitHub) filters on "line length, or proportion of alphanumeric characters" and gives no
    numbers; the defaults are RedPajama's (data_prep/github/github_run_filter.py).

    Scores, in characters (code points): `max_line_length` int32; `mean_line_length` float64, over all lines;
    `alnum_fraction` float64, `str.isalnum` characters of all characters, line ends included. A line ends at a line
    feed, a carriage return or both together; what follows the last end is a line when it is not empty. An empty
    text scores 0 in all three. Reasons: `max_line_length`, `mean_line_length`, `alnum_fraction`; the first of these.

    Attributes:
        max_line_length: a file is dropped when its longest line is longer.
        max_mean_line_length: a file is dropped when its lines are longer on average.
        min_alnum_fraction: a file is dropped when its share is smaller.
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)
    keeps: ClassVar[float] = 0.8  # assumed

    max_line_length: Annotated[int, AtMost("max_line_length")] = 1000
    max_mean_line_length: Annotated[float, AtMost("mean_line_length")] = 100.0
    min_alnum_fraction: Annotated[float, AtLeast("alnum_fraction")] = 0.25

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        data, offsets = text_buffers(batch.column("text"))
        rows = batch.num_rows
        longest, mean, alnum = np.empty(rows, np.int32), np.empty(rows), np.empty(rows)
        _score(data, offsets, classes(), longest, mean, alnum)
        return pa.RecordBatch.from_arrays(
            [pa.array(longest), pa.array(mean.round(DIGITS)), pa.array(alnum.round(DIGITS))],
            names=["max_line_length", "mean_line_length", "alnum_fraction"],
        )


@kernel
def _score(data: Any, offsets: Any, classes: Any, longest: Any, mean: Any, alnum: Any) -> None:
    """Fills the three scores, shape (rows,), from UTF-8 text."""
    for row in range(len(offsets) - 1):
        i, end = offsets[row], offsets[row + 1]
        characters = lines = in_lines = line = most = letters = 0
        open_line = False
        while i < end:
            byte = data[i]
            if byte == 10 or byte == 13:
                if byte == 13 and i + 1 < end and data[i + 1] == 10:
                    i += 1
                    characters += 1
                i += 1
                characters += 1
                lines += 1
                in_lines += line
                most = max(most, line)
                line = 0
                open_line = False
                continue
            if byte < 0x80:
                point, length = np.int32(byte), 1
            else:
                point, length = decode(data, i)
            letters += classes[point] & ALPHANUMERIC != 0
            characters += 1
            line += 1
            open_line = True
            i += length
        if open_line:
            lines += 1
            in_lines += line
            most = max(most, line)
        longest[row] = most
        mean[row] = in_lines / lines if lines else 0.0
        alnum[row] = letters / characters if characters else 0.0
