"""CCNet's removal of lines that more than one document has."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pydantic import Field

from corpus.dedup.blocks import group_starts, keyed, partition_of, record_batch
from corpus.kernel import kernel
from corpus.rules import Block, Cleaned, Dedup, PartRef, Round
from corpus.text import normalize
from corpus.text.buffers import Offsets, text_array, text_buffers
from corpus.text.hashing import Hashes, hash_bytes
from corpus.text.normalize import GROWTH, normalize_line

KEPT, TOO_SHORT, NO_LINES_LEFT = 0, 1, 2
REASONS = pa.array([None, "too_short", "no_lines_left"], pa.string())

NEWLINE = 10


class Lines(Dedup):
    """Drops every line that two or more documents of a snapshot have, in all of them, as cc_net does (dedup.py).

    A line is what stands between two "\\n"; lines are equal when they are equal after `normalize_for_dedup`
    (`corpus.text.normalize`), by a 64-bit hash: XXH64 here, the start of a SHA-1 there. What cc_net's code does,
    where it is not plain:

    - Documents are counted, not lines: a line that one document alone has, twice or more, keeps its first copy
      there (`AbstractDedupHashSet.add` looks a whole document up before it enters it).
    - An empty line is a line like any other: the first goes too as soon as two documents have one.
    - `min_chars` is measured before lines are removed (`parse_warc_file`), and the lines of a document too short
      are not counted. A document that keeps one short line is kept.

    Reasons: `too_short`, `no_lines_left`. Memory: 16 bytes for each line of a part in `sign`.

    Attributes:
        min_chars: a document shorter than this, in characters, is dropped (cc_net/mine.py, `Config.min_len`).
        window: compare only so many consecutive parts of a snapshot with each other; null compares all. cc_net
            compares 50 of 1,600 shards (`Config.hash_in_mem`) because its hashes must fit in memory.
    """

    version: ClassVar[int] = 1
    keeps: ClassVar[float] = 0.3  # assumed, of the order that the CCNet paper reports for English
    reasons: ClassVar[tuple[str, ...]] = ("too_short", "no_lines_left")
    removes: ClassVar[Literal["documents", "lines"]] = "lines"
    spills: ClassVar[str] = "text / 8: 8 B + 1 bit for each distinct line of 60 B"

    min_chars: int = Field(default=300, ge=0)
    window: int | None = Field(default=None, ge=1)

    def estimate(self, documents: int, text_bytes: int) -> int:
        return text_bytes // 8  # 8 bytes for each distinct line of a part; the lines of web text average 60 bytes

    def sign(self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        """One row a partition: the part, its group, its distinct hashes there, and which of them two documents have."""
        held = []
        for batch in batches:
            hashes, first = _line_hashes(batch.column("text"))
            held.append(hashes[_first_of_equals(hashes, first, self._long_enough(batch.column("text")))])
        hashes = np.concatenate(held) if held else np.empty(0, np.uint64)
        held.clear()
        hashes.sort()
        starts = np.flatnonzero(group_starts(hashes))
        twice = np.diff(starts, append=len(hashes)) > 1
        distinct = hashes[starts]
        bounds = np.searchsorted(partition_of(distinct, partitions), np.arange(partitions + 1))
        filled = np.flatnonzero(np.diff(bounds))
        ends = np.append(bounds[filled], len(distinct))
        yield from keyed(filled, _block(part.index, self._group(part), distinct, twice, ends))

    def rounds(self) -> Sequence[Round]:
        return [Round(_decide)]

    def apply(self, batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> Cleaned:
        text = batch.column("text")
        hashes, first = _line_hashes(text)
        drop = np.empty(0, np.uint64) if decisions is None else decisions.column("hash").to_numpy()
        if not (drop[1:] >= drop[:-1]).all():
            drop = np.sort(drop)
        drop.flags.writeable = False  # as memory of Arrow's: `_keep` is compiled for one kind of array
        keep, code = _keep(hashes, first, self._long_enough(text), drop)
        data, offsets = text_buffers(text)
        out, ends, kept, kept_ends = _copy_kept(data, offsets, first, keep)
        lines = pa.ListArray.from_arrays(pa.array(kept_ends), pa.array(kept))
        return Cleaned(text_array(out, ends), REASONS.take(pa.array(code)), lines)

    def _long_enough(self, text: pa.Array) -> npt.NDArray[np.bool_]:
        # cc_net's compute_hashes gives an empty document no lines at all.
        return pc.utf8_length(text).to_numpy(zero_copy_only=False) >= max(1, self.min_chars)

    def _group(self, part: PartRef) -> int:
        window = "" if self.window is None else str(part.index // self.window)
        return xxhash.xxh64_intdigest(f"{part.group}\n{window}".encode())


def _block(
    part: int, group: int, hashes: Hashes, twice: npt.NDArray[np.bool_], ends: npt.NDArray[np.int64]
) -> pa.RecordBatch:
    """One row for each stretch ends[i]:ends[i + 1] of the hashes, so that part and group cost little beside them."""
    rows = len(ends) - 1
    return pa.RecordBatch.from_arrays(
        [
            pa.array(np.full(rows, part, np.int32)),
            pa.array(np.full(rows, group, np.uint64)),
            pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), pa.array(hashes)),
            pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), pa.array(twice)),
        ],
        names=["part", "group", "hashes", "twice"],
    )


def _decide(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """For each part, which of its hashes two or more documents of its group have, sorted."""
    batch = pa.concat_batches(blocks)
    groups = batch.column("group").to_numpy()
    for group in np.unique(groups):
        some = batch.take(pa.array(np.flatnonzero(groups == group))) if (groups != group).any() else batch
        lists = some.column("hashes")
        hashes = lists.flatten().to_numpy()
        twice = some.column("twice").flatten().to_numpy(zero_copy_only=False)
        every = np.sort(np.concatenate([hashes, hashes[twice]]))
        again = every[~group_starts(every)]
        if not len(again):
            continue
        parts = np.repeat(some.column("part").to_numpy(), lists.value_lengths().to_numpy())
        drop = again[np.minimum(np.searchsorted(again, hashes), len(again) - 1)] == hashes
        yield from keyed(parts[drop], record_batch({"hash": hashes[drop]}))


def _line_hashes(text: pa.Array) -> tuple[Hashes, Offsets]:
    """Hashes of all normalised lines of all rows, and where the lines of each row begin, shape (rows + 1,)."""
    data, offsets = text_buffers(text)
    first = _count_lines(data, offsets)
    hashes = np.empty(first[-1], np.uint64)
    _hash_lines(data, offsets, hashes, *normalize.tables())
    return hashes, first


@kernel
def _count_lines(data: Any, offsets: Any) -> Any:
    first = np.zeros(len(offsets), np.int64)
    for row in range(len(offsets) - 1):
        count = 1
        for i in range(offsets[row], offsets[row + 1]):
            count += data[i] == NEWLINE
        first[row + 1] = first[row] + count
    return first


@kernel
def _hash_lines(data: Any, offsets: Any, hashes: Any, ascii: Any, classes: Any, lower: Any) -> None:
    scratch = np.empty(1 << 12, np.uint8)
    line = 0
    for row in range(len(offsets) - 1):
        start, stop = offsets[row], offsets[row + 1]
        while start <= stop:
            end = start
            while end < stop and data[end] != NEWLINE:
                end += 1
            room = (end - start) * 3 // 2 + GROWTH
            if room > len(scratch):
                scratch = np.empty(2 * room, np.uint8)
            size = normalize_line(data, start, end, scratch, 0, ascii, classes, lower)
            hashes[line] = hash_bytes(scratch, 0, size, 0)
            line += 1
            start = end + 1


@kernel
def _first_of_equals(hashes: Any, first: Any, long_enough: Any) -> Any:
    """Which lines are the first of their hash in their row; none of a row that is not long enough."""
    new = np.zeros(len(hashes), np.bool_)
    most = 1
    for row in range(len(first) - 1):
        most = max(most, first[row + 1] - first[row])
    size = 2
    while size < 2 * most:
        size *= 2
    seen = np.empty(size, np.uint64)  # open addressing; a slot counts where its row is the present one
    seen_row = np.full(size, -1, np.int64)
    for row in range(len(first) - 1):
        if long_enough[row]:
            for line in range(first[row], first[row + 1]):
                value = hashes[line]
                slot = np.int64(value & np.uint64(size - 1))
                while seen_row[slot] == row and seen[slot] != value:
                    slot = (slot + 1) & (size - 1)
                if seen_row[slot] != row:
                    seen_row[slot] = row
                    seen[slot] = value
                    new[line] = True
    return new


@kernel
def _contains(ordered: Any, value: Any) -> Any:
    """Whether a sorted array of hashes has the value. Hashes are even, so the search starts where it should be."""
    last = np.int64(len(ordered) - 1)
    if last < 0:
        return False
    low = high = np.int64(((value >> np.uint64(32)) * np.uint64(last + 1)) >> np.uint64(32))
    step = 32
    while low > 0 and ordered[low] > value:
        low = max(low - step, np.int64(0))
        step *= 2
    step = 32
    while high < last and ordered[high] < value:
        high = min(high + step, last)
        step *= 2
    while low < high:
        middle = (low + high) >> 1
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return ordered[low] == value


@kernel
def _keep(hashes: Any, first: Any, long_enough: Any, drop: Any) -> Any:
    """(which lines stay, code of the reason of each row)."""
    keep = _first_of_equals(hashes, first, long_enough)
    code = np.empty(len(first) - 1, np.int8)
    for row in range(len(first) - 1):
        code[row] = NO_LINES_LEFT if long_enough[row] else TOO_SHORT
        for line in range(first[row], first[row + 1]):
            if keep[line]:
                keep[line] = not _contains(drop, hashes[line])
                if keep[line]:
                    code[row] = KEPT
    return keep, code


@kernel
def _copy_kept(data: Any, offsets: Any, first: Any, keep: Any) -> Any:
    """(bytes, offsets) of the kept lines of each row joined by "\\n", and (numbers, offsets) of those lines."""
    rows = len(offsets) - 1
    out = np.empty(offsets[rows] - offsets[0], np.uint8)
    ends = np.zeros(rows + 1, np.int64)
    kept = np.empty(len(keep), np.uint32)
    kept_ends = np.zeros(rows + 1, np.int32)
    at = 0
    count = 0
    for row in range(rows):
        i = offsets[row]
        begin = at
        for line in range(first[row], first[row + 1]):
            if keep[line]:
                if at > begin or count > kept_ends[row]:
                    out[at] = NEWLINE
                    at += 1
                while i < offsets[row + 1] and data[i] != NEWLINE:
                    out[at] = data[i]
                    at += 1
                    i += 1
                kept[count] = line - first[row]
                count += 1
            else:
                while i < offsets[row + 1] and data[i] != NEWLINE:
                    i += 1
            i += 1
        ends[row + 1] = at
        kept_ends[row + 1] = count
    return out[:at], ends, kept[:count], kept_ends
