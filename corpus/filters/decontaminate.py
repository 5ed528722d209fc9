"""Drops documents that hold items of benchmarks: overlap of word n-grams with test sets."""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpus.errors import UserError
from corpus.kernel import kernel
from corpus.rules import Filter
from corpus.settings import WordLists
from corpus.text.buffers import text_buffers
from corpus.text.hash_table import add, slot_of
from corpus.text.hashing import Hashes
from corpus.text.shingles import mix, shingle_rows
from corpus.text.unicode import ALPHANUMERIC, classes
from corpus.text.word_lists import FileState, list_bytes, state_of
from corpus.thresholds import AtMost

_BASE = np.uint64(0x2545F4914F6CDD1D)


class Decontaminate(Filter):
    """Looks for the n-grams of test items. Words are runs of letters and digits in lower case, so capitals, punctuation
    and white space do not count. By default one common 13-gram is enough, as in GPT-3 (Brown et al. 2020, arXiv
    2005.14165, appendix C), which takes shorter items whole, down to 8 words, as this does.

    Items are JSON lines, an object a line; the names of a benchmark and of an item are that of the file without its
    ending, and its `id` or the number of its line. Every string in it (question, answers, ...) is looked for by itself;
    one of fewer than `min_words` words is not. The .jsonl files that `corpus eval --data` reads are such files.

    Score columns: `share`, of the different n-grams of one string of an item those that the document has, the most of
    any, four decimals; `item`, "benchmark/item" of that string, the first of equal ones, null without any;
    `span_start` and `span_end` (int64), characters of the document from the first n-gram of it to behind the last.
    Reason: `contaminated`. n-grams are compared by 64-bit hashes.

    Attributes:
        items: files of JSON lines.
        ngram: words (GPT-3: 13; Llama 2 and Dolma look for shorter ones and ask for a larger share).
        min_words: 8.
        fields: keys whose strings are looked for; none = all.
        max_share: 0 drops what has any n-gram.
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)
    other_scores: ClassVar[tuple[str, ...]] = ("item", "span_start", "span_end")

    items: WordLists = Field(min_length=1)
    ngram: int = Field(default=13, ge=1)
    min_words: int = Field(default=8, ge=1)
    fields: tuple[str, ...] = ()
    max_share: Annotated[float, AtMost("share", "contaminated")] = Field(default=0.0, ge=0, le=1)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Raises UserError when a file of items cannot be read, or holds none that is long enough."""
        index = _index(tuple(map(state_of, self.items)), self.ngram, self.min_words, self.fields)
        texts = batch.column("text")
        best = [_NOTHING] * batch.num_rows
        words, starts = shingle_rows(*text_buffers(texts), 1)
        candidates = np.flatnonzero(_may_begin(words, starts, index.lengths[0].words, index.beginnings))
        rows_of = np.searchsorted(starts, candidates, "right") - 1
        for length in index.lengths:
            hashes = _ngrams(words, candidates, starts[rows_of + 1], length.words)
            found = _are_in(hashes, length.table)
            hits, rows, hashes = candidates[found], rows_of[found], hashes[found]
            for row in np.unique(rows):
                of_row = rows == row
                best[row] = max(best[row], _best(length, index, hashes[of_row], hits[of_row] - starts[row]))
        spans = [_span(texts[row].as_py(), found) if found.share else (None, None) for row, found in enumerate(best)]
        names = [index.names[-found.minus_piece] if found.share else None for found in best]
        return pa.RecordBatch.from_pydict(
            {
                "share": pa.array([found.share for found in best], pa.float64()),
                "item": pa.array(names, pa.string()),
                "span_start": pa.array([start for start, _ in spans], pa.int64()),
                "span_end": pa.array([end for _, end in spans], pa.int64()),
            }
        )


class _Length(NamedTuple):
    """The n-grams of so many words.

    Attributes:
        table: all of them, each at the slot of its low bits or behind it; 0 = free.
        hashes, pieces: sorted by hash, and which string has each.
    """

    words: int
    table: Hashes
    hashes: Hashes
    pieces: npt.NDArray[np.int64]


class _Index(NamedTuple):
    """Attributes:
    names: of each string, its item.
    totals: of each string, how many different n-grams it has.
    lengths: from the shortest on.
    beginnings: a table, as of a length: the n-grams of the shortest length that all n-grams begin with.
    """

    names: list[str]
    totals: npt.NDArray[np.int64]
    lengths: list[_Length]
    beginnings: Hashes


class _Found(NamedTuple):
    """The string that a document has most of: compares by share, then the first string.

    Attributes:
        start, end: words of the document.
    """

    share: float
    minus_piece: int
    start: int
    end: int


_NOTHING = _Found(0.0, 0, 0, 0)


