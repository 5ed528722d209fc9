"""The tokens of a folder's shards, one shard after the other."""

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from corpus.errors import DamagedFile
from corpus.storage import join
from tokenizer.index import IndexedShard
from tokenizer.remote import open_shard
from tokenizer.shards import Shard, ShardHeader

MAX_OPEN = 256
"""Shards held open at once, well below the usual limit of 1,024 files a process."""


class OpenShards:
    """Shards that are open, at most `MAX_OPEN`: the one that was not used for the longest time is closed."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._open: OrderedDict[str, Shard] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, path: str, entry: IndexedShard, tokenizer: str, scattered: bool) -> Shard:
        """The shard at `path`. `scattered`: see `Shard`.

        Raises:
            UserError: there is none.
            DamagedFile: it is not whole, or not the one that `entry` lists.
        """
        if self._process != os.getpid():  # connections to a store are not for forked processes
            self._process = os.getpid()
            self._open.clear()
        shard = self._open.get(path)
        if shard is None:
            shard = open_shard(path, tokenizer, scattered)
            if shard.counts.tokens != entry.tokens:
                raise DamagedFile(
                    f"{path} has {shard.counts.tokens} tokens and the order was made for {entry.tokens}: "
                    "run mix again, or bring back the shards it was made for"
                )
            if len(self._open) == MAX_OPEN:
                self._open.popitem(last=False)
            self._open[path] = shard
        self._open.move_to_end(path)
        return shard


class Concatenation:
    """Tokens of shards that follow each other.

    Attributes:
        entries: the shards, in order.
        dtype: of a token.
        tokens: in all of them.
    """

    def __init__(
        self,
        folder: str,
        header: ShardHeader,
        entries: Sequence[IndexedShard],
        opened: OpenShards,
        scattered: bool = False,
    ) -> None:
        """`scattered`: see `Shard`."""
        self.entries = entries
        self.dtype = header.dtype
        self._folder = folder
        self._tokenizer = header.tokenizer
        self._opened = opened
        self._scattered = scattered
        self._ends = np.cumsum([entry.tokens for entry in entries], dtype=np.int64)
        self.tokens = int(self._ends[-1]) if len(entries) else 0

    def shard(self, number: int) -> Shard:
        """Opens a shard, or has it open. Raises as `OpenShards.get`."""
        entry = self.entries[number]
        return self._opened.get(join(self._folder, entry.name), entry, self._tokenizer, self._scattered)

    def pieces(self, position: int, count: int) -> Iterator[tuple[int, int, int]]:
        """(number of the shard, start, stop in it) of the tokens [position, position + count)."""
        number = int(np.searchsorted(self._ends, position, side="right"))
        while count:
            start = position - (int(self._ends[number - 1]) if number else 0)
            taken = min(count, int(self._ends[number]) - position)
            if taken:  # an empty shard is passed over
                yield number, start, start + taken
            position += taken
            count -= taken
            number += 1

    def read(self, position: int, count: int) -> npt.NDArray[np.integer]:
        """The tokens [position, position + count), compared with their checksums; shape (count,).

        Raises:
            UserError, DamagedFile: a shard is missing or damaged.
        """
        read = [self.shard(number).read(start, stop) for number, start, stop in self.pieces(position, count)]
        return read[0] if len(read) == 1 else np.concatenate([np.empty(0, self.dtype), *read])


def windows(tokens: npt.NDArray[np.integer], length: int) -> npt.NDArray[np.integer]:
    """Sequences of `length` + 1 tokens, overlapping by one: shape (n, length + 1), a read-only view."""
    return np.lib.stride_tricks.sliding_window_view(tokens, length + 1)[::length]
