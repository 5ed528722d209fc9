"""Tokens on an object store, read from front to back: what comes next is fetched before it is asked for."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from tokenizer.concatenation import Concatenation
from tokenizer.remote import REQUEST_BYTES
from tokenizer.shards import BLOCK_BYTES

AHEAD_BYTES = 32 << 20
"""Held beside what was just asked for: seconds of training, at any number of processes."""

Block = tuple[int, int]
"""Number of a shard, and of a block in it."""
Run = Future[npt.NDArray[np.uint8]]
"""Adjacent blocks of one shard, under way or there."""


class ReadAhead:
    """Reads a concatenation of shards by whole blocks, and by one thread that alone touches the shards.

    Two reads at the same distance as the two before foretell the next ones: those of one process follow each other,
    those of one of many processes leave out the others' tokens. Only blocks that hold foretold tokens are fetched, at
    most `AHEAD_BYTES` of them; a read from elsewhere drops them, and begins anew.
    """

    def __init__(self, tokens: Concatenation) -> None:
        self._tokens = tokens
        self._position = self._distance = 0
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._thread = ThreadPoolExecutor(1, "read-ahead")
        self._held: dict[Block, tuple[Run, int]] = {}  # with the first block of the run

    def read(self, position: int, count: int) -> npt.NDArray[np.integer]:
        """The tokens [position, position + count), compared with their checksums; shape (count,).

        Raises:
            UserError, DamagedFile: a shard is missing or damaged.
        """
        if self._process != os.getpid():  # a forked process has no thread of its parent, and would wait for it forever
            self._begin()
        distance, self._position = position - self._position, position
        steady = distance == self._distance and distance >= count
        self._distance = distance
        now = dict.fromkeys(self._blocks(position, count))
        then = self._foretold(position, count, distance) if steady else {}
        self._forget({**now, **then})
        self._fetch(now)
        missing = [block for block in then if block not in self._held]
        if 2 * len(missing) >= len(then):  # half at a time: few long requests
            self._fetch(missing)
        pieces = list(self._tokens.pieces(position, count))
        return np.concatenate([np.empty(0, self._tokens.dtype), *(self._piece(*piece) for piece in pieces)])

    def _blocks(self, position: int, count: int) -> Iterator[Block]:
        width = self._tokens.dtype.itemsize
        for number, start, stop in self._tokens.pieces(position, count):
            for block in range(start * width // BLOCK_BYTES, -(-stop * width // BLOCK_BYTES)):
                yield number, block

    def _foretold(self, position: int, count: int, distance: int) -> dict[Block, None]:
        """The blocks of the reads to come, in order."""
        width = self._tokens.dtype.itemsize
        position += distance
        if (distance - count) * width < BLOCK_BYTES:  # no block between two reads is left out
            distance = count = AHEAD_BYTES // width
        found: dict[Block, None] = {}
        while position < self._tokens.tokens and len(found) * BLOCK_BYTES < AHEAD_BYTES:
            found.update(dict.fromkeys(self._blocks(position, min(count, self._tokens.tokens - position))))
            position += distance
        return dict.fromkeys(list(found)[: AHEAD_BYTES // BLOCK_BYTES])

    def _forget(self, wanted: dict[Block, None]) -> None:
        kept = {block: held for block, held in self._held.items() if block in wanted}
        runs = {run for run, _ in kept.values()}
        for run, _ in self._held.values():
            if run not in runs:
                run.cancel()
        self._held = kept

    def _fetch(self, blocks: Iterable[Block]) -> None:
        """Asks the thread for those that are not held, adjacent ones together."""
        runs: list[list[Block]] = []
        for number, block in blocks:
            if (number, block) in self._held:
                continue
            if runs and runs[-1][-1] == (number, block - 1) and len(runs[-1]) * BLOCK_BYTES < REQUEST_BYTES:
                runs[-1].append((number, block))
            else:
                runs.append([(number, block)])
        for run in runs:
            (number, first), (_, last) = run[0], run[-1]
            held = self._thread.submit(self._get, number, first, last + 1), first
            self._held.update(dict.fromkeys(run, held))

    def _get(self, number: int, first: int, stop: int) -> npt.NDArray[np.uint8]:
        return self._tokens.shard(number).blocks(first, stop)

    def _piece(self, number: int, start: int, stop: int) -> npt.NDArray[np.integer]:
        width = self._tokens.dtype.itemsize
        start, stop = start * width, stop * width
        parts = []
        while start < stop:
            block = start // BLOCK_BYTES
            end = min(stop, (block + 1) * BLOCK_BYTES)
            run, first = self._held[number, block]
            try:
                data = run.result()
            except BaseException:
                self._forget({})  # asked again, it is fetched again
                raise
            parts.append(data[start - first * BLOCK_BYTES : end - first * BLOCK_BYTES])
            start = end
        return np.concatenate(parts).view(self._tokens.dtype)
