"""Download: the files of a listing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corpus.download import DownloadTask, download_files, read_listing
from corpus.errors import UserError

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner


def download(listing: str, output: str, base: str, limit: int | None, connections: int, runner: Runner) -> None:
    """Fetches what is missing of a listing, at most `connections` requests at a time over all workers.

    Raises:
        UserError: `output` is not local, the listing cannot be read, or files could not be fetched (after all others
            are there).
    """
    import apache_beam as beam

    from pipelines.engine.partmap import PartMap

    if "://" in output:
        raise UserError(f"{output} is not a local folder: give a local or mounted one")
    files = read_listing(listing, base, limit)
    tasks = [
        DownloadTask(number, tuple(files[number::connections]), output)
        for number in range(min(connections, len(files)))
    ]
    # A download waits for the network, not for a core: one process for each connection.
    runner = replace(runner, workers=len(tasks))
    runner.run(lambda pipeline: pipeline | beam.Create(tasks) | "Fetch" >> PartMap(download_files, runner, "download"))
