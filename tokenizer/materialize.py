"""From the order to shards that hold it: every sequence of a run put where the run reads it. docs/tokens.md.

The work of one stretch of a source, and of one materialised shard; what a source gives is regrouped in between.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.errors import UserError
from corpus.rules import Block
from corpus.steps.dedupe import Partition
from corpus.steps.result import PartResult
from corpus.storage import commit, digest_of, exists, join, names, read_json, write_json
from tokenizer.concatenation import Concatenation, OpenShards, windows
from tokenizer.index import IndexedShard, shard_name, sidecar_path
from tokenizer.mixture import Mixture, materialised_folder, read_manifest
from tokenizer.shards import ShardCounts, ShardWriter

SHARD_BYTES = 256 << 20
"""Of tokens in a materialised shard; a worker holds one in memory."""
LARGEST_SHARD_BYTES = 1 << 30
MANY_SHARDS = 4096

STRETCH_BYTES = 128 << 20
"""Of sequences that one stretch of a source gives, over all epochs; a worker holds them, and the tokens they are of."""

WRITTEN_AT_ONCE = 4096
"""Sequences copied at a time, on their way and when a shard is written: 16 MiB of 2,049 tokens."""


@dataclass(frozen=True)
class Layout:
    """How the sequences of a run are cut into shards: shard i holds those from i * `per_shard` on.

    Attributes:
        manifest: of the order.
        shards: how many.
        missing: numbers of the shards that are not finished, ascending.
    """

    manifest: str
    per_shard: int
    shards: int
    missing: tuple[int, ...]

    @property
    def folder(self) -> str:
        return materialised_folder(self.manifest)


@dataclass(frozen=True)
class Stretch:
    """Sequences `first` to `first` + `count` - 1 of a source, in every epoch that the run takes."""

    part: int
    source: int
    first: int
    count: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} {self.first}-{self.first + self.count - 1}"


def sequence_bytes(mixture: Mixture) -> int:
    """Of the tokens of one sequence."""
    return (mixture.sequence_length + 1) * mixture.materialised_header.dtype.itemsize


def layout_of(manifest: str, shard_bytes: int = SHARD_BYTES) -> Layout:
    """A pure function of the order, and of which shards are finished: so a restart agrees.

    Raises:
        UserError, DamagedFile: the manifest cannot be read.
    """
    mixture = read_manifest(manifest)
    size = mixture.sequences * sequence_bytes(mixture)
    wanted = -(-size // shard_bytes)
    if wanted > MANY_SHARDS:
        wanted = max(MANY_SHARDS, -(-size // LARGEST_SHARD_BYTES))
    per_shard = -(-mixture.sequences // wanted)
    shards = -(-mixture.sequences // per_shard)
    folder = materialised_folder(manifest)
    written = set(names(folder))
    identity = _identity(mixture, per_shard)
    missing = [
        number
        for number in range(shards)
        if shard_name(number) not in written or not _finished(folder, number, identity)
    ]
    return Layout(manifest, per_shard, shards, tuple(missing))


@dataclass(frozen=True)
class Stretches:
    """Reads an order's manifest into one task for each stretch of a source that the run takes of."""

    stretch_bytes: int = STRETCH_BYTES

    def __call__(self, manifest: str) -> Iterator[Stretch]:
        mixture = read_manifest(manifest)
        part = 0
        for number, use in enumerate(mixture.usage()):
            if not use.drawn:
                continue
            count = max(1, int(self.stretch_bytes / (max(Fraction(1), use.epochs) * sequence_bytes(mixture))))
            for first in range(0, use.available, count):
                yield Stretch(part, number, first, min(count, use.available - first), use.name)
                part += 1


