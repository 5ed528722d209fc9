"""The vector of a text under a fastText classifier, equal to the library's bit for bit.

It is the mean of rows of a matrix: of each word that the dictionary has, of its n-grams of characters, then of n-grams
of words (`Dictionary::getLine` and `DenseMatrix::averageRowsToVector` of facebookresearch/fastText). The library adds
them up in float32, one after the other, so that is what is done here: a sum in another order would have other last
bits. What takes its time is not adding, but finding out which rows a word has; they are the same wherever it stands,
so a cache of words keeps their numbers. It holds words themselves, so that no two are ever taken for each other, and
begins again when it is full. What it holds never changes a result.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from corpus.kernel import kernel
from corpus.text.buffers import Bytes, Offsets
from corpus.text.hashing import bit_count, load64, load_float, trailing_zeros
from corpus.text.word_keys import KEY_BYTES, READ_BYTES, word_key

CACHE_WORDS = 1 << 16
CACHE_ROWS = 1 << 20

_FNV_BASIS = np.uint32(2166136261)
_FNV_PRIME = np.uint32(16777619)
_WORD_NGRAM_STEP = np.uint64(116049371)

_PENDING_ROWS = 1024
"""Rows are added when there are so many, or the text ends."""
_NO_KEY = (np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0))
_LABEL_WORD, _END_WORD = -2, -3
"""In the place of a number in the dictionary."""
_LABEL = np.frombuffer(b"__label__", np.uint8)
_END = np.frombuffer(b"</s>", np.uint8)
_LINE_FEED, _OPEN, _CLOSE = 10, ord("<"), ord(">")

_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_BEHIND_SPACE = _ONES * np.uint64(0x21)


class Input(NamedTuple):
    """What turns a text into its vector.

    Attributes:
        dictionary: the words and labels one behind the other, a NUL and nine more bytes behind each.
        places: where each begins in `dictionary`, int64, shape (words + labels,).
        hashes: of each, uint32.
        slots: open-addressing table by hash: numbers of words and labels, or -1; its length is a power of two.
        words: how many of them are words. Those behind are labels.
        end: the number of "</s>", which stands at the end of every line, or -1.
        word_ngrams, bucket, minn, maxn: as in `corpus.filters.fasttext_format.Layout`; of a model that has no n-grams
            left, those of one that never had any.
        kept: where only some n-grams have a row, a bit for each one that has, and how many of those before these 64 do;
            uint64, shape (bucket / 64 rounded up, 2). Else empty.
        matrix: holds the rows, first those of the words, then those of n-grams in order, each `dim` float32.
        first_row: byte of `matrix` that they begin at.
        dim: of the vectors.
    """

    dictionary: Bytes
    places: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint32]
    slots: npt.NDArray[np.int32]
    words: int
    end: int
    word_ngrams: int
    bucket: int
    minn: int
    maxn: int
    kept: npt.NDArray[np.uint64]
    matrix: Bytes
    first_row: int
    dim: int


class Cache(NamedTuple):
    """The rows of words; see `new_cache`.

    Attributes:
        lines: open-addressing table: three numbers of the key, of which the last is 0 in an empty line, and
            first row << 16 | rows; uint64, shape (a power of two, 4).
        hashes: fastText's hash of the word of each line, uint32.
        rows: int32.
        used: lines and rows in use, int64, shape (2,).
    """

    lines: npt.NDArray[np.uint64]
    hashes: npt.NDArray[np.uint32]
    rows: npt.NDArray[np.int32]
    used: npt.NDArray[np.int64]


def new_cache(words: int = CACHE_WORDS, rows: int = CACHE_ROWS) -> Cache:
    """An empty one that is full with so many words or rows; 9 MB as it is. Of no use to two threads at once."""
    lines = 1 << (2 * words - 1).bit_length()
    return Cache(
        np.zeros((lines, 4), np.uint64), np.zeros(lines, np.uint32), np.zeros(rows, np.int32), np.zeros(2, np.int64)
    )


@kernel
def word_hash(data: Any, start: Any, end: Any) -> Any:
    """`Dictionary::hash` of data[start:end]: FNV-1a, but that bytes count as signed."""
    h = _FNV_BASIS
    for i in range(start, end):
        h = _hash_on(h, data[i])
    return h


@kernel
def _hash_on(h: Any, byte: Any) -> Any:
    return np.uint32((h ^ np.uint32(np.int32(np.int8(byte)))) * _FNV_PRIME)


@kernel
def find_entry(data: Any, start: Any, end: Any, h: Any, dictionary: Any, places: Any, hashes: Any, slots: Any) -> Any:
    """The number of the word or label data[start:end], whose hash is h, or -1."""
    slot = np.int64(h) & (len(slots) - 1)
    while slots[slot] >= 0:
        entry = slots[slot]
        if hashes[entry] == h:
            place = places[entry]
            k = 0
            while k < end - start and dictionary[place + k] == data[start + k]:  # a NUL is in no word
                k += 1
            if k == end - start and dictionary[place + k] == 0:
                return np.int64(entry)
        slot = (slot + 1) & (len(slots) - 1)
    return np.int64(-1)


@kernel
def read_dictionary(dictionary: Any, behind: Any, places: Any, counts: Any, hashes: Any, slots: Any) -> None:
    """Fills the arrays of `Input` of these names, and how often each word or label came in training. `behind`: bytes
    between the NUL that ends one and the next."""
    at = 0
    for entry in range(len(places)):
        end = at
        while dictionary[end] != 0:
            end += 1
        places[entry] = at
        counts[entry] = np.int64(load64(dictionary, end + 1))
        hashes[entry] = word_hash(dictionary, at, end)
        slot = np.int64(hashes[entry]) & (len(slots) - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = entry
        at = end + 1 + behind


@kernel
def _put_ngram(ngram: Any, model: Any, rows: Any, at: Any) -> Any:
    """`Dictionary::pushHash`: writes the row of an n-gram to rows[at] and gives at + 1, or at if it has none. Without a
    branch, for which n-grams have a row cannot be foreseen."""
    if len(model.kept) == 0:
        rows[at] = model.words + ngram
        return at + 1
    bits, bit = model.kept[ngram >> 6, 0], np.uint64(ngram & 63)
    before = model.kept[ngram >> 6, 1] + bit_count(bits & ((np.uint64(1) << bit) - np.uint64(1)))
    rows[at] = model.words + np.int64(before)
    return at + np.int64(bits >> bit & np.uint64(1))


@kernel
def _subwords(word: Any, size: Any, first: Any, model: Any, rows: Any, at: Any, limit: Any) -> Any:
    """`Dictionary::computeSubwords`: the rows of the n-grams of characters of word[:size], which has "<" and ">" around
    it, from those that begin at byte `first` on, to rows[at:], which has room for limit + maxn + 1.

    Ends where rows[:limit] is full. Gives (the byte to go on at, the end of the rows).
    """
    i = first
    while i < size and at < limit:
        j = i
        h = _FNV_BASIS
        n = 1
        while j < size and n <= model.maxn:
            h = _hash_on(h, word[j])
            j += 1
            while j < size and word[j] & 0xC0 == 0x80:
                h = _hash_on(h, word[j])
                j += 1
            if n >= model.minn and (n > 1 or (i > 0 and j < size)):
                at = _put_ngram(np.int64(h % np.uint32(model.bucket)), model, rows, at)
            n += 1
        i += 1
        while i < size and word[i] & 0xC0 == 0x80:
            i += 1
    return i, at


@intrinsic
def _sixteen(typing_context: Any, total: Any, column: Any, matrix: Any, at: Any) -> Any:
    """Adds the sixteen float32 that begin at byte `at` of `matrix` to total[column:column + 16]. numba makes no such
    instructions of a loop by itself, as it cannot know that the arrays do not overlap."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sixteen = ir.VectorType(ir.FloatType(), 16).as_pointer()
        places = [
            builder.bitcast(builder.gep(context.make_array(kind)(context, builder, array).data, [index]), sixteen)
            for kind, array, index in zip(signature.args[::2], arguments[::2], arguments[1::2], strict=True)
        ]
        sums, rows = (builder.load(place, align=align) for place, align in zip(places, (4, 1), strict=True))
        builder.store(builder.fadd(sums, rows), places[0], align=4)
        return context.get_dummy_value()

    return types.void(total, types.intp, matrix, types.intp), codegen


