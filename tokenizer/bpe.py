"""SentencePiece BPE in numba: text buffers in, ids out, equal to `SentencePieceProcessor.encode` id for id.

SentencePiece starts from the characters of the text (a space is U+2581) and joins, again and again, the adjacent
pair whose concatenation is the piece of the highest score, the leftmost on a tie, until no pair is a piece; what is
left and is no piece becomes bytes (src/bpe_model.cc, `SampleEncode`). Three things make that fast here.

Cuts. Every merge gives a piece of the vocabulary. Where two characters stand side by side that no piece contains
side by side, no merge can ever cross, so the text falls into independent words. `Tables.joins` says so for the last
byte of one character and the first byte of the next, a superset of what the pieces contain, so a cut is never
wrong, only missing. For a model trained with the LLaMA settings the cuts are before each run of spaces, around each
newline and digit, and between most scripts.

Cache. A word of up to 23 bytes is looked up in a two-way set-associative cache of one 64-byte line an entry, which
is bounded and forgets; what it holds never changes the result.

Symbols. Pieces are numbered by descending score, so that the number of a piece is its priority and the pair table
needs no second look-up. Words of many characters use a heap: O(n log n), like SentencePiece.

Words of any length take the same memory: they are encoded a window at a time (`_encode_word`).
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel
from corpus.text.unicode import width
from corpus.text.word_keys import KEY_BYTES, READ_BYTES, word_key
from tokenizer.model import SPACE, ModelFile, PieceType, irregular_reason

_SYMBOL_BITS = 21
_NONE = (1 << _SYMBOL_BITS) - 1
"""No merge; greater than every symbol, so the smallest is the best."""
_SYMBOL_MASK = np.uint64(_NONE)
_PAIR_MASK = np.uint64(~_NONE & 0xFFFFFFFFFFFFFFFF)
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)

_M1 = np.uint64(0x9E3779B97F4A7C15)

_SHORT = 64
"""Words of more symbols than this are merged with a heap."""
_LINE_TOKENS = 9

CACHE_SETS = 1 << 17

WINDOW_BYTES = 1 << 16
"""Longer words are encoded in windows of this size; its scratch, 32 times as large, fits a processor's cache."""

_NOTHING = -(1 << 31)
"""No symbol."""


class Scratch(NamedTuple):
    """Memory for one word, or one window of it; see `new_scratch`. No word needs what another left in it.

    Attributes:
        symbols, merged, before, after: int32, one for each character.
        heap: uint64, two for each character.
    """

    symbols: npt.NDArray[np.int32]
    merged: npt.NDArray[np.int32]
    before: npt.NDArray[np.int32]
    after: npt.NDArray[np.int32]
    heap: npt.NDArray[np.uint64]


class Tables(NamedTuple):
    """A vocabulary as the kernel reads it. A symbol is the rank of a piece by descending score.

    Attributes:
        character: code point -> symbol, or -1; shape (0x110000,). A space and U+2581 are the same symbol.
        pairs: open-addressing table of left << 42 | right << 21 | merged; its length is a power of two.
        pair_shift: 64 - log2(len(pairs)).
        joins: [last byte << 8 | first byte] is 0 where a cut between two characters is safe; U+2581 counts as the
            byte 0x20. Continuation bytes always join.
        piece: symbol -> id.
        byte_piece: byte -> id; shape (256,).
    """

    character: npt.NDArray[np.int32]
    pairs: npt.NDArray[np.uint64]
    pair_shift: np.uint64
    joins: npt.NDArray[np.uint8]
    piece: npt.NDArray[np.int32]
    byte_piece: npt.NDArray[np.int32]


@lru_cache(maxsize=1)
def inexact_reason(model: ModelFile) -> str | None:
    """Why this kernel would not give SentencePiece's ids for a model, or None where it does."""
    if reason := irregular_reason(model):
        return reason
    if not model.byte_fallback:
        return "it has no byte fallback"
    if len(model.pieces) >= _NONE:
        return f"it has more than {_NONE - 1} pieces"
    return None


