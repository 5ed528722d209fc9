"""Shards on an object store or another server, read by ranges."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.errors import UserError
from corpus.storage import filesystem, local_path
from tokenizer.shards import FOOTER_BYTES, HEADER_BYTES, Shard

REQUEST_BYTES = 8 << 20
"""In one request: long enough that its delay (tens of milliseconds on an object store) counts for little."""

TAIL_BYTES = 64 << 10
"""Read at the end of a shard when it is opened: the footer, and the checksums of up to 7.5 GiB."""


class RemoteShard(Shard):
    """One shard behind an fsspec URL. Opening takes its size and both ends; all else is fetched when it is asked for.

    Everything but the ends is compared with its checksums and, where it differs, fetched once more. Nothing is kept
    but `document_offsets`, `rows` and `parts` once they were asked for; `tokens` would fetch them all: use `read`.
    """

    def __init__(self, path: str, tokenizer: str | None = None) -> None:
        self._fs, self._inner = filesystem(path)
        try:
            self._size = int(self._fs.size(self._inner))
        except FileNotFoundError:
            raise UserError(f"cannot open {path} (no such file): check the path, or run the command again") from None
        except TypeError:
            raise UserError(f"{path}: its server does not tell its size: copy the shards to a disk") from None
        tail_start = max(0, self._size - TAIL_BYTES)
        head, tail = self._fetch([(0, HEADER_BYTES), (tail_start, self._size)])
        self._parse(path, self._size, head, tail[-FOOTER_BYTES:], tokenizer)
        if self._layout.checksums >= tail_start:
            start = self._layout.checksums - tail_start
            self._checksums = np.frombuffer(tail, "<u8", self.counts.checksums, start)

    def _section(self, start: int, count: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        stop = start + count * dtype.itemsize
        read = self._bytes if start == self._layout.checksums else self._checked
        return read(start, stop).view(dtype)

    def _bytes(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        cuts = [*range(start, stop, REQUEST_BYTES), stop]
        return np.frombuffer(b"".join(self._fetch(list(pairwise(cuts)))), np.uint8)

    def _fetch(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        """The bytes of each range; at the same time, where the file system can."""
        starts, stops = ([each[end] for each in ranges] for end in (0, 1))
        found = self._fs.cat_ranges([self._inner] * len(ranges), starts, stops, on_error="raise")
        if any(len(data) > stop - start for data, (start, stop) in zip(found, ranges, strict=True)):
            raise UserError(f"{self._inner}: its server does not answer range requests: copy the shards to a disk")
        return list(found)


def open_shard(path: str, tokenizer: str | None = None, scattered: bool = False) -> Shard:
    """The shard at a path or URL. Arguments and errors as of `Shard`."""
    local = local_path(path)
    return RemoteShard(path, tokenizer) if local is None else Shard(local, tokenizer, scattered)
