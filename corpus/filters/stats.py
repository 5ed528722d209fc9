"""Stores numbers about each text, and drops nothing."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from corpus.kernel import kernel
from corpus.rules import Filter
from corpus.text.buffers import text_buffers
from corpus.text.counts import Count, count_rows, share
from corpus.text.shingles import shingle_rows

_NGRAMS = (1, 2, 3)


class Stats(Filter):
    """Columns to look at, to sort by, and to choose thresholds from, in the folder of scores.

    `characters` (code points), `words` (between white space) and `lines` (between line feeds; an empty text has none),
    int64; `mean_word_length` and `mean_line_length` in characters; `letters`, `capitals`, `digits`, `spaces` and
    `symbols` (neither letter, digit nor white space), shares of the characters; `distinct_words`, `distinct_2grams` and
    `distinct_3grams`: of all n-grams of words the share that are different, 1 where none comes twice (the
    tokens of the dedups, `corpus.text.shingles`). Four decimals; 0 for a text without any.
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)
    other_scores: ClassVar[tuple[str, ...]] = (
        *("characters", "words", "lines", "mean_word_length", "mean_line_length"),
        *("letters", "capitals", "digits", "spaces", "symbols"),
        *("distinct_words", "distinct_2grams", "distinct_3grams"),
    )

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        counts = count_rows(batch.column("text"))
        characters, words = counts[:, Count.CHARACTERS], counts[:, Count.WORDS]
        lines = np.where(characters > 0, counts[:, Count.FEEDS] + 1, 0)
        kinds = (Count.LETTERS, Count.CAPITALS, Count.DIGITS, Count.SPACES, Count.SYMBOLS)
        columns = [
            *(characters, words, lines),
            share(characters - counts[:, Count.SPACES], words),
            share(characters - counts[:, Count.FEEDS], lines),
            *(share(counts[:, kind], characters) for kind in kinds),
        ]
        for n in _NGRAMS:
            hashes, starts = shingle_rows(*text_buffers(batch.column("text")), n)
            distinct = np.zeros(batch.num_rows, np.int64)
            _count_distinct(hashes, starts, distinct)
            columns.append(share(distinct, np.diff(starts)))
        return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], names=self.score_names())


@kernel
def _count_distinct(hashes: Any, starts: Any, distinct: Any) -> None:
    for row in range(len(starts) - 1):
        some = np.sort(hashes[starts[row] : starts[row + 1]])
        for i in range(len(some)):
            distinct[row] += i == 0 or some[i] != some[i - 1]