@lru_cache(maxsize=1)
def build_tables(model: ModelFile) -> Tables:
    """The tables of a model for which `inexact_reason` is None. Those of the last model are kept: a worker needs them
    for every shard, and building takes as long as encoding several MB."""
    normal = [i for i, kind in enumerate(model.types) if kind is PieceType.NORMAL]
    normal.sort(key=lambda i: (-model.scores[i], i))
    symbol = {model.pieces[i]: rank for rank, i in enumerate(normal)}

    character = np.full(0x110000, -1, np.int32)
    joins = np.zeros((256, 256), np.uint8)
    joins[:, 0x80:0xC0] = 1
    pairs: list[int] = []
    for piece, merged in symbol.items():
        if len(piece) == 1:
            character[ord(piece)] = merged
            continue
        for cut in range(1, len(piece)):
            joins[_edge(piece[cut - 1])[-1], _edge(piece[cut])[0]] = 1
            left, right = symbol.get(piece[:cut]), symbol.get(piece[cut:])
            if left is not None and right is not None:
                pairs.append(left << 2 * _SYMBOL_BITS | right << _SYMBOL_BITS | merged)
    character[ord(" ")] = symbol[SPACE]

    bits = max(8, (4 * len(pairs)).bit_length())
    table = np.full(1 << bits, _EMPTY)
    shift = np.uint64(64 - bits)
    _fill(table, shift, np.array(pairs, np.uint64))

    byte_piece = np.zeros(256, np.int32)
    for i, kind in enumerate(model.types):
        if kind is PieceType.BYTE:  # "<0x0A>"
            byte_piece[int(model.pieces[i][3:5], 16)] = i
    return Tables(character, table, shift, joins.ravel(), np.array(normal, np.int32), byte_piece)


def _edge(character: str) -> bytes:
    return b" " if character == SPACE else character.encode()


def new_cache(sets: int = CACHE_SETS) -> npt.NDArray[np.uint64]:
    """An empty word cache for `encode_rows`: two lines a set; `sets` is a power of two.

    A line is eight words of 64 bits: 23 bytes of text zero-padded and their count in the 24th byte, then, as 32-bit
    integers, the number of ids and the ids.
    """
    return np.zeros((2 * sets, 8), np.uint64)


@kernel
def new_scratch(window: int) -> Scratch:
    """Scratch for windows of up to `window` bytes, at least 4, and the space before a word."""
    n = window + 1
    return Scratch(
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty(2 * n, np.uint64),
    )


@kernel
def _pair_slot(key: Any, shift: Any) -> Any:
    return ((key >> np.uint64(_SYMBOL_BITS)) * _M1) >> shift


@kernel
def _fill(table: Any, shift: Any, entries: Any) -> None:
    last = np.uint64(len(table) - 1)
    for entry in entries:
        i = _pair_slot(entry & _PAIR_MASK, shift)
        while table[i] != _EMPTY:
            i = (i + np.uint64(1)) & last
        table[i] = entry


@kernel
def _merge(tables: Any, left: Any, right: Any) -> Any:
    """The symbol that two symbols merge into, or `_NONE`. Unknown characters are negative."""
    if left < 0 or right < 0:
        return np.int64(_NONE)
    key = np.uint64(left) << np.uint64(2 * _SYMBOL_BITS) | np.uint64(right) << np.uint64(_SYMBOL_BITS)
    last = np.uint64(len(tables.pairs) - 1)
    i = _pair_slot(key, tables.pair_shift)
    while True:
        entry = tables.pairs[i]
        if entry & _PAIR_MASK == key:
            return np.int64(entry & _SYMBOL_MASK)
        if entry == _EMPTY:
            return np.int64(_NONE)
        i = (i + np.uint64(1)) & last


@kernel
def _characters(data: Any, start: Any, end: Any, lead: Any, tables: Any, symbols: Any) -> Any:
    """Writes the symbols of data[start:end], an unknown character at byte start + i as -1 - i; returns their count."""
    n = 0
    if lead:
        symbols[0] = tables.character[0x20]
        n = 1
    i = start
    while i < end:
        point = np.int64(data[i])
        at = i
        if point < 0x80:
            i += 1
        elif point < 0xE0:
            point = (point & 0x1F) << 6 | (np.int64(data[i + 1]) & 0x3F)
            i += 2
        elif point < 0xF0:
            point = (point & 0x0F) << 12 | (np.int64(data[i + 1]) & 0x3F) << 6 | (np.int64(data[i + 2]) & 0x3F)
            i += 3
        else:
            point = (
                (point & 0x07) << 18
                | (np.int64(data[i + 1]) & 0x3F) << 12
                | (np.int64(data[i + 2]) & 0x3F) << 6
                | (np.int64(data[i + 3]) & 0x3F)
            )
            i += 4
        symbol = tables.character[point]
        symbols[n] = symbol if symbol >= 0 else -1 - (at - start)
        n += 1
    return n


