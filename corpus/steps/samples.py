"""Bounded, deterministic samples of what was dropped and what was kept, for people to read."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from corpus.text.buffers import text_buffers
from corpus.text.hashing import hash_rows

SAMPLES_PER_REASON = 5
SAMPLE_CHARACTERS = 2000

SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("step", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("id", pa.string()),
        pa.field("file", pa.string()),
        pa.field("member", pa.string()),
        pa.field("offset", pa.int64()),
        pa.field("record", pa.int64()),
        pa.field("detail", pa.string()),
        pa.field("text", pa.string()),
    ]
)
"""`reason` is "kept" for documents that came through."""


@dataclass
class Samples:
    """Keeps, for each (step, reason), the documents with the smallest hash of their id."""

    held: dict[tuple[str, str], list[tuple[int, dict[str, object]]]] = field(default_factory=dict)

    def add(self, step: str, reason: str, rank: int, row: dict[str, object]) -> None:
        group = self.held.setdefault((step, reason), [])
        group.append((rank, {"step": step, "reason": reason, **row}))
        if len(group) > 4 * SAMPLES_PER_REASON:
            self._trim(group)

    def add_rows(self, step: str, reason: str, batch: pa.RecordBatch, rows: np.ndarray) -> None:
        """Offers the given rows of a document batch."""
        data, offsets = text_buffers(batch.column("id").take(pa.array(rows)))
        hashes = hash_rows(data, offsets, 0)
        for place in np.argsort(hashes, kind="stable")[:SAMPLES_PER_REASON]:
            document = batch.slice(int(rows[place]), 1).to_pylist()[0]
            origin = document["origin"]
            self.add(
                step,
                reason,
                int(hashes[place]),
                {
                    "id": document["id"],
                    "file": origin["file"],
                    "member": origin["member"],
                    "offset": origin["offset"],
                    "record": origin["record"],
                    "detail": None,
                    "text": document["text"][:SAMPLE_CHARACTERS],
                },
            )

    def batch(self) -> pa.RecordBatch:
        rows: list[dict[str, object]] = []
        for key in sorted(self.held):
            self._trim(self.held[key])
            rows.extend(row for _, row in self.held[key])
        return pa.RecordBatch.from_pylist(rows, SAMPLE_SCHEMA)

    @staticmethod
    def _trim(group: list[tuple[int, dict[str, object]]]) -> None:
        group.sort(key=lambda entry: (entry[0], str(entry[1]["id"]), str(entry[1]["file"]), str(entry[1]["record"])))
        del group[SAMPLES_PER_REASON:]
