"""Download: the files of a listing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from corpus.download.fetch import DownloadTask, RemoteFile, download_files
from corpus.lock import lock

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner

TASKS_OF_A_CONNECTION = 50
"""On this machine, where progress is told by tasks. A server that refuses is asked once for each of them."""


def download(
    files: Sequence[RemoteFile], output: str, connections: int, runner: Runner, may_lack: bool = False
) -> None:
    """Fetches what the folder `output` does not have, at most `connections` requests at a time over all workers.

    Args:
        may_lack: a file that the server does not have is no failure.

    Raises:
        UserError: files could not be fetched (after all others are there), or another process fetches into this folder.
    """
    import apache_beam as beam

    from pipelines.engine.partmap import PartMap

    tasks = make_tasks(files, output, connections, runner, may_lack)
    # A download waits for the network, not for a core: the pool has a process for each connection.
    runner = replace(runner, workers=min(runner.workers, connections, len(tasks)))
    with lock(output, "corpus download"):
        runner.run(
            lambda pipeline: pipeline | beam.Create(tasks) | "Fetch" >> PartMap(download_files, runner, "download"),
            output,
        )


def make_tasks(
    files: Sequence[RemoteFile], output: str, connections: int, runner: Runner, may_lack: bool
) -> list[DownloadTask]:
    """The files in turn to each task. On a cluster the number of tasks is what holds it to that of requests at a time;
    a pool on this machine has as many processes as that."""
    count = min(len(files), connections * (TASKS_OF_A_CONNECTION if runner.is_local else 1))
    return [DownloadTask(number, tuple(files[number::count]), output, may_lack) for number in range(count)]
