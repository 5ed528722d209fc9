"""What all formats of packed tokens have in common: ids one after the other, and where documents start."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.errors import UserError
from tokenizer.shards import Shard

BLOCK_TOKENS = 1 << 22
"""Tokens held in memory at once, unless one document has more."""


@dataclass(frozen=True)
class Packed:
    """Documents of one file in another format, memory-mapped.

    Attributes:
        path: of the file with the ids.
        tokens: any integer type, shape (tokens,).
        offsets: int64, shape (documents + 1,): document d is tokens[offsets[d]:offsets[d + 1]].
    """

    path: str
    tokens: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]


def map_bytes(path: str) -> npt.NDArray[np.uint8]:
    """The bytes of a local file, memory-mapped.

    Raises:
        UserError: it cannot be opened.
    """
    try:
        return np.memmap(path, np.uint8, "r")
    except OSError as error:
        raise UserError(f"cannot open {path} ({error.strerror}): check the path") from None
    except ValueError:  # an empty file cannot be mapped
        return np.empty(0, np.uint8)


def write_array(sink: Any, values: npt.NDArray[Any], dtype: str | None = None) -> None:
    """Writes an array as `dtype`, of which a bounded piece is converted at a time."""
    for start in range(0, len(values), BLOCK_TOKENS):
        sink.write(np.ascontiguousarray(values[start : start + BLOCK_TOKENS], dtype).data)


def write_tokens(sink: Any, shard: Shard, dtype: str | None = None) -> None:
    """Writes the ids of a shard as `dtype`, a piece at a time, out of blocks that fit their checksums."""
    for start in range(0, shard.counts.tokens, BLOCK_TOKENS):
        write_array(sink, shard.read(start, min(start + BLOCK_TOKENS, shard.counts.tokens)), dtype)


def document_blocks(offsets: npt.NDArray[Any], size: int = BLOCK_TOKENS) -> Iterator[tuple[int, int]]:
    """(first, last + 1) of consecutive documents of at most `size` tokens together; a longer document stands alone."""
    first, documents = 0, len(offsets) - 1
    while first < documents:
        # Of their own type: numpy would make floats of all offsets to compare them with a Python integer.
        limit = offsets.dtype.type(int(offsets[first]) + size)
        end = int(np.searchsorted(offsets, limit, side="right")) - 1
        stop = min(max(end, first + 1), documents)
        yield first, stop
        first = stop
