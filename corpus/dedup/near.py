"""Near duplicates of documents: found by MinHash, verified by their sets of shingles."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from corpus.dedup.blocks import drop_rows, gone_rows, numbered, partition_of, record_batch
from corpus.dedup.components import Keep, decide, name_partners
from corpus.dedup.messages import send
from corpus.dedup.minhash import band_keys, bands_for, set_signatures, signatures
from corpus.dedup.sets import decode_sets, encode_sets, shingle_sets
from corpus.dedup.verification import Verifier, choose, entries, pair_buckets, pair_differences
from corpus.dedup.winners import MOST_SOURCES, Prefer, competitors, preferences, reads
from corpus.rules import Block, Cleaned, Dedup, Memory, PartRef, Reread, Round
from corpus.text.buffers import text_buffers
from corpus.text.hashing import Hashes

KEPT = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("preference", pa.uint32()),
        pa.field("gone", pa.bool_()),
        pa.field("set", pa.large_binary()),
    ]
)
"""What an index keeps of every document, also of those that went: they take places in buckets, and lead some."""

HOLD_BYTES = 64 << 20
"""Entries of one part that are sent together."""


class Near(Dedup):
    """Keeps one document of those that are near duplicates of each other: the first in the order of
    `corpus.rules.Winner`.

    Two documents are near duplicates when the Jaccard similarity of their sets of shingles (`corpus.text.shingles`) is
    at least `threshold`. Pairs that may be are found by chance, whether they are is computed: what is dropped has a
    near duplicate that stays (docs/dedup.md has the shares found, and the bytes).

    1. Each document gets a MinHash signature (`corpus.dedup.minhash`), cut into bands; documents that agree in a whole
       band meet in a bucket, and those of a bucket are candidates (`corpus.dedup.buckets`).
    2. A document asks the best of its candidates for its set, and the best one of each crowded bucket that it is in;
       the parts read their text again for that.
    3. One that is like a document without better candidates is settled. The others ask all their candidates. One that
       is not like the best of a crowded bucket meets the others of that bucket again by shingles that the best one
       lacks, for what they have in common may be boilerplate that hides what else they have.

    Documents without letters or digits have no duplicates. Reason: `near_duplicate`.

    Attributes:
        threshold: least Jaccard similarity of a pair (0.8: SlimPajama).
        ngram: tokens in a shingle (5: datatrove, `MinhashConfig.n_grams`; text-dedup).
        bands, rows: of each signature, both or none; null = for the threshold (`corpus.dedup.minhash.bands_for`): 16
            and 7 for 0.8. These find 98% of the pairs of similarity 0.8 exactly and all of those above 0.85; Dolma 3's
            26 and 11 find 90% and 99%, datatrove's 14 and 8 92% and 99%.
        keep: `neighbours`: a document goes only for a near duplicate of it that stays. `component`: one stays of all
            that are connected, so that two of them may be less similar, or not at all.
        prefer: who wins among documents of one source: `longest` text, `newest`, or `metadata.KEY`, the highest number
            under that key; null = by the hash of the id. An earlier source always wins.
    """

    version: ClassVar[int] = 3
    keeps: ClassVar[float] = 0.8  # assumed
    reasons: ClassVar[tuple[str, ...]] = ("near_duplicate",)
    names_partners: ClassVar[bool] = True
    spills: ClassVar[str] = "(12 B x bands + 30 B) x documents + 0.55 x text of those that go"

    threshold: float = Field(default=0.8, gt=0, le=1)
    ngram: int = Field(default=5, ge=1)
    bands: int | None = Field(default=None, ge=1)
    rows: int | None = Field(default=None, ge=1)
    keep: Keep = "neighbours"
    prefer: Prefer | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> "Near":
        if (self.bands is None) != (self.rows is None):
            raise ValueError("set both of `bands` and `rows`, or neither")
        return self

    def banding(self) -> tuple[int, int]:
        """(bands, rows) in use."""
        if self.bands is not None and self.rows is not None:
            return self.bands, self.rows
        return bands_for(self.threshold)

    def estimate(self, documents: int, text_bytes: int) -> int:
        return documents * self.banding()[0] * 12

    def shipped(self, documents: int, text_bytes: int) -> int:
        # Each document that goes asks for about one set: 3.1 bytes for each of its words, of 5.7 bytes.
        return documents * (self.banding()[0] * 12 + 30) + int((1 - self.keeps) * 0.55 * text_bytes)

    def sign(self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        """A message for each partition of many documents: of few it would be longer than its rows.

        Args:
            batches: documents, or what an index keeps of them.
        """
        held: list[tuple[Hashes, pa.RecordBatch]] = []
        for entry in self._entries(part, batches):
            held.append(entry)
            if sum(some.nbytes for _, some in held) >= HOLD_BYTES:
                yield from _send(part, held, partitions)
                held = []
        if held:
            yield from _send(part, held, partitions)

    def _entries(self, part: PartRef, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[Hashes, pa.RecordBatch]]:
        """One row for each band of each document that has shingles: 12 bytes."""
        bands, rows = self.banding()
        for first_row, batch in numbered(batches):
            if part.kept:
                elements, ends = decode_sets(batch.column("set"))
                signature, shingles = set_signatures(elements, ends, bands * rows), np.diff(ends)
            else:
                signature, shingles = signatures(*text_buffers(batch.column("text")), self.ngram, bands * rows)
            signed = np.flatnonzero(shingles)
            keys = band_keys(signature[signed], bands, rows).ravel()
            documents = competitors(part, batch, first_row, self.prefer)
            order, row = (np.repeat(documents[name][signed], bands) for name in ("short", "row"))
            yield keys, entries(keys, order, row)

    def rounds(self) -> Sequence[Round | Reread]:
        verifier = Verifier(self.threshold, self.ngram, self.keep, self.prefer)
        seen, kept = reads(self.prefer), tuple(KEPT.names)
        return [
            Round(pair_buckets),
            Reread(partial(choose, bands=self.banding()[0]), columns=()),
            Reread(verifier.send_sets, seen, kept),
            Reread(verifier.verify_first, seen, kept),
            Round(pair_differences),
            Reread(verifier.send_sets, seen, kept),
            Reread(verifier.verify_all, seen, kept),
            Round(partial(decide, keep=self.keep), partitions=1),
            Reread(name_partners, columns=("id",), kept=("id",)),
        ]

    def memory(self) -> Memory | str:
        if self.keep == "component":
            return (
                "a later document can join two that stayed, of which one would have to go; "
                "`keep: neighbours` can go on from an index"
            )
        return Memory(KEPT, reads(self.prefer), self._keep, self.sign, MOST_SOURCES)

    def _keep(
        self, part: PartRef, batches: Iterator[pa.RecordBatch], decisions: pa.Table | None
    ) -> Iterator[pa.RecordBatch]:
        for first_row, batch in numbered(batches):
            gone = gone_rows(batch, first_row, decisions)
            sets = encode_sets(*shingle_sets(*text_buffers(batch.column("text")), self.ngram))
            yield record_batch(
                {"id": batch.column("id"), "preference": preferences(batch, self.prefer), "gone": gone, "set": sets}
            )

    def apply(self, batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> Cleaned:
        return drop_rows(batch, first_row, decisions, "near_duplicate")


def _send(part: PartRef, held: Sequence[tuple[Hashes, pa.RecordBatch]], partitions: int) -> Iterator[Block]:
    to = partition_of(np.concatenate([keys for keys, _ in held]), partitions)
    yield from send(part.index, {"entry": (to, pa.concat_batches([some for _, some in held]))})
