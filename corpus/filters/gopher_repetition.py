"""Drops documents that repeat themselves: the repetition rules of Gopher's MassiveText."""

from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa

from corpus.kernel import kernel
from corpus.rules import Filter
from corpus.text.buffers import text_buffers
from corpus.text.unicode import classes
from corpus.text.words import find_words
from corpus.thresholds import AtMost


class GopherRepetition(Filter):
    """Repetition rules and thresholds of Rae et al. 2021 (arXiv 2112.11446), appendix A.1.1 and table A1.

    Text is taken as words between white space. A line is the words up to a line feed, a paragraph the words up to a
    blank line; blank lines do not count. Two of them, or two n-grams, are equal when their words are equal (64-bit
    hashes; a chance collision has odds below 1e-6 in a document of a million words). Of equal ones, all but the first
    are duplicates.

    Score columns, each in [0, 1] with four decimals, and each also the reason when its threshold is exceeded:
    - `duplicate_lines`, `duplicate_paragraphs`: share of lines, of paragraphs.
    - `duplicate_line_chars`, `duplicate_paragraph_chars`: share of the characters of all words.
    - `top_2gram` ... `top_4gram`: share of characters in words covered by the most frequent n-gram (of equally frequent
      ones the first to become so; 0 when none occurs twice).
    - `duplicate_5gram` ... `duplicate_10gram`: share of characters in words covered by duplicate n-grams, each counted
      once.

    The paper leaves the details open. datatrove differs: words from a tokenizer, white space in the characters, lines
    compared as bytes, a most frequent n-gram that occurs once counts, overlapping top n-grams count twice, and after a
    duplicate n-gram it looks on behind it, which covers a little less.

    Attributes:
        duplicate_lines, duplicate_paragraphs, duplicate_line_chars, duplicate_paragraph_chars: most that is kept.
        top_ngrams: the same for n = 2, 3, 4.
        duplicate_ngrams: the same for n = 5 to 10.
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)

    duplicate_lines: Annotated[float, AtMost("duplicate_lines")] = 0.30
    duplicate_paragraphs: Annotated[float, AtMost("duplicate_paragraphs")] = 0.30
    duplicate_line_chars: Annotated[float, AtMost("duplicate_line_chars")] = 0.20
    duplicate_paragraph_chars: Annotated[float, AtMost("duplicate_paragraph_chars")] = 0.20
    top_ngrams: Annotated[
        tuple[float, float, float],
        AtMost("top_2gram"), AtMost("top_3gram"), AtMost("top_4gram"),
    ] = (0.20, 0.18, 0.16)  # fmt: skip
    duplicate_ngrams: Annotated[
        tuple[float, float, float, float, float, float],
        AtMost("duplicate_5gram"), AtMost("duplicate_6gram"), AtMost("duplicate_7gram"),
        AtMost("duplicate_8gram"), AtMost("duplicate_9gram"), AtMost("duplicate_10gram"),
    ] = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)  # fmt: skip

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        data, offsets = text_buffers(batch.column("text"))
        names = self.score_names()  # the kernel's columns are the thresholds', in their order
        shares = np.zeros((batch.num_rows, len(names)))
        _score_rows(data, offsets, classes(), shares)
        columns = np.round(shares, 4).T
        return pa.RecordBatch.from_pydict({name: pa.array(column) for name, column in zip(names, columns, strict=True)})


@kernel
def _score_rows(data: Any, offsets: Any, classes: Any, shares: Any) -> None:
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    most_words = longest // 2 + 1
    hashes = np.empty(most_words, np.uint64)
    feeds = np.empty(most_words, np.uint8)
    chars = np.zeros(most_words + 1, np.int64)
    keys = np.empty(most_words, np.uint64)
    table = np.empty(_table_size(most_words), np.int32)
    places = np.empty(most_words, np.int32)
    first = np.empty(most_words, np.int32)
    counts = np.empty(most_words, np.int32)
    for row in range(len(offsets) - 1):
        words = find_words(data, offsets[row], offsets[row + 1], classes, hashes, chars[1:], feeds)
        for i in range(words):
            chars[i + 1] += chars[i]
        if words:
            _score_blocks(words, hashes, feeds, chars, keys, table, shares[row])
            _score_ngrams(words, hashes, chars, keys, table, places, first, counts, shares[row])


@kernel
def _table_size(entries: Any) -> Any:
    """A power of two at which a hash table is at most half full."""
    size = 2
    while size < 2 * entries:
        size *= 2
    return size


@kernel
def _join(left: Any, right: Any) -> Any:
    """Hash of a sequence from the hash of all but its last word, and of that word."""
    left = (left << np.uint64(29) | left >> np.uint64(35)) ^ right
    left *= np.uint64(0x9E3779B185EBCA87)
    return left ^ left >> np.uint64(32)


@kernel
def _first(i: Any, keys: Any, table: Any, mask: Any) -> Any:
    """The first j with keys[j] == keys[i] of those asked for before, or i when it is the first.

    `table` holds j + 1 at the slot of a key, or behind it where that is taken; 0 = free.
    """
    key = keys[i]
    slot = np.int64(key) & mask
    while table[slot]:
        if keys[table[slot] - 1] == key:
            return table[slot] - 1
        slot = (slot + 1) & mask
    table[slot] = i + 1
    return i


@kernel
def _score_blocks(words: Any, hashes: Any, feeds: Any, chars: Any, keys: Any, table: Any, shares: Any) -> None:
    """Shares of duplicate lines, which a line feed ends, and paragraphs, which a blank line ends."""
    for kind in range(2):
        total = 0
        for i in range(words):
            total += feeds[i] > kind
        mask = _table_size(total) - 1
        table[: mask + 1] = 0
        duplicates = duplicate_chars = start = 0
        for block in range(total):
            key = np.uint64(0)
            end = start
            while end < words and (end == start or feeds[end] <= kind):
                key = _join(key, hashes[end])
                end += 1
            keys[block] = key
            if _first(block, keys, table, mask) != block:
                duplicates += 1
                duplicate_chars += chars[end] - chars[start]
            start = end
        shares[kind] = duplicates / total
        shares[2 + kind] = duplicate_chars / chars[words]


@kernel
def _score_ngrams(
    words: Any, hashes: Any, chars: Any, keys: Any, table: Any, places: Any, first: Any, counts: Any, shares: Any
) -> None:
    """Shares of characters in repeated n-grams.

    An n-gram can only be repeated where the shorter one with the same first word is: `places` holds the first words of
    those still worth a look, and shrinks with every n.
    """
    found = words
    for i in range(words):
        keys[i] = hashes[i]
        places[i] = i
    for n in range(2, 11):
        while found and places[found - 1] + n > words:
            found -= 1
        mask = _table_size(found) - 1
        table[: mask + 1] = 0
        covered = covered_to = 0
        most, top = 1, -1
        for k in range(found):
            i = places[k]
            keys[i] = _join(keys[i], hashes[i + n - 1])
            earlier = _first(i, keys, table, mask)
            first[i] = earlier
            if earlier == i:
                counts[i] = 1
                continue
            counts[earlier] += 1
            if counts[earlier] > most:
                most, top = counts[earlier], earlier
            if n > 4:
                covered += chars[i + n] - chars[max(i, covered_to)]
                covered_to = i + n
        repeated = 0
        for k in range(found):
            i = places[k]
            if n <= 4 and first[i] == top:
                covered += chars[i + n] - chars[max(i, covered_to)]
                covered_to = i + n
            if first[i] != i or counts[i] > 1:
                places[repeated] = i
                repeated += 1
        shares[n + 2] = covered / chars[words]
        found = repeated
