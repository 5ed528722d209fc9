"""Materialize: the sequences of a run, written in the order of training."""

from collections.abc import Callable
from dataclasses import dataclass

import apache_beam as beam

from corpus.errors import UserError
from corpus.storage import clear_attempts, join, names, remove
from pipelines.exchange import Exchange
from pipelines.partmap import PartMap
from pipelines.runner import Runner
from tokenizer.index import is_whole, shard_name, write_index
from tokenizer.materialize import (
    SHARD_BYTES,
    STRETCH_BYTES,
    Place,
    Plan,
    Stretches,
    WriteShard,
    make_plan,
    sequence_bytes,
    work_folder,
)
from tokenizer.mixture import materialised_folder, read_manifest


@dataclass
class Materialize(beam.PTransform):
    """Path of an order's manifest -> counts of each shard that was missing."""

    plan: Plan
    stretches: Stretches
    runner: Runner

    def expand(self, manifest: beam.PCollection) -> beam.PCollection:
        work = work_folder(self.plan.manifest)
        return (
            manifest
            | "Read manifest" >> beam.FlatMap(self.stretches)
            | "Place" >> Exchange(Place(self.plan), self.plan.shards, work, self.runner, "materialize: place")
            | "Write" >> PartMap(WriteShard(self.plan), self.runner, "materialize: write")
        )


def materialize(
    manifest: str,
    runner: Runner,
    shard_bytes: int = SHARD_BYTES,
    stretch_bytes: int = STRETCH_BYTES,
    say: Callable[[str], None] = print,
) -> tuple[str, bool]:
    """Writes a run's sequences beside the manifest of their order. Returns their folder, and whether it ran.

    Raises:
        UserError: the manifest or a shard of a source cannot be read, or a shard failed.
    """
    folder = materialised_folder(manifest)
    if is_whole(folder):
        return folder, False
    plan = make_plan(manifest, shard_bytes)
    mixture = read_manifest(manifest)
    # The position of a sequence takes four bytes on the way.
    size = mixture.sequences * (sequence_bytes(mixture) + 4) * len(plan.missing) // plan.shards
    say(
        f"materialize: {mixture.sequences:,} sequences into {plan.shards:,} shards, {len(plan.missing):,} missing: "
        f"{size:,} bytes to regroup"
    )
    transform = Materialize(plan, Stretches(stretch_bytes), runner)
    if plan.missing:
        runner.run(lambda pipeline: pipeline | beam.Create([manifest]) | transform)
    clear_attempts(folder)
    written = set(names(folder))
    for number in plan.missing:
        if shard_name(number) not in written:
            raise UserError(
                f"{join(folder, shard_name(number))} was not written, since {work_folder(manifest)} is of a run that "
                "missed other shards: remove it and run mix --materialize again"
            )
    write_index(folder, plan.shards)
    remove(work_folder(manifest))
    return folder, True