@kernel
def _merge_short(tables: Any, symbols: Any, merged: Any, n: Any) -> Any:
    """Merges n symbols in place and returns how many are left; `merged` is scratch. O(n^2), for small n."""
    for j in range(n - 1):
        merged[j] = _merge(tables, symbols[j], symbols[j + 1])
    while True:
        best = np.int64(_NONE)
        at = -1
        for j in range(n - 1):
            if merged[j] < best:
                best = np.int64(merged[j])
                at = j
        if at < 0:
            return n
        n -= 1
        symbols[at] = best
        for j in range(at + 1, n):
            symbols[j] = symbols[j + 1]
            merged[j] = merged[j + 1]
        if at + 1 < n:
            merged[at] = _merge(tables, symbols[at], symbols[at + 1])
        if at > 0:
            merged[at - 1] = _merge(tables, symbols[at - 1], symbols[at])


@kernel
def _push(heap: Any, size: Any, entry: Any) -> Any:
    i = size
    while i > 0:
        parent = (i - 1) >> 1
        if heap[parent] <= entry:
            break
        heap[i] = heap[parent]
        i = parent
    heap[i] = entry
    return size + 1


@kernel
def _pop(heap: Any, size: Any) -> Any:
    """Removes heap[0]; returns the new size."""
    size -= 1
    entry = heap[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= entry:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = entry
    return size


@kernel
def _merge_long(tables: Any, scratch: Any, n: Any) -> Any:
    """As `_merge_short`, in O(n log n). `scratch.before` then holds which character each symbol begins with.

    An entry of the heap is merged << 32 | position of the left symbol, so the best is the highest score and then the
    leftmost. It is stale when the pair at that position no longer gives that symbol. Each merge takes one entry and
    adds at most two, so the heap never holds more than 2n.
    """
    symbols, merged, before, after, heap = scratch
    size = 0
    for j in range(n):
        before[j] = j - 1
        after[j] = j + 1
        merged[j] = _NONE
    for j in range(n - 1):
        m = _merge(tables, symbols[j], symbols[j + 1])
        if m != _NONE:
            merged[j] = m
            size = _push(heap, size, np.uint64(m) << np.uint64(32) | np.uint64(j))
    while size > 0:
        at = np.int64(heap[0] & np.uint64(0xFFFFFFFF))
        m = np.int64(heap[0] >> np.uint64(32))
        size = _pop(heap, size)
        if merged[at] != m:
            continue
        gone = after[at]
        symbols[at] = m
        merged[gone] = _NONE
        merged[at] = _NONE
        right = after[gone]
        after[at] = right
        if right < n:
            before[right] = at
            m = _merge(tables, symbols[at], symbols[right])
            if m != _NONE:
                merged[at] = m
                size = _push(heap, size, np.uint64(m) << np.uint64(32) | np.uint64(at))
        left = before[at]
        if left >= 0:
            m = _merge(tables, symbols[left], symbols[at])
            merged[left] = m
            if m != _NONE:
                size = _push(heap, size, np.uint64(m) << np.uint64(32) | np.uint64(left))
    kept = 0
    place: Any = 0
    while place < n:
        symbols[kept] = symbols[place]
        before[kept] = place
        kept += 1
        place = after[place]
    return kept


@kernel
def _encode_word(data: Any, start: Any, end: Any, lead: Any, tables: Any, scratch: Any, out: Any, o: Any) -> Any:
    """Writes the ids of one word from out[o] on and returns the next free place. `lead`: a space stands before it.

    A word that is longer than the scratch is encoded in windows. Each begins where a symbol near the end of the one
    before does, and must begin with that same symbol; then the symbols before it and those of this window are the
    word's. For symbols are the encoding of their concatenation exactly when each two neighbours are the encoding of
    theirs: until a merge crosses a boundary, what happens on its two sides is what would happen to the two alone, in
    the same order. Neighbours here always stood side by side in one window. Where a window begins with another
    symbol, which takes a dependence over hundreds of symbols, the word is done again with windows twice as long.
    """
    origin, space, o_origin = start, lead, o
    due: Any = _NOTHING
    while True:
        stop = min(end, start + len(scratch.symbols) - 1)
        while stop < end and data[stop] & 0xC0 == 0x80:
            stop -= 1
        n = _characters(data, start, stop, lead, tables, scratch.symbols)
        if n <= _SHORT and stop == end:
            n = _merge_short(tables, scratch.symbols, scratch.merged, n)
        else:
            n = _merge_long(tables, scratch, n)
        if due != _NOTHING and scratch.symbols[0] != due:
            n = 0
        elif stop < end:
            n -= 1 + n // 64
        if n > 0:
            o = _write(data, start, scratch.symbols, n, tables, out, o)
            if stop == end:
                return o
            due = max(scratch.symbols[n], -1)
            for _ in range(scratch.before[n] - lead):
                start += width(data[start])
            lead = False
        else:
            scratch = new_scratch(2 * len(scratch.symbols))
            start, lead, o, due = origin, space, o_origin, _NOTHING


@kernel
def _write(data: Any, start: Any, symbols: Any, n: Any, tables: Any, out: Any, o: Any) -> Any:
    """Writes the ids of n symbols of the text from byte `start` on; an unknown character is its bytes."""
    for j in range(n):
        symbol = symbols[j]
        if symbol >= 0:
            out[o] = tables.piece[symbol]
            o += 1
        else:
            i = start - 1 - symbol
            for k in range(i, i + width(data[i])):
                out[o] = tables.byte_piece[data[k]]
                o += 1
    return o


@kernel
def encode_rows(
    data: Any,
    offsets: Any,
    bos: int,
    eos: int,
    dummy_prefix: bool,
    tables: Any,
    lines: Any,
    values: Any,
    scratch: Any,
    out: Any,
    out_offsets: Any,
) -> Any:
    """Encodes each row of a text column, and returns (words, words not found in the cache).

    Args:
        data, offsets: valid UTF-8 in the layout of `corpus.text.buffers`.
        bos, eos: ids to write around each row, or -1.
        dummy_prefix: a space is put before a row that is not empty.
        lines: from `new_cache`; `values` is the same memory as 32-bit integers. Both are changed.
        scratch: from `new_scratch`.
        out: ids; has room for every byte of text, three more for each row, and two more in all.
        out_offsets: shape (rows + 1,): row i is out[out_offsets[i]:out_offsets[i + 1]].
    """
    joins = tables.joins
    sets = np.uint64(len(lines) // 2 - 1)
    words = 0
    missed = 0
    o: Any = 0
    for row in range(len(offsets) - 1):
        out_offsets[row] = o
        if bos >= 0:
            out[o] = bos
            o += 1
        i = offsets[row]
        end = offsets[row + 1]
        lead = dummy_prefix
        while i < end:
            start = i
            last = np.int64(0)
            while i < end:
                first = np.int64(data[i])
                width = 1
                # A literal U+2581 (E2 96 81) is a space.
                if first == 0xE2 and i + 2 < end and data[i + 1] == 0x96 and data[i + 2] == 0x81:
                    first = np.int64(0x20)
                    width = 3
                if i > start and joins[last << 8 | first] == 0:
                    break
                last = first
                i += width
            words += 1
            length = i - start
            # The last words of the buffer go without the cache: their keys would be read behind its end.
            if lead or length > KEY_BYTES or start + READ_BYTES > len(data):
                o = _encode_word(data, start, i, lead, tables, scratch, out, o)
                lead = False
                missed += 1
                continue
            k0, k1, k2, h = word_key(data, start, length)
            line = np.int64(h >> np.uint64(32) & sets) * 2
            if lines[line, 0] != k0 or lines[line, 1] != k1 or lines[line, 2] != k2:
                line += 1
                if lines[line, 0] != k0 or lines[line, 1] != k1 or lines[line, 2] != k2:
                    before = o
                    o = _encode_word(data, start, i, False, tables, scratch, out, o)
                    missed += 1
                    if o - before <= _LINE_TOKENS:
                        for k in range(8):
                            lines[line, k] = lines[line - 1, k]
                        line -= 1
                        lines[line, 0] = k0
                        lines[line, 1] = k1
                        lines[line, 2] = k2
                        values[line, 6] = o - before
                        for k in range(o - before):
                            values[line, 7 + k] = out[before + k]
                    continue
            # Three ids are written in any case, and overwritten where the word has fewer: no branch to mispredict.
            out[o] = values[line, 7]
            out[o + 1] = values[line, 8]
            out[o + 2] = values[line, 9]
            for k in range(3, values[line, 6]):
                out[o + k] = values[line, 7 + k]
            o += np.int64(values[line, 6])
        if eos >= 0:
            out[o] = eos
            o += 1
    out_offsets[len(offsets) - 1] = o
    return words, missed