_add_sixteen: Any = _sixteen


@kernel
def _add(rows: Any, count: Any, matrix: Any, first_row: Any, total: Any) -> None:
    """Adds the rows of the numbers rows[:count] to `total`, float32, in this order."""
    size = np.int64(4) * len(total)
    for r in range(count):
        at = first_row + size * rows[r]
        column = 0
        while column + 16 <= len(total):
            _add_sixteen(total, column, matrix, at + 4 * column)
            column += 16
        while column < len(total):
            total[column] += load_float(matrix, at + 4 * column)
            column += 1


@kernel
def _is_space(byte: Any) -> Any:
    """What parts words, besides the line feed."""
    return byte == 32 or byte == 9 or 11 <= byte <= 13 or byte == 0


@kernel
def _word_end(data: Any, i: Any, end: Any) -> Any:
    """The byte behind the word of data[i:end] that begins at i."""
    while i + 8 <= end:  # the first of eight bytes that is a space or a control character
        x = load64(data, i)
        found = (x - _BEHIND_SPACE) & ~x & _HIGH
        if found == 0:
            i += 8
            continue
        i += np.int64(trailing_zeros(found) >> np.uint64(3))
        if _is_space(data[i]) or data[i] == _LINE_FEED:
            return i
        i += 1
    while i < end and not (_is_space(data[i]) or data[i] == _LINE_FEED):
        i += 1
    return i


