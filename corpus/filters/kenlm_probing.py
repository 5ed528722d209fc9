"""KenLM's binary models of hash tables, the kind that `build_binary` makes unless told otherwise: read where they are.

The file is mapped, so that processes share it, and scores are those of the library, bit for bit: it adds up in
float32, and so is done here, in the same order. The layout is that of github.com/kpu/kenlm, lm/binary_format.cc,
lm/vocab.cc and lm/search_hashed.hh, little-endian: the header with the number of n-grams of each length, a hash table
of the words, what each word alone weighs, and a hash table of the n-grams of each length.
"""

import mmap
import os
import struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from corpus.errors import UserError
from corpus.kernel import kernel
from corpus.text.buffers import Bytes, Offsets
from corpus.text.hashing import load32, load64, load_float, prefetch

HEADER = struct.Struct("<56s3f3IQB3xfIB3xI")
"""`Sanity` and `FixedWidthParameters`: order, factor of the size of hash tables, kind of model, whether the words
follow at the end, version of the kind."""
SANITY = (b"mmap lm http://kheafield.com/code format version 5\n".ljust(56, b"\0"), 0.0, 1.0, -0.5, 1, 0xFFFFFFFF, 0, 1)
ORDERS = range(2, 7)
"""Of the library as it is built for Python, KENLM_MAX_ORDER."""

_PROBING = (0, 0)  # kind and version
_WORD_BYTES, _UNIGRAM_BYTES, _MIDDLE_BYTES, _LONGEST_BYTES = 12, 8, 16, 12
_FIRST_WORD = b"<unk>\0"

_MURMUR = np.uint64(0xC6A4A7935BD1E995)
_CONTEXT, _WORD = np.uint64(8978948897894561157), np.uint64(17894857484156487943)  # CombineWordHash
_AHEAD = 6
"""Entries are fetched into the processor's cache so many words before they are read."""
_RING = 8
"""More than `_AHEAD`, a power of two."""


class Probing(NamedTuple):
    """A model in its file.

    Attributes:
        data: the file.
        vocabulary: byte that the table of words begins at; a slot has a hash (uint64) and a word's number (uint32).
        slots: of that table.
        unigrams: byte at which stands what each word weighs: log10 of its probability, and of its backoff, float32.
        tables: of the n-grams of each length from 2 on: the byte that the table begins at, its slots, 2^64 / slots,
            the bytes of a slot and the byte behind the table. A slot has a hash (uint64), the probability and, except
            for the longest, the backoff. int64, shape (order - 1, 5).
        start, end: the numbers of <s> and </s>.
    """

    data: Bytes
    vocabulary: int
    slots: int
    unigrams: int
    tables: npt.NDArray[np.int64]
    start: int
    end: int


