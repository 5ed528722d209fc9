"""The text a tokenizer is trained on: documents chosen by the hash of their id, in a fixed order."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.parts import read_part, text_bytes, write_part
from corpus.schema import SCHEMA
from corpus.steps.result import PartResult
from corpus.storage import exists, join
from corpus.text.buffers import text_buffers
from corpus.text.hashing import hash_rows

SAMPLE_SCHEMA = pa.schema([SCHEMA.field("text")])

_SEED = 2
"""Of the hash that chooses: not the one that holds documents out, or a sample would be all of those or none."""


@dataclass(frozen=True)
class SampleTask:
    """One part of the sample.

    Attributes:
        part: number among the parts of all sources; they are read in this order.
        path: the part of documents.
        output: folder of the sample. Its name holds the digest of all that decides it, so a file that exists is right.
        fraction: of documents to take, 0 to 1.
        held_out: documents held out by this number (docs/format.md) are left out here too.
    """

    part: int
    path: str
    output: str
    fraction: float
    held_out: int

    def __str__(self) -> str:
        return sample_path(self.output, self.part)


@dataclass(frozen=True)
class SampleSource:
    """What one source gives to the sample.

    Attributes:
        parts: their numbers among the parts of all sources.
        limit: bytes of text.
        fraction: of its documents that hold about so much, 0 to 1.
    """

    name: str
    documents: StepFolder
    parts: range
    limit: int
    fraction: float


@dataclass(frozen=True)
class SampleTasks:
    """Reads the manifest of one source's documents into tasks."""

    output: str
    held_out: int

    def __call__(self, source: SampleSource) -> Iterator[SampleTask]:
        for number, part in zip(source.parts, source.documents.parts(), strict=True):
            path = source.documents.data(part.number)
            yield SampleTask(number, path, self.output, source.fraction, self.held_out)


def sample_sources(
    sample_bytes: int, shares: Mapping[str, float], documents: Mapping[str, StepFolder]
) -> list[SampleSource]:
    """Each source by its share of the bytes; in the order of their names, so that the order in which they are given
    changes nothing."""
    sources = []
    first = 0
    for name in sorted(shares):
        manifest = documents[name].manifest()
        limit = int(shares[name] * sample_bytes)
        parts = range(first, first + len(manifest["parts"]))
        fraction = min(1.0, limit / max(1, manifest["text_bytes"]["out"]))
        sources.append(SampleSource(name, documents[name], parts, limit, fraction))
        first = parts.stop
    return sources


def sample_path(folder: str, part: int) -> str:
    return join(folder, f"part-{part:05d}.parquet")


def sample_part(task: SampleTask) -> PartResult:
    """Writes the chosen documents of one part, in order."""
    path = sample_path(task.output, task.part)
    if exists(path):
        return PartResult(task.part, reused=True)
    size = 0

    def chosen() -> Iterator[pa.RecordBatch]:
        nonlocal size
        for batch in read_part(task.path, columns=["id", "text"]):
            ids = text_buffers(batch.column("id"))
            kept = hash_rows(*ids, _SEED) <= np.uint64(task.fraction * (2**64 - 2048))
            kept &= hash_rows(*ids) % np.uint64(task.held_out) != 0
            size += text_bytes(batch)
            yield batch.select(["text"]).filter(pa.array(kept))

    write_part(path, SAMPLE_SCHEMA, chosen())
    return PartResult(task.part, bytes_in=size)


def sample_lines(folder: str, parts: Iterable[int], limit: int) -> Iterator[bytes]:
    """The lines of some parts of a finished sample, in order, until they hold `limit` bytes."""
    left = limit
    for part in parts:
        for batch in read_part(sample_path(folder, part)):
            for text in batch.column("text").to_pylist():
                for line in text.encode().split(b"\n"):
                    left -= len(line)
                    if left < 0:
                        return
                    yield line