@kernel
def _starts_with(data: Any, start: Any, end: Any, text: Any) -> Any:
    same = end - start >= len(text)
    k = 0
    while same and k < len(text):
        same = data[start + k] == text[k]
        k += 1
    return same


@kernel
def _look_up(data: Any, start: Any, end: Any, model: Any) -> Any:
    """(hash of the word data[start:end], its number in the dictionary, or -1, `_LABEL_WORD` or `_END_WORD`)."""
    h = word_hash(data, start, end)
    if end - start == len(_END) and _starts_with(data, start, end, _END):
        return h, np.int64(_END_WORD)
    entry = find_entry(data, start, end, h, model.dictionary, model.places, model.hashes, model.slots)
    if entry >= model.words or (entry < 0 and _starts_with(data, start, end, _LABEL)):
        return h, np.int64(_LABEL_WORD)
    return h, entry


@kernel
def _keep(cache: Any, key: Any, fnv: Any, rows: Any, start: Any, end: Any) -> None:
    """Puts a word that the cache does not have into it, after emptying it if there is no room."""
    if cache.used[0] == len(cache.lines) // 2 or cache.used[1] + (end - start) > len(cache.rows):
        cache.lines[:, 2] = 0
        cache.used[:] = 0
    if end - start > len(cache.rows):
        return
    line = _find_line(cache.lines, key)
    first = cache.used[1]
    for k in range(end - start):
        cache.rows[first + k] = rows[start + k]
    cache.lines[line, 0] = key[0]
    cache.lines[line, 1] = key[1]
    cache.lines[line, 2] = key[2]
    cache.lines[line, 3] = np.uint64(first << 16 | (end - start))
    cache.hashes[line] = fnv
    cache.used[0] += 1
    cache.used[1] += end - start


@kernel
def _find_line(lines: Any, key: Any) -> Any:
    """The line of a word, or the empty one where it belongs."""
    k0, k1, k2, h = key
    line = np.int64(h >> np.uint64(32)) & (len(lines) - 1)
    while lines[line, 2] != 0 and (lines[line, 2] != k2 or lines[line, 0] != k0 or lines[line, 1] != k1):
        line = (line + 1) & (len(lines) - 1)
    return line


@kernel
def _bracketed(data: Any, start: Any, end: Any, word: Any) -> Any:
    """(an array that begins with the word data[start:end] between "<" and ">", their number of bytes): `word`, or a new
    one where it is too short."""
    size = end - start + 2
    if size > len(word):
        word = np.empty(2 * size, np.uint8)
    word[0] = _OPEN
    for k in range(end - start):
        word[1 + k] = data[start + k]
    word[size - 1] = _CLOSE
    return word, size