@dataclass(frozen=True)
class Place:
    """The sequences of a stretch, each keyed by the shard that it belongs to and by its row there."""

    layout: Layout

    def __call__(self, stretch: Stretch) -> Iterator[Block]:
        """Blocks of row (uint32), tokens (a list of sequence_length + 1), ascending by shard and row.

        Raises:
            UserError, DamagedFile: a shard of the source is missing or damaged.
        """
        mixture = _mixture(self.layout.manifest)
        use = mixture.usage()[stretch.source]
        sequences = np.arange(stretch.first, stretch.first + stretch.count)
        epochs = math.ceil(use.epochs)
        k = np.concatenate([mixture.positions(stretch.source, epoch, sequences) for epoch in range(epochs)])
        place = np.tile(np.arange(stretch.count), epochs)
        is_missing = np.zeros(self.layout.shards + 1, bool)  # the last stands for what the run does not come to
        is_missing[list(self.layout.missing)] = True
        shard = np.where(k < mixture.sequences, k // self.layout.per_shard, self.layout.shards)
        order = np.argsort(k, kind="stable")
        order = order[is_missing[shard[order]]]
        k, place, shard = k[order], place[order], shard[order]
        if not len(k):
            return
        source = mixture.sources[stretch.source]
        length = mixture.sequence_length
        tokens = Concatenation(source.folder, source.index.header, source.index.shards, OpenShards())
        found = windows(tokens.read(stretch.first * length, stretch.count * length + 1), length)
        rows = (k - shard * self.layout.per_shard).astype(np.uint32)
        for start in range(0, len(k), WRITTEN_AT_ONCE):
            some = slice(start, start + WRITTEN_AT_ONCE)
            lists = pa.FixedSizeListArray.from_arrays(pa.array(found[place[some]].ravel()), length + 1)
            yield shard[some], pa.record_batch({"row": rows[some], "tokens": lists})


@dataclass(frozen=True)
class WriteShard:
    """Writes one materialised shard, and last its sidecar. A shard that is finished is left."""

    layout: Layout

    def __call__(self, partition: Partition) -> PartResult:
        """Raises UserError where a sequence has not come, or has come twice."""
        mixture = _mixture(self.layout.manifest)
        number, folder = partition.part, self.layout.folder
        header, name = mixture.materialised_header, shard_name(number)
        rows = min(self.layout.per_shard, mixture.sequences - number * self.layout.per_shard)
        identity = _identity(mixture, self.layout.per_shard)
        result = PartResult(number, rows, rows, rows * sequence_bytes(mixture))
        if exists(join(folder, name)) and _finished(folder, number, identity):
            return PartResult(number, rows, rows, result.bytes_in, reused=True)

        length = mixture.sequence_length + 1
        tokens = np.empty((rows, length), header.dtype)
        came = np.zeros(rows, np.int64)
        for block in partition.blocks():
            row = np.asarray(block.column("row"))
            tokens[row] = np.asarray(block.column("tokens").flatten()).reshape(-1, length)
            came[row] += 1
        if (came != 1).any():
            k = number * self.layout.per_shard + int(np.flatnonzero(came != 1)[0])
            raise UserError(
                f"{join(folder, name)}: sequence {k} has come {came[k - number * self.layout.per_shard]} times to be "
                f"written: remove {work_folder(self.layout.manifest)} and run mix --materialize again"
            )
        counts: list[ShardCounts] = []

        def write(sink: Any) -> None:
            writer = ShardWriter(sink, header)
            for start in range(0, rows, WRITTEN_AT_ONCE):
                some = tokens[start : start + WRITTEN_AT_ONCE]
                numbers = np.arange(start, start + len(some), dtype=np.uint32)
                writer.write(number, numbers, some.ravel(), np.arange(len(some) + 1) * length, 0)
            counts.append(writer.close())

        digest = commit(join(folder, name), write)
        entry = IndexedShard(name, counts[-1].tokens, counts[-1].documents, counts[-1].text_bytes, digest)
        write_json(
            sidecar_path(folder, number),
            {
                "identity": identity,
                "part": number,
                "header": asdict(header),
                "heldout_one_in": 0,
                "shard": asdict(entry),
            },
        )
        return result


def work_folder(manifest: str) -> str:
    """For what is regrouped on the way."""
    return join(materialised_folder(manifest), ".work")


@lru_cache(maxsize=1)
def _mixture(manifest: str) -> Mixture:
    """Read once for all stretches and shards that a worker does: it lists every shard of every source."""
    return read_manifest(manifest)


def _identity(mixture: Mixture, per_shard: int) -> str:
    return digest_of(
        {"header": asdict(mixture.materialised_header), "sequences": mixture.sequences, "per_shard": per_shard}
    )


def _finished(folder: str, number: int, identity: str) -> bool:
    sidecar = sidecar_path(folder, number)
    return exists(sidecar) and read_json(sidecar)["identity"] == identity
