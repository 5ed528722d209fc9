"""Removal of lines that more than one document has: of all copies, as CCNet, or of all but the first, as C4."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pydantic import Field, model_validator

from corpus.dedup.blocks import among, group_starts, keyed, lists_by_partition, numbered, record_batch
from corpus.dedup.first_lines import NOWHERE, decide_lines, sign_kept_lines, sign_lines
from corpus.dedup.hashed_lines import copy_kept, first_of_equals, kept_lines, line_hashes
from corpus.rules import Block, Cleaned, Dedup, Memory, PartRef, Round
from corpus.text.buffers import Offsets, text_array, text_buffers
from corpus.text.hashing import Hashes, hash_rows
from corpus.text.normalize import Form

REASONS = pa.array([None, "too_short", "no_lines_left"], pa.string())

KEPT = pa.schema([pa.field("hash", pa.uint64())])
"""What an index keeps: each line that stayed."""


class Lines(Dedup):
    """Drops lines that two or more documents have: every copy, as cc_net does (dedup.py), or all but the first.

    A line is what stands between two "\\n"; lines are equal when they are equal after `normalize`, by a 64-bit hash:
    XXH64 here, the start of a SHA-1 there. What cc_net's code does, where it is not plain:

    - Documents are counted, not lines: a line that one document alone has, twice or more, keeps its first copy
      there (`AbstractDedupHashSet.add` looks a whole document up before it enters it).
    - An empty line is a line like any other: the first goes too as soon as two documents have one.
    - `min_chars` is measured before lines are removed (`parse_warc_file`), and the lines of a document too short
      are not counted. A document that keeps one short line is kept.

    Reasons: `too_short`, `no_lines_left`. Memory: 16 bytes for each line of a part in `sign`; 50 with `keep: first`.

    Attributes:
        keep: `none`: a line goes from all documents of a snapshot that have it. `first`: of all documents, whatever
            their snapshot, one keeps it, that of the earliest source, and in a source the one that `order` says (C4:
            `remove_duplicate_text` of c4_utils.py in TensorFlow Datasets).
        normalize: how lines are compared (`corpus.text.normalize`). `ccnet`: by cc_net's `normalize_for_dedup`: case,
            which digits, and much of punctuation do not count. `c4`: without white space at their ends, in lower case.
            `none`: as they are; such lines are what Dolma calls paragraphs (src/deduper.rs).
        order: with `keep: first`, which document of a source keeps a line: the one with the lowest hash of its `id`, or
            of its `url` (32 bits of MD5, as C4; then by id; documents without come last).
        min_chars: a document shorter than this, in characters, is dropped (cc_net/mine.py, `Config.min_len`).
        window: with `keep: none`, compare only so many consecutive parts of a snapshot with each other; null compares
            all. cc_net compares 50 of 1,600 shards (`Config.hash_in_mem`) because its hashes must fit in memory.
    """

    version: ClassVar[int] = 1
    keeps: ClassVar[float] = 0.3  # assumed, of the order that the CCNet paper reports for English
    reasons: ClassVar[tuple[str, ...]] = ("too_short", "no_lines_left")
    removes: ClassVar[Literal["documents", "lines"]] = "lines"
    spills: ClassVar[str] = "for each distinct line of 60 B 8 B and a bit; with `keep: first` 20"

    keep: Literal["none", "first"] = "none"
    normalize: Literal["ccnet", "c4", "none"] = "ccnet"
    order: Literal["id", "url"] = "id"
    min_chars: int = Field(default=300, ge=0)
    window: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _fits_what_is_kept(self) -> Self:
        if self.order != "id" and self.keep == "none":
            raise ValueError("`order` says which copy of a line stays: set `keep: first`, or leave it out")
        if self.window is not None and self.keep == "first":
            raise ValueError("`keep: first` compares all parts: leave out `window`, or set `keep: none`")
        return self

    def estimate(self, documents: int, text_bytes: int) -> int:
        # Distinct lines of a part; the lines of web text average 60 bytes.
        return text_bytes // (8 if self.keep == "none" else 3)

    def sign(self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        """One row a partition: the part, its group, its distinct hashes there, and which of them two documents have;
        with `keep: first` what `corpus.dedup.first_lines` says."""
        held, rows, ids = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)], [np.empty(0, np.uint64)]
        for first_row, batch in numbered(batches):
            hashes, first = line_hashes(batch.column("text"), self._form)
            own = first_of_equals(hashes, first, self._long_enough(batch.column("text")))
            held.append(hashes[own])
            if self.keep == "first":
                every = np.arange(first_row, first_row + batch.num_rows, dtype=np.uint32)
                rows.append(np.repeat(every, np.diff(first))[own])
                ids.append(self._order(batch))
        hashes = np.concatenate(held)
        held.clear()
        if self.keep == "first":
            yield from sign_lines(part, hashes, np.concatenate(rows), np.concatenate(ids), partitions)
            return
        hashes.sort()
        starts = np.flatnonzero(group_starts(hashes))
        twice = np.diff(starts, append=len(hashes)) > 1
        distinct = hashes[starts]
        scalars = {"part": np.int32(part.index), "group": np.uint64(self._group(part))}
        yield from lists_by_partition(distinct, partitions, scalars, {"hashes": distinct, "twice": twice})

    def rounds(self) -> Sequence[Round]:
        return [Round(_decide if self.keep == "none" else decide_lines)]

    def apply(self, batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> Cleaned:
        text = batch.column("text")
        _, first, keep, code = self._kept(text, first_row, decisions)
        data, offsets = text_buffers(text)
        out, ends, kept, kept_ends = copy_kept(data, offsets, first, keep)
        lines = pa.ListArray.from_arrays(pa.array(kept_ends), pa.array(kept))
        return Cleaned(text_array(out, ends), REASONS.take(pa.array(code)), lines)

    def _kept(
        self, text: pa.Array, first_row: int, decisions: pa.Table | None
    ) -> tuple[Hashes, Offsets, npt.NDArray[np.bool_], npt.NDArray[np.int8]]:
        """Hashes of all lines, where those of each row begin, which stay, and the code of the reason of each row."""
        hashes, first = line_hashes(text, self._form)
        drop = np.empty(0, np.uint64) if decisions is None else decisions.column("hash").to_numpy()
        keeper = np.full(len(drop), NOWHERE)
        if decisions is not None and self.keep == "first":
            keeper = decisions.column("row").to_numpy()
        if not (drop[1:] >= drop[:-1]).all():
            order = np.argsort(drop)
            drop, keeper = drop[order], keeper[order]
        for array in (drop, keeper):
            array.flags.writeable = False  # as memory of Arrow's: `kept_lines` is compiled for one kind of array
        keep, code = kept_lines(hashes, first, self._long_enough(text), drop, keeper, first_row)
        return hashes, first, keep, code

    def memory(self) -> Memory | str:
        if self.keep == "none":
            return (
                "a line that comes again in a later snapshot would have to go from the earlier one too; `keep: first` "
                "can go on from an index"
            )
        return Memory(KEPT, ("text",), self._keep, _sign_kept)

    def _keep(
        self, part: PartRef, batches: Iterator[pa.RecordBatch], decisions: pa.Table | None
    ) -> Iterator[pa.RecordBatch]:
        for first_row, batch in numbered(batches):
            hashes, _, keep, _ = self._kept(batch.column("text"), first_row, decisions)
            yield record_batch({"hash": hashes[keep]})

    @property
    def _form(self) -> Form | None:
        return None if self.normalize == "none" else self.normalize

    def _order(self, batch: pa.RecordBatch) -> Hashes:
        """Of each document, the lowest comes first; uint64."""
        id_hashes = hash_rows(*text_buffers(batch.column("id")))
        if self.order == "id":
            return id_hashes
        last = b"\xff" * 4
        urls = batch.column("url").to_pylist()
        # C4 compares hexadecimal digits of MD5, from the first on: so do its bytes, highest first.
        starts = [
            last if url is None else hashlib.md5(url.encode(), usedforsecurity=False).digest()[:4] for url in urls
        ]
        by_url = np.frombuffer(b"".join(starts), ">u4").astype(np.uint64)
        return by_url << np.uint64(32) | id_hashes >> np.uint64(32)

    def _long_enough(self, text: pa.Array) -> npt.NDArray[np.bool_]:
        # cc_net's compute_hashes gives an empty document no lines at all.
        return pc.utf8_length(text).to_numpy(zero_copy_only=False) >= max(1, self.min_chars)

    def _group(self, part: PartRef) -> int:
        window = "" if self.window is None else str(part.index // self.window)
        return xxhash.xxh64_intdigest(f"{part.group}\n{window}".encode())


def _sign_kept(part: PartRef, kept: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
    hashes = np.concatenate([np.empty(0, np.uint64), *(batch.column("hash").to_numpy() for batch in kept)])
    yield from sign_kept_lines(part, np.sort(hashes), partitions)


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
        drop = among(hashes, again)
        yield from keyed(parts[drop], record_batch({"hash": hashes[drop]}))