@kernel
def _word_ngrams(hashes: Any, words: Any, model: Any, rows: Any, pending: Any, limit: Any, vector: Any) -> Any:
    """`Dictionary::addWordNgrams`, of the words of these hashes: puts rows behind rows[:pending], and adds all up
    whenever there are `limit`. Gives (how many were added, how many are left in `rows`)."""
    added = 0
    for first in range(words):
        h = np.uint64(np.int64(np.int32(hashes[first])))
        for last in range(first + 1, min(words, first + model.word_ngrams)):
            h = h * _WORD_NGRAM_STEP + np.uint64(np.int64(np.int32(hashes[last])))
            pending = _put_ngram(np.int64(h % np.uint64(model.bucket)), model, rows, pending)
            if pending >= limit:
                _add(rows, pending, model.matrix, model.first_row, vector)
                added += pending
                pending = 0
    return added, pending


@kernel
def text_vectors(data: Any, offsets: Any, model: Any, cache: Any, vectors: Any, counts: Any) -> Any:
    """The vector of each text of a column, and of how many rows it is the mean; gives (words, words not in the cache).

    A text ends at its first line feed or word "</s>", as it does for fastText.

    Args:
        data, offsets: UTF-8 in the layout of `corpus.text.buffers`.
        model: `Input`.
        cache: of the same model; is changed.
        vectors: float32, shape (texts, dim), zero; stays so for a text without rows.
        counts: int64, shape (texts,).
    """
    longest = 0
    for text in range(len(offsets) - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    word_hashes = np.empty(longest // 2 + 2 if model.word_ngrams > 1 else 0, np.uint32)
    word = np.empty(KEY_BYTES + 2, np.uint8)
    limit = _PENDING_ROWS + 1 + (KEY_BYTES + 2) * min(model.maxn, KEY_BYTES + 2)  # and the rows of a word with a key
    rows = np.empty(limit + model.maxn + 1, np.int32)
    met = missed = 0
    for text in range(len(offsets) - 1):
        i, end = offsets[text], offsets[text + 1]
        vector = vectors[text]
        added = pending = words = 0
        while True:
            while i < end and _is_space(data[i]):
                i += 1
            if i == end or data[i] == _LINE_FEED:
                break
            start = i
            i = _word_end(data, i, end)
            met += 1
            has_key = i - start <= KEY_BYTES and start + READ_BYTES <= len(data)
            key = word_key(data, start, i - start) if has_key else _NO_KEY
            line = _find_line(cache.lines, key)
            if has_key and cache.lines[line, 2] != 0:
                place: Any = np.int64(cache.lines[line, 3])
                first, count = place >> 16, place & 0xFFFF
                for k in range(count):
                    rows[pending + k] = cache.rows[first + k]
                pending += count
                fnv = cache.hashes[line]
            else:
                missed += 1
                fnv, entry = _look_up(data, start, i, model)
                if entry == _END_WORD:
                    break
                if entry == _LABEL_WORD:
                    continue
                before = pending
                if entry >= 0:
                    rows[pending] = entry
                    pending += 1
                at = size = 0
                if model.maxn > 0:
                    word, size = _bracketed(data, start, i, word)
                while at < size:
                    at, pending = _subwords(word, size, at, model, rows, pending, limit)
                    if at < size:  # only of a word without a key
                        _add(rows, pending, model.matrix, model.first_row, vector)
                        added += pending
                        pending = 0
                if has_key:
                    _keep(cache, key, fnv, rows, before, pending)
            if model.word_ngrams > 1:
                word_hashes[words] = fnv
                words += 1
            if pending >= _PENDING_ROWS:
                _add(rows, pending, model.matrix, model.first_row, vector)
                added += pending
                pending = 0
        if model.end >= 0:
            rows[pending] = model.end
            pending += 1
        if model.word_ngrams > 1:
            word_hashes[words] = word_hash(_END, 0, len(_END))
            more, pending = _word_ngrams(word_hashes, words + 1, model, rows, pending, limit, vector)
            added += more
        _add(rows, pending, model.matrix, model.first_row, vector)
        counts[text] = added + pending
        if counts[text]:
            vector *= np.float32(1.0 / counts[text])
    return met, missed


def vectors_of(
    data: Bytes, offsets: Offsets, model: Input, cache: Cache
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """(vectors, float32, shape (texts, dim); of how many rows each is the mean, int64). See `text_vectors`."""
    vectors, counts = np.zeros((len(offsets) - 1, model.dim), np.float32), np.zeros(len(offsets) - 1, np.int64)
    data = data.view()
    data.flags.writeable = False  # as some columns are: the kernel is compiled for one kind of array
    text_vectors(data, offsets, model, cache, vectors, counts)
    return vectors, counts
