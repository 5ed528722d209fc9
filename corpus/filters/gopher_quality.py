"""Drops documents that do not read like prose: the quality rules of Gopher's MassiveText."""

from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.kernel import kernel
from corpus.rules import Filter
from corpus.text.buffers import text_buffers
from corpus.text.unicode import ALPHABETIC, SPACE, classes, decode
from corpus.thresholds import AtLeast, AtMost

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Rae et al. 2021, appendix A.1.1."""

_HASH, _DOT, _HYPHEN, _LINE_FEED = ord("#"), ord("."), ord("-"), ord("\n")
_ELLIPSIS, _BULLET = ord("…"), ord("•")
# columns of the counts
_WORDS, _CHARS, _HASHES, _ELLIPSES, _ALPHABETIC, _STOPS, _LINES, _BULLETS, _TRAILING, _COUNTS = range(10)


class GopherQuality(Filter):
    """Quality rules and thresholds of Rae et al. 2021 (arXiv 2112.11446), appendix A.1.1.

    Words are what white space separates, lengths are in characters. Lines are what line feeds separate; blank lines do
    not count. An ellipsis is "..." or "…"; a bullet is "•" or "-" as the first character of a line, as in datatrove.

    Score columns: `words` (int64), `mean_word_length`, `hash_ratio` and `ellipsis_ratio` ("#" and ellipses per word),
    `bullet_lines` and `ellipsis_lines` (shares of lines that start with a bullet, end with an ellipsis), `alpha_words`
    (share of words with at least one alphabetic character) and `stop_words` (how many of the list occur, in exactly
    this spelling; int64). Ratios and shares have four decimals and are 0 for a document without words.

    Reasons: `too_few_words`, `too_many_words`, `short_words`, `long_words`, `too_many_hashes`, `too_many_ellipses`,
    `bullet_lines`, `ellipsis_lines`, `few_alphabetic_words`, `few_stop_words`; the first that holds.

    datatrove's filter of this name has the same thresholds but the words of a tokenizer, does not count words of only
    punctuation, and counts blank lines.

    Attributes:
        min_words, max_words: 50 and 100,000.
        min_mean_word_length, max_mean_word_length: 3 and 10.
        max_hash_ratio, max_ellipsis_ratio: 0.1.
        max_bullet_lines: 0.9.
        max_ellipsis_lines: 0.3.
        min_alpha_words: 0.8.
        min_stop_words: 2.
        stop_words: the paper's, of English. Those of 1,800 languages, with thresholds, are FineWeb-2's
            (huggingface/fineweb-2, configs/).
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)

    min_words: Annotated[int, AtLeast("words", "too_few_words")] = 50
    max_words: Annotated[int, AtMost("words", "too_many_words")] = 100_000
    min_mean_word_length: Annotated[float, AtLeast("mean_word_length", "short_words")] = 3.0
    max_mean_word_length: Annotated[float, AtMost("mean_word_length", "long_words")] = 10.0
    max_hash_ratio: Annotated[float, AtMost("hash_ratio", "too_many_hashes")] = 0.1
    max_ellipsis_ratio: Annotated[float, AtMost("ellipsis_ratio", "too_many_ellipses")] = 0.1
    max_bullet_lines: Annotated[float, AtMost("bullet_lines")] = 0.9
    max_ellipsis_lines: Annotated[float, AtMost("ellipsis_lines")] = 0.3
    min_alpha_words: Annotated[float, AtLeast("alpha_words", "few_alphabetic_words")] = 0.8
    min_stop_words: Annotated[int, AtLeast("stop_words", "few_stop_words")] = 2
    stop_words: tuple[str, ...] = STOP_WORDS

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        data, offsets = text_buffers(batch.column("text"))
        counts = np.zeros((batch.num_rows, _COUNTS), np.int64)
        words, starts = text_buffers(pa.array(sorted(set(self.stop_words)), pa.large_string()))
        _count_rows(data, offsets, classes(), words, starts, counts)
        total, lines = counts[:, _WORDS], counts[:, _LINES]
        return pa.RecordBatch.from_pydict(
            {
                "words": pa.array(total),
                "mean_word_length": _ratio(counts[:, _CHARS], total),
                "hash_ratio": _ratio(counts[:, _HASHES], total),
                "ellipsis_ratio": _ratio(counts[:, _ELLIPSES], total),
                "bullet_lines": _ratio(counts[:, _BULLETS], lines),
                "ellipsis_lines": _ratio(counts[:, _TRAILING], lines),
                "alpha_words": _ratio(counts[:, _ALPHABETIC], total),
                "stop_words": pa.array(counts[:, _STOPS]),
            }
        )


def _ratio(count: npt.NDArray[np.int64], total: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(np.round(count / np.maximum(total, 1), 4))


@kernel
def _count_rows(data: Any, offsets: Any, classes: Any, stop_words: Any, starts: Any, counts: Any) -> None:
    begins = np.zeros(256, np.bool_)  # the bytes that stop words begin with
    for k in range(len(starts) - 1):
        if starts[k] < starts[k + 1]:
            begins[stop_words[starts[k]]] = True
    seen = np.zeros(len(starts) - 1, np.bool_)
    for row in range(len(offsets) - 1):
        seen[:] = False
        _count(data, offsets[row], offsets[row + 1], classes, stop_words, starts, begins, seen, counts[row])


@kernel
def _count(
    data: Any, start: Any, end: Any, classes: Any, stop_words: Any, starts: Any, begins: Any, seen: Any, counts: Any
) -> None:
    words = chars = hashes = ellipses = alphabetic = lines = bullets = trailing = stops = 0
    new_line, ends_in_ellipsis = True, False
    i = start
    while i < end:
        point, size = decode(data, i)
        if classes[point] & SPACE:
            if point == _LINE_FEED:
                trailing += ends_in_ellipsis
                new_line, ends_in_ellipsis = True, False
            i += size
            continue
        if new_line:
            lines += 1
            bullets += point in (_BULLET, _HYPHEN)
            new_line = False
        begin = i
        word_chars = word_classes = dots = 0
        while i < end:
            point, size = decode(data, i)
            if classes[point] & SPACE:
                break
            word_classes |= classes[point]
            hashes += point == _HASH
            ellipses += point == _ELLIPSIS
            dots = dots + 1 if point == _DOT else 0
            ellipses += dots > 0 and dots % 3 == 0
            ends_in_ellipsis = dots >= 3 or point == _ELLIPSIS
            word_chars += 1
            i += size
        words += 1
        chars += word_chars
        alphabetic += word_classes & ALPHABETIC != 0
        if begins[data[begin]]:
            stops += _first_of_its_kind(data, begin, i, stop_words, starts, seen)
    trailing += ends_in_ellipsis
    counts[_WORDS] = words
    counts[_CHARS] = chars
    counts[_HASHES] = hashes
    counts[_ELLIPSES] = ellipses
    counts[_ALPHABETIC] = alphabetic
    counts[_LINES] = lines
    counts[_BULLETS] = bullets
    counts[_TRAILING] = trailing
    counts[_STOPS] = stops


@kernel
def _first_of_its_kind(data: Any, begin: Any, end: Any, stop_words: Any, starts: Any, seen: Any) -> Any:
    """Whether a word is a stop word that was not seen before; it is seen then."""
    for k in range(len(seen)):
        if seen[k] or starts[k + 1] - starts[k] != end - begin:
            continue
        i = 0
        while begin + i < end and data[begin + i] == stop_words[starts[k] + i]:
            i += 1
        if begin + i == end:
            seen[k] = True
            return True
    return False