def read_probing(path: str) -> Probing | str:
    """Of a model; or, in words, why it is none of this kind.

    Raises:
        UserError: it is one, but not whole.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < HEADER.size or HEADER.unpack(file.read(HEADER.size))[:8] != SANITY:
            return "it is no binary model of KenLM"
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    mapped.madvise(mmap.MADV_WILLNEED)
    order, factor, kind, has_words, version = HEADER.unpack_from(mapped)[8:]
    if (kind, version) != _PROBING or order not in ORDERS or not 1 <= factor < 1000:
        return "it is a model of KenLM of another kind"
    at = -(-(HEADER.size + 8 * order) // 8) * 8
    if at > size:
        raise _cut_short(path, size)
    counts = struct.unpack_from(f"<{order}Q", mapped, HEADER.size)
    # As `ProbingHashTable::Size` rounds, in float32.
    slots = [max(count + 1, int(np.float32(factor) * np.float32(count))) for count in counts]
    vocabulary = at + 8
    unigrams = vocabulary + _WORD_BYTES * slots[0]
    at = unigrams + _UNIGRAM_BYTES * (counts[0] + 1)
    rows = []
    for number in range(1, order):
        step = _MIDDLE_BYTES if number < order - 1 else _LONGEST_BYTES
        rows.append((at, slots[number], ((1 << 64) - 1) // slots[number], step, at + step * slots[number]))
        at += step * slots[number]
    if at + len(_FIRST_WORD) * bool(has_words) > size:
        raise _cut_short(path, size)
    data = np.frombuffer(mapped, np.uint8)
    numbers = np.ndarray(slots[0], "<u4", data, vocabulary + 8, _WORD_BYTES)
    if numbers.max() > counts[0] or (has_words and mapped[at : at + len(_FIRST_WORD)] != _FIRST_WORD):
        raise UserError(f"{path} is not a whole KenLM model (its words are damaged): fetch or build it again")
    tables = np.array(rows, np.uint64).view(np.int64)
    for first, step, stop in [(vocabulary, _WORD_BYTES, unigrams), *tables[:, [0, 3, 4]].tolist()]:
        if not has_empty_slot(data, first, step, stop):  # else a search might never end
            raise UserError(f"{path} is not a whole KenLM model (a table is damaged): fetch or build it again")
    ends = np.frombuffer(b"<s></s>", np.uint8), np.array([0, 3, 7])
    model = Probing(data, vocabulary, slots[0], unigrams, tables, 0, 0)
    start, end = word_numbers(*ends, model).tolist()
    return model._replace(start=start, end=end)


def _cut_short(path: str, size: int) -> UserError:
    return UserError(
        f"{path} is not a whole KenLM model (it ends at byte {size:,} and should be longer): fetch or build it again"
    )


@kernel
def has_empty_slot(data: Any, first: Any, step: Any, stop: Any) -> Any:
    """Whether a hash table has one; two of five are."""
    at = first
    while at < stop and load64(data, at) != 0:
        at += step
    return at < stop


@kernel
def _murmur(text: Any, start: Any, end: Any) -> Any:
    """MurmurHash64A of text[start:end] with seed 0 (util/murmur_hash.cc)."""
    h = np.uint64(end - start) * _MURMUR
    i = start
    while i + 8 <= end:
        k = load64(text, i) * _MURMUR
        h = (h ^ (k ^ k >> np.uint64(47)) * _MURMUR) * _MURMUR
        i += 8
    if i < end:
        last = np.uint64(0)
        for k in range(end - 1, i - 1, -1):
            last = last << np.uint64(8) | np.uint64(text[k])
        h = (h ^ last) * _MURMUR
    h = (h ^ h >> np.uint64(47)) * _MURMUR
    return h ^ h >> np.uint64(47)


@kernel
def find_words(text: Any, offsets: Any, data: Any, vocabulary: Any, slots: Any, numbers: Any) -> None:
    """The number of each word text[offsets[k]:offsets[k + 1]], 0 for one that the model does not know."""
    for word in range(len(numbers)):
        h = _murmur(text, offsets[word], offsets[word + 1])
        slot: Any = np.int64(h % np.uint64(slots))
        found = load64(data, vocabulary + _WORD_BYTES * slot)
        while found != h and found != 0:
            slot = slot + 1 if slot + 1 < slots else 0
            found = load64(data, vocabulary + _WORD_BYTES * slot)
        numbers[word] = load32(data, vocabulary + _WORD_BYTES * slot + 8) if found == h else 0


def word_numbers(text: Bytes, offsets: Offsets, model: Probing) -> npt.NDArray[np.uint32]:
    """The model's number of each word text[offsets[k]:offsets[k + 1]]; 0 is <unk>."""
    numbers = np.empty(len(offsets) - 1, np.uint32)
    text = text.view()
    text.flags.writeable = False  # as some columns are: the kernel is compiled for one kind of array
    find_words(text, offsets, model.data, model.vocabulary, model.slots, numbers)
    return numbers