def _best(length: _Length, index: _Index, hashes: Hashes, places: npt.NDArray[np.int64]) -> _Found:
    """Of the n-grams of a document that are in the index, and the words that they begin with."""
    first, behind = (np.searchsorted(length.hashes, hashes, side) for side in ("left", "right"))
    of_hit = np.repeat(np.arange(len(hashes)), behind - first)
    entries = np.arange(len(of_hit)) - np.repeat(np.cumsum(behind - first) - (behind - first) - first, behind - first)
    pieces = length.pieces[entries]
    different = np.unique(np.stack([pieces, entries]), axis=1)[0]
    numbers, counts = np.unique(different, return_counts=True)
    shares = np.maximum(np.round(counts / index.totals[numbers], 4), 1e-4)
    piece = numbers[np.argmax(shares)]
    words = places[of_hit[pieces == piece]]
    return _Found(float(shares.max()), -int(piece), int(words.min()), int(words.max()) + length.words)


def _span(text: str, found: _Found) -> tuple[int, int]:
    """Characters of words."""
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    edges = np.flatnonzero(np.diff(classes()[points] & ALPHANUMERIC != 0, prepend=False, append=False))
    return int(edges[2 * found.start]), int(edges[2 * found.end - 1])


@lru_cache(maxsize=2)
def _index(files: tuple[FileState, ...], ngram: int, min_words: int, fields: tuple[str, ...]) -> _Index:
    found = [(name, text) for path, _, _ in files for name, text in _strings(path, fields)]
    texts = pa.array([text for _, text in found], pa.large_string())
    words, starts = shingle_rows(*text_buffers(texts), 1)
    counts = np.diff(starts)
    pieces_of = np.repeat(np.arange(len(found)), counts)  # of each word its string
    names, totals = [name for name, _ in found], np.zeros(len(found), np.int64)
    numbers = sorted({min(int(count), ngram) for count in counts if count >= min_words})
    lengths, beginnings = [], []
    for number in numbers:
        of_length = np.flatnonzero((np.minimum(counts, ngram) == number)[pieces_of])
        hashes, pieces = _ngrams(words, of_length, starts[pieces_of[of_length] + 1], number), pieces_of[of_length]
        there = hashes != 0
        beginnings.append(_ngrams(words, of_length[there], starts[pieces[there] + 1], numbers[0]))
        entries = np.unique(np.stack([hashes[there], pieces[there].astype(np.uint64)]), axis=1)
        hashes, pieces = entries[0], entries[1].astype(np.int64)
        totals += np.bincount(pieces, minlength=len(found))
        lengths.append(_Length(number, _table(hashes), hashes, pieces))
    if not lengths:
        listed = " and ".join(path for path, _, _ in files)
        raise UserError(f"{listed} hold no string of {min_words} words: give items of tests, or fewer `min_words`")
    return _Index(names, totals, lengths, _table(np.concatenate(beginnings)))


def _table(hashes: Hashes) -> Hashes:
    table = np.zeros(1 << (2 * len(hashes) + 7).bit_length(), np.uint64)
    _fill(hashes, table)
    return table


def _strings(path: str, fields: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(item, string) of a file."""
    for number, line in enumerate(list_bytes(path).tobytes().decode().split("\n"), start=1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except ValueError as error:
            raise UserError(f"{path}:{number}: not JSON ({error}): give an item a line, as an object") from None
        if not isinstance(item, dict):
            raise UserError(f'{path}:{number}: not an object: give an item a line, as in {{"question": ...}}')
        name = f"{Path(path).stem}/{item.get('id', number)}"
        chosen = [item[field] for field in fields if field in item] if fields else item.values()
        yield from ((name, text) for value in chosen for text in _strings_in(value))


def _strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings_in(each)


@kernel
def _ngrams(words: Any, places: Any, ends: Any, n: Any) -> Any:
    """The hash of the n-gram that begins at each place among hashes of words, never 0; 0 where its text ends before.

    The polynomial in `_BASE` of its words, mixed.
    """
    hashes = np.zeros(len(places), np.uint64)
    for k in range(len(places)):
        if places[k] + n > ends[k]:
            continue
        h = np.uint64(0)
        for i in range(places[k], places[k] + n):
            h = h * _BASE + words[i]
        hashes[k] = max(mix(h), np.uint64(1))
    return hashes


@kernel
def _may_begin(words: Any, starts: Any, n: Any, table: Any) -> Any:
    """At which words an n-gram of the table begins; the hashes of `_ngrams`, rolled along."""
    found = np.zeros(len(words), np.bool_)
    leave = np.uint64(1)
    for _ in range(n):
        leave *= _BASE
    for row in range(len(starts) - 1):
        rolling = np.uint64(0)
        for i in range(starts[row], starts[row + 1]):
            rolling = rolling * _BASE + words[i]
            first = i - n + 1
            if first > starts[row]:
                rolling -= words[first - 1] * leave
            if first >= starts[row]:
                found[first] = slot_of(table, max(mix(rolling), np.uint64(1))) >= 0
    return found


@kernel
def _fill(hashes: Any, table: Any) -> None:
    for i in range(len(hashes)):
        add(table, hashes[i])


@kernel
def _are_in(hashes: Any, table: Any) -> Any:
    found = np.zeros(len(hashes), np.bool_)
    for i in range(len(hashes)):
        found[i] = hashes[i] != 0 and slot_of(table, hashes[i]) >= 0
    return found
