"""Sorting more than memory holds: sorted runs in a temporary file, and one merge of them."""

import heapq
import pickle
import tempfile
from collections.abc import Iterator
from typing import Any

RUN_BYTES = 64 << 20
"""What is held in memory before a run is written."""
_BLOCK_BYTES = 64 << 10  # of a run, read at a time: a merge holds one of each run

Entry = tuple[tuple[int, ...], Any]


class ExternalSort:
    """Entries (key, value), added in any order and given back in the order of their keys, which must all differ.

    Memory is `RUN_BYTES`, or for the merge 64 KiB or one entry for each run, whichever is more. Runs are in one
    temporary file without a name, in $TMPDIR, which is gone when this process ends, however it does. Used as a
    context, it closes the file.
    """

    def __init__(self, run_bytes: int = RUN_BYTES) -> None:
        self._run_bytes = run_bytes
        self._held: list[Entry] = []
        self._size = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `__exit__`
        self._runs: list[tuple[int, int]] = []  # where each begins and ends in the file

    def __enter__(self) -> "ExternalSort":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, key: tuple[int, ...], value: Any, size: int) -> None:
        """`value` is anything that pickle takes; `size` is about how many bytes it has."""
        self._held.append((key, value))
        self._size += size
        if self._size >= self._run_bytes:
            self._write_run()

    def __iter__(self) -> Iterator[Entry]:
        """All entries, once."""
        if not self._runs:
            self._held.sort(key=_key)
            yield from self._held
            return
        if self._held:
            self._write_run()
        yield from heapq.merge(*map(self._read_run, self._runs), key=_key)

    def _write_run(self) -> None:
        self._held.sort(key=_key)
        step = max(1, len(self._held) * _BLOCK_BYTES // max(1, self._size))
        start = self._file.seek(0, 2)
        for first in range(0, len(self._held), step):
            pickle.dump(self._held[first : first + step], self._file, pickle.HIGHEST_PROTOCOL)
        self._runs.append((start, self._file.tell()))
        self._held, self._size = [], 0

    def _read_run(self, run: tuple[int, int]) -> Iterator[Entry]:
        at, end = run
        while at < end:
            self._file.seek(at)
            block = pickle.load(self._file)
            at = self._file.tell()
            yield from block


def _key(entry: Entry) -> tuple[int, ...]:
    return entry[0]