@intrinsic
def _high_product(typing_context: Any, x: Any, y: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(argument, wide) for argument in arguments))
        return builder.trunc(builder.lshr(product, wide(64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), codegen


high_product: Any = _high_product
"""For kernels: the upper 64 bits of the product of two uint64."""


@kernel
def _remainder(x: Any, n: Any, inverse: Any) -> Any:
    """x % n, where `inverse` is (2^64 - 1) // n: several times as fast as the processor's division."""
    rest = x - high_product(x, inverse) * n
    return np.int64(rest - n if rest >= n else rest)


@kernel
def score_rows(
    numbers: Any, offsets: Any, data: Any, unigrams: Any, tables: Any, start: Any, end: Any, out: Any
) -> None:
    """The log10 probability of each row of words with begin and end of sentence: `GenericModel::FullScore` of
    lm/model.cc for each word, added up.

    A probability's sign bit says that no longer n-gram ends with the same words, so that the search is over; a backoff
    that is -0.0 that none begins with them, so that the context need not have them.

    Args:
        numbers, offsets: uint32; row k has numbers[offsets[k]:offsets[k + 1]].
        data, unigrams, tables, start, end: of `Probing`.
        out: float32.
    """
    longer = len(tables)  # how many words a context has at most
    hashes, places = np.empty((_RING, longer), np.uint64), np.empty((_RING, longer), np.int64)
    ring = np.empty(_RING, np.int64)  # the last words
    backoffs = np.empty((2, longer + 1), np.float32)  # of the last words as a context, from one to all; old and new
    for row in range(len(out)):
        words = offsets[row + 1] - offsets[row] + 2
        ring[0] = start
        old, context = 0, np.int64(1)
        backoffs[0, 0] = load_float(data, unigrams + _UNIGRAM_BYTES * start + 4)
        total = np.float32(0)
        for coming in range(1, words + _AHEAD):
            if coming < words:
                word = np.int64(numbers[offsets[row] + coming - 1]) if coming < words - 1 else np.int64(end)
                slot = coming % _RING
                ring[slot] = word
                prefetch(data, unigrams + _UNIGRAM_BYTES * word)
                h = np.uint64(word)
                for k in range(min(coming, longer)):
                    before = ring[(coming - 1 - k) % _RING]
                    h = h * _CONTEXT ^ np.uint64(before + 1) * _WORD
                    place = _remainder(h, np.uint64(tables[k, 1]), np.uint64(tables[k, 2]))
                    hashes[slot, k] = h
                    places[slot, k] = tables[k, 0] + place * tables[k, 3]
                    prefetch(data, places[slot, k])
            if coming <= _AHEAD:
                continue
            slot = (coming - _AHEAD) % _RING
            at = unigrams + _UNIGRAM_BYTES * ring[slot]
            new = 1 - old
            probability, backoffs[new, 0] = load_float(data, at), load_float(data, at + 4)
            matched = 1  # words of the longest n-gram found
            extends = 1 if load32(data, at + 4) != 0x80000000 else 0
            for k in range(context):
                if np.signbit(probability):
                    break
                at, h = places[slot, k], hashes[slot, k]
                found = load64(data, at)
                while found != h and found != 0:
                    at = at + tables[k, 3] if at + tables[k, 3] < tables[k, 4] else tables[k, 0]
                    found = load64(data, at)
                if found != h:
                    break
                probability = load_float(data, at + 8)
                matched = k + 2
                if k + 1 < longer:
                    backoffs[new, k + 1] = load_float(data, at + 12)
                    extends = matched if load32(data, at + 12) != 0x80000000 else extends
            if matched <= longer:  # the sign of the longest is its own
                probability = -abs(probability)
            for k in range(matched - 1, context):
                probability += backoffs[old, k]
            total += probability
            context = np.int64(min(extends, longer))
            old = new
        out[row] = total


def log_probabilities(numbers: npt.NDArray[np.uint32], offsets: Offsets, model: Probing) -> npt.NDArray[np.float32]:
    """Of each row numbers[offsets[k]:offsets[k + 1]] of words, as a sentence; log10. See `score_rows`."""
    out = np.empty(len(offsets) - 1, np.float32)
    score_rows(numbers, offsets, model.data, model.unigrams, model.tables, model.start, model.end, out)
    return out
