"""Which windows of texts are later copies: the turns of `corpus.dedup.substring.Substring`.

A window is a later copy where an equal one comes before it in the order of `corpus.rules.Winner`, then of places in the
text, and does not overlap it. Equal windows have equal anchors at equal offsets (`corpus.dedup.winnowing`), so that
each is decided among the anchors of one k-gram. What goes between parts, in tables of `corpus.dedup.messages` ("here"
is the part that gets a row):

- `key`: 32 bits of the hash of a k-gram at an anchor of the sender; `twice` if it has more than one such anchor.
- `anchor`: an anchor whose key is in two places, and the windows that start from `first` to `last`. `windows`: hash of
  the text of them all. `left`, `right`: hashes of the k-gram with so many units before it, or behind it, that each
  window has the ones or the others; 0 where none of the windows has.
- `copy`: a span of the sender's `row`, or of `row` here, that later copies cover.
- `wanted`: windows here of which one may be equal to one of another anchor; `hashed`: their hashes will do.
- `text`: of such windows. `window`: one of them by its hash, as an anchor with a single window.

All windows of an anchor are equal to those of another one, or a hashed window is to another one, where 128 bits of
hashes are; else bytes are compared.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dedup import passages
from corpus.dedup.blocks import (
    Ints,
    among,
    columns,
    document_columns,
    group_starts,
    keyed,
    numbered,
    partition_of,
    record_batch,
)
from corpus.dedup.components import node_of
from corpus.dedup.messages import SENDER, Columns, Table, empty, receive, rows_of, send
from corpus.dedup.windows import find_later
from corpus.dedup.winnowing import BASE, Anchors, Unit, Units, anchors_of, gram_of, power
from corpus.rules import Block, PartRef
from corpus.text.buffers import text_buffers
from corpus.text.hashing import Hashes

KEY = {"key": np.uint32, "twice": np.bool_}
_DOCUMENT = {"id_hash": np.uint64, "priority": np.int32, "row": np.uint32}
_PLACE = {"place": np.uint32, "first": np.uint32, "last": np.uint32}
"""Units of a text, which in Parquet is below 2 GiB."""
WINDOW = {"key": np.uint64, "windows": np.uint64} | _DOCUMENT | _PLACE
ANCHOR = WINDOW | {"left": np.uint32, "right": np.uint32}
COPY = {"row": np.uint32, "start": np.uint32, "stop": np.uint32}
WANTED = {"key": np.uint64, "row": np.uint32, "hashed": np.bool_} | _PLACE
TEXT = {"key": np.uint64} | _DOCUMENT | _PLACE

_NO_TEXT = rows_of(empty(TEXT), TEXT).append_column("text", pa.array([], pa.large_binary()))

WINDOW_BYTES = 44
"""Of a row of `window`."""
MOST_TEXT = 1 << 23
"""Units of text that the anchors of one k-gram may send, and about what is compared at a time. Where there are more, as
of a licence that stands in very many documents, hashes of the windows spread over all partitions."""
HOLD_ROWS = 1 << 20
"""Rows of one part that are sent together."""
HOLD_BYTES = 64 << 20
"""Text of one part that is sent together."""

_KEY_SEED, _WINDOWS_SEED, _SIDE_SEED = 0, 1, 2


@dataclass(frozen=True)
class Finder:
    """The turns, by the settings of `corpus.dedup.substring.Substring`."""

    length: int
    unit: Unit

    def keys(self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        """The keys of a part, each once. Memory: 32 bytes for each."""
        held, size = [np.empty(0, np.uint64)], 0
        for batch in batches:
            units = self._units(batch)
            for anchors in anchors_of(units, self.length):
                held.append(_two_of_each(self._keys(units, anchors)))
                size += len(held[-1])
                if size > max(HOLD_ROWS, len(held[0])):
                    held, size = [_two_of_each(np.concatenate(held))], 0
        every = _two_of_each(np.concatenate(held))
        starts = np.flatnonzero(group_starts(every))
        distinct, twice = every[starts], np.diff(starts, append=len(every)) > 1
        rows = rows_of({"key": distinct & np.uint64(0xFFFFFFFF), "twice": twice}, KEY)
        yield from send(part.index, {"key": (partition_of(distinct, partitions), rows)})

    def describe(
        self, part: PartRef, batches: Iterator[pa.RecordBatch], blocks: Sequence[pa.RecordBatch], partitions: int
    ) -> Iterator[Block]:
        """Sends the anchors whose keys are in two places. What this part can settle alone, it does."""
        shared = np.unique(columns(blocks)["key"])
        held = _Held(ANCHOR, self.length)
        for first_row, batch in numbered(batches):
            units, documents = self._units(batch), document_columns(part, batch, first_row)
            for anchors in anchors_of(units, self.length):
                keys = self._keys(units, anchors)
                chosen = among(keys.astype(np.uint32), shared)
                some = Anchors(*(column[chosen] for column in anchors))
                held.add(self._described(units, some, keys[chosen]) | _taken(documents, some.row))
                if held.size > HOLD_ROWS:
                    yield from self._tell(part, held, partitions)
        yield from self._tell(part, held, partitions)

    @staticmethod
    def _tell(part: PartRef, held: "_Held", partitions: int) -> Iterator[Block]:
        anchors, copies = held.take()
        to = partition_of(anchors["key"], partitions)
        yield from send(part.index, {"anchor": (to, rows_of(anchors, ANCHOR)), "copy": _here(part, copies, partitions)})

    def settle(self, blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        """The round of anchors: of those whose windows are all equal the first stays. What stays is wanted where a
        window may be equal to one of another anchor."""
        stay, later = _settled(_received(blocks, "anchor"), self.length)
        copies = _joined([_received(blocks, "copy"), _covered(later, self.length)], ("part", *COPY))
        wanted = self._wanted(stay)
        tables = {"copy": (copies["part"], rows_of(copies, COPY)), "wanted": (wanted["part"], rows_of(wanted, WANTED))}
        yield from send(-1, tables)

    def send_windows(
        self, part: PartRef, batches: Iterator[pa.RecordBatch], blocks: Sequence[pa.RecordBatch], partitions: int
    ) -> Iterator[Block]:
        """Sends the text of the wanted windows, or their hashes."""
        wanted = receive(blocks, "wanted")
        held, texts = _Held(WINDOW, self.length, receive(blocks, "copy")), [_NO_TEXT]
        for first_row, batch in numbered(batches) if len(wanted["row"]) else ():
            here = (wanted["row"] >= first_row) & (wanted["row"] < first_row + batch.num_rows)
            if not here.any():
                continue
            units, documents = self._units(batch), document_columns(part, batch, first_row)
            row = wanted["row"][here].astype(np.int64) - first_row
            table = {name: wanted[name][here] for name in WANTED} | _taken(documents, row) | {"base": units.ends[row]}
            texts.append(self._texts(units, _taken(table, ~table["hashed"])))
            for windows in self._hashed(units, _taken(table, table["hashed"])):
                held.add(windows)
            if held.size > HOLD_ROWS or sum(text.nbytes for text in texts) > HOLD_BYTES:
                yield from self._tell_windows(part, texts, held, partitions)
                texts = [_NO_TEXT]
        yield from self._tell_windows(part, texts, held, partitions)

    @staticmethod
    def _tell_windows(
        part: PartRef, texts: Sequence[pa.RecordBatch], held: "_Held", partitions: int
    ) -> Iterator[Block]:
        windows, copies = held.take()
        text = pa.concat_batches(texts)
        tables = {
            "text": (partition_of(text.column("key").to_numpy(), partitions), text),
            "window": (partition_of(windows["key"], partitions), rows_of(windows, WINDOW)),
            "copy": _here(part, copies, partitions),
        }
        yield from send(part.index, tables)

    def compare(self, blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        """The round of windows: what later copies cover, by part."""
        _, later = _settled(_received(blocks, "window"), self.length)
        found = [_received(blocks, "copy"), _covered(later, self.length), *self._later(_received(blocks, "text"))]
        copies = _joined(found, ("part", *COPY))
        yield from keyed(copies["part"], rows_of(copies, COPY))

    def cover(
        self, part: PartRef, batches: Iterator[pa.RecordBatch], blocks: Sequence[pa.RecordBatch], partitions: int
    ) -> Iterator[Block]:
        """The decisions: what later copies cover together, in bytes of each text, whole characters only."""
        found = passages.union(*(columns(blocks)[name] for name in COPY))
        for first_row, batch in numbered(batches):
            begin, end = np.searchsorted(found.row, (first_row, first_row + batch.num_rows))
            if begin == end:
                continue
            data, offsets = text_buffers(batch.column("text"))
            units, row = Units.of(data, offsets, self.unit), found.row[begin:end] - first_row
            sides = (units.bytes_at(units.ends[row] + side[begin:end]) - offsets[row] for side in found[1:])
            whole = passages.whole_characters(data, offsets, passages.Spans(row, *sides))
            body = {"row": whole.row + first_row, "start": whole.start, "end": whole.stop}
            yield part.index, record_batch({name: column.astype(np.uint32) for name, column in body.items()})

    @property
    def _before(self) -> int:
        """A window has so many units before the k-gram of its anchor, or else `_behind` units behind it."""
        return (self.length - gram_of(self.length) + 1) // 2

    @property
    def _behind(self) -> int:
        return self.length - gram_of(self.length) - self._before + 1

    def _units(self, batch: pa.RecordBatch) -> Units:
        return Units.of(*text_buffers(batch.column("text")), self.unit)

    def _keys(self, units: Units, anchors: Anchors) -> Hashes:
        begin = units.ends[anchors.row] + anchors.place
        return units.hashes(begin, begin + gram_of(self.length), _KEY_SEED)

    def _described(self, units: Units, anchors: Anchors, keys: Hashes) -> Table:
        """The columns of `anchor` but those of the document."""
        base = units.ends[anchors.row]
        begin = base + anchors.place
        end = begin + gram_of(self.length)
        has_left = anchors.first <= anchors.place - self._before
        has_right = anchors.last > anchors.place - self._before
        left = units.hashes(np.where(has_left, begin - self._before, begin), end, _SIDE_SEED)
        right = units.hashes(begin, np.where(has_right, end + self._behind, end), _SIDE_SEED)
        return {
            "key": keys,
            "windows": units.hashes(base + anchors.first, base + anchors.last + self.length, _WINDOWS_SEED),
            "place": anchors.place,
            "first": anchors.first,
            "last": anchors.last,
            "left": np.where(has_left, left.astype(np.uint32) | 1, 0),
            "right": np.where(has_right, right.astype(np.uint32) | 1, 0),
        }

    def _wanted(self, anchors: Table) -> Table:
        """Anchors of one k-gram that have the units on one side in common too, with their windows that have these."""
        at_left, at_right = (_common(anchors["key"], anchors[side]) for side in ("left", "right"))
        place, first, last = (anchors[name].astype(np.int64) for name in _PLACE)
        first = np.where(at_left, first, np.maximum(first, place - self._before + 1))
        last = np.where(at_right, last, np.minimum(last, place - self._before))
        wanted = _taken(anchors | {"first": first, "last": last}, at_left | at_right)
        _, group = np.unique(wanted["key"], return_inverse=True)
        windows = wanted["last"] - wanted["first"] + 1
        hashes, text = (np.bincount(group, size) for size in (windows * WINDOW_BYTES, windows + self.length - 1))
        return wanted | {"hashed": ((text > MOST_TEXT) | (text > hashes))[group]}

    def _texts(self, units: Units, table: Table) -> pa.RecordBatch:
        """Rows of `text`; `base` is the first unit of the document."""
        base = table["base"]
        start, stop = units.bytes_at(base + table["first"]), units.bytes_at(base + table["last"] + self.length)
        text = [units.data[begin:end].tobytes() for begin, end in zip(start.tolist(), stop.tolist(), strict=True)]
        return rows_of(table, TEXT).append_column("text", pa.array(text, pa.large_binary()))

    def _hashed(self, units: Units, table: Table) -> Iterator[Table]:
        """Rows of `window`, those of some anchors at a time."""
        step = HOLD_ROWS // self.length
        for at in range(0, len(table["row"]), step):
            some = _taken(table, slice(at, at + step))
            windows = some["last"].astype(np.int64) - some["first"] + 1
            owner = np.repeat(np.arange(len(windows)), windows)
            place = some["first"][owner] + np.arange(len(owner)) - (np.cumsum(windows) - windows)[owner]
            begin = some["base"][owner] + place
            key, rest = (units.hashes(begin, begin + self.length, seed) for seed in (_KEY_SEED, _WINDOWS_SEED))
            yield _taken(some, owner) | {"key": key, "windows": rest, "place": place, "first": place, "last": place}

    def _later(self, table: Table) -> Iterator[Table]:
        """What windows cover that have an equal one before them at an anchor with the same key, by their text."""
        order = _in_order(table, "key")
        text = table.pop("text").take(pa.array(order)).view(pa.large_string())
        table = _taken(table, order)
        document = node_of(table["part"], table["row"])
        place, first, last = (table[name].astype(np.int64) for name in _PLACE)
        new = group_starts(table["key"])
        group = np.cumsum(new)
        starts = np.flatnonzero(new)
        # Whole groups, together about as much text as one of them may have.
        pieces = starts[group_starts(text_buffers(text)[1][starts] // MOST_TEXT)]
        for begin, end in pairwise([*pieces.tolist(), len(group)]):
            here = slice(begin, end)
            units = Units.of(*text_buffers(text[begin:end]), self.unit)
            counted = np.concatenate([[0], np.cumsum((last - first + 1)[here])])
            rows = group[here], document[here], place[here], first[here], last[here]
            later = find_later(units.values, units.ends, *rows, counted, self.length, power(self.length - 1))
            found = np.flatnonzero(later)
            owner = np.searchsorted(counted, found, side="right") - 1
            covered = passages.of_windows(owner, found - counted[owner] + first[here][owner], self.length)
            yield _taken(table, begin + covered.row) | {"start": covered.start, "stop": covered.stop}


class _Held:
    """Rows of `anchor` or `window` of one part, less those that are copies within it, and what these cover."""

    def __init__(self, kind: Columns, length: int, copies: Table | None = None) -> None:
        self._kind = {**kind, "part": np.int32}
        self._length = length
        self._rows = [empty(self._kind)]
        self._copies = [copies or empty(COPY)]
        self.size = 0

    def add(self, rows: Table) -> None:
        """Takes rows, with the number of the part in `part`."""
        stay, later = _settled(rows, self._length)
        self._rows.append(stay)
        self._copies.append(_union([_covered(later, self._length)]))
        self.size += len(stay["key"]) + len(self._copies[-1]["row"])

    def take(self) -> tuple[Table, Table]:
        """The rows, and those of `copy`; they are held no longer."""
        stay, later = _settled(_joined(self._rows, self._kind), self._length)
        copies = _union([*self._copies, _covered(later, self._length)])
        self._rows, self._copies, self.size = [empty(self._kind)], [empty(COPY)], 0
        return stay, copies


def shared_keys(blocks: Sequence[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    """The round of keys: those that are in two places, for each part that has them."""
    found = receive(blocks, "key")
    every = np.sort(np.concatenate([found["key"], found["key"][found["twice"]]]))
    again = among(found["key"], every[~group_starts(every)])
    yield from keyed(found[SENDER][again], record_batch({"key": found["key"][again]}))


def _two_of_each(keys: Hashes) -> Hashes:
    """Sorted, and no key more than twice."""
    keys = np.sort(keys)
    few = np.ones(len(keys), np.bool_)
    few[2:] = keys[2:] != keys[:-2]
    return keys[few]


def _common(key: Hashes, side: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which anchors have a side, and another anchor with their key has the same. One too many costs bytes only."""
    _, which, count = np.unique(key ^ side.astype(np.uint64) * BASE, return_inverse=True, return_counts=True)
    return np.asarray((side != 0) & (count[which] > 1))


