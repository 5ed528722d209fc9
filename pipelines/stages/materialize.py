"""Materialize: the sequences of a run, written in the order of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from corpus.errors import UserError
from corpus.storage import clear_attempts, join, names, remove
from tokenizer.index import is_whole, shard_name, write_index
from tokenizer.materialize import (
    SHARD_BYTES,
    STRETCH_BYTES,
    Place,
    Stretches,
    WriteShard,
    layout_of,
    sequence_bytes,
    work_folder,
)
from tokenizer.mixture import materialised_folder, read_manifest

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner


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
    layout = layout_of(manifest, shard_bytes)
    mixture = read_manifest(manifest)
    # The position of a sequence takes four bytes on the way.
    whole = mixture.sequences * (sequence_bytes(mixture) + 4)
    size = whole * len(layout.missing) // layout.shards
    say(
        f"materialize: {mixture.sequences:,} sequences into {layout.shards:,} shards, {len(layout.missing):,} missing: "
        f"{size:,} bytes to regroup"
    )
    work = work_folder(manifest)
    if layout.missing:
        import apache_beam as beam

        from pipelines.engine.exchange import Exchange
        from pipelines.engine.partmap import PartMap

        tasks = sum(1 for _ in Stretches(stretch_bytes)(manifest))
        # Of the whole, also where shards are there: so a restart gathers the stretches as before.
        place = Exchange(Place(layout), layout.shards, work, runner, "materialize: place", whole, tasks)
        runner.run(
            lambda pipeline: (
                pipeline
                | beam.Create([manifest])
                | "Read manifest" >> beam.FlatMap(Stretches(stretch_bytes))
                | "Place" >> place
                | "Write" >> PartMap(WriteShard(layout), runner, "materialize: write")
            ),
            folder,
        )
    clear_attempts(folder)
    written = set(names(folder))
    for number in layout.missing:
        if shard_name(number) not in written:
            raise UserError(
                f"{join(folder, shard_name(number))} was not written, since {work} is of a run that missed other "
                "shards: remove it and run mix --materialize again"
            )
    write_index(folder, layout.shards)
    remove(work)
    return folder, True