def _here(part: PartRef, copies: Table, partitions: int) -> tuple[npt.NDArray[Any], pa.RecordBatch]:
    """Rows of `copy` that only pass through: to any partition, since they come back."""
    return np.full(len(copies["row"]), part.index % partitions), rows_of(copies, COPY)


def _taken(table: Table, which: Any) -> Table:
    return {name: column[which] for name, column in table.items()}


def _joined(tables: Sequence[Table], names: Iterable[str]) -> Table:
    return {name: np.concatenate([table[name] for table in tables]) for name in names}


def _received(blocks: Sequence[pa.RecordBatch], kind: str) -> Table:
    found = receive(blocks, kind)
    return found | {"part": found.pop(SENDER)}


def _in_order(table: Table, *names: str) -> Ints:
    """The order by some columns, and of rows that are equal in them from the first to the last winner."""
    return np.lexsort([table[name] for name in ("place", "row", "part", "id_hash", "priority", *reversed(names))])


def _settled(table: Table, length: int) -> tuple[Table, Table]:
    """Of rows with equal windows the first stays, with what overlaps it: (what stays, the later copies)."""
    both = table["key"] ^ table["windows"] * BASE
    ordered = np.sort(both)
    again = among(both, ordered[~group_starts(ordered)])
    alone, table = _taken(table, ~again), _taken(table, again)  # most are, and need no sorting by seven columns
    table = _taken(table, _in_order(table, "key", "windows"))
    new = group_starts(table["key"], table["windows"])
    first = np.flatnonzero(new)[np.cumsum(new) - 1]
    document, place = node_of(table["part"], table["row"]), table["place"].astype(np.int64)
    stay = (document == document[first]) & (place - place[first] < length)
    return _joined([alone, _taken(table, stay)], table), _taken(table, ~stay)


def _covered(table: Table, length: int) -> Table:
    """What the windows of rows cover: `copy`, with the part."""
    span = {"start": table["first"].astype(np.int64), "stop": table["last"].astype(np.int64) + length}
    return {"part": table["part"], "row": table["row"]} | span


def _union(copies: Sequence[Table]) -> Table:
    """Rows of `copy` of one part, as few as can be."""
    return dict(zip(COPY, passages.union(*_joined(copies, COPY).values()), strict=True))
