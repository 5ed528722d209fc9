"""Spans of texts: what they cover together, in whole characters, and the texts without them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.dedup.blocks import Ints, group_starts
from corpus.dedup.winnowing import continues
from corpus.text.buffers import Bytes, Offsets, text_array


class Spans(NamedTuple):
    """From `start` up to `stop` in the texts `row`; int64."""

    row: Ints
    start: Ints
    stop: Ints


def union(row: npt.NDArray[Any], start: npt.NDArray[Any], stop: npt.NDArray[Any]) -> Spans:
    """What spans cover together, as few as can be, sorted. Numbers below 2^31."""
    row, start, stop = (np.asarray(column, np.int64) for column in (row, start, stop))
    order = np.lexsort((start, row))
    row, start = row[order], start[order]
    reach = np.maximum.accumulate(row << 32 | stop[order])
    new = np.ones(len(row), np.bool_)
    new[1:] = (row << 32 | start)[1:] > reach[:-1]
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(row))[: len(first)] - 1
    return Spans(row[first], start[first], reach[last] & 0xFFFFFFFF)


def of_windows(owner: Ints, start: Ints, length: int) -> Spans:
    """What windows of `length` cover, given in order; those of one owner that follow each other become one span."""
    first = np.flatnonzero(group_starts(owner, start - np.arange(len(start))))
    last = np.append(first[1:], len(start))[: len(first)] - 1
    return Spans(owner[first], start[first], start[last] + length)


def whole_characters(data: Bytes, offsets: Offsets, spans: Spans) -> Spans:
    """Spans of bytes without the characters that are only partly in one, and without those of which nothing is left.

    Args:
        data, offsets: row i is data[offsets[i]:offsets[i + 1]], valid UTF-8.
    """
    start, stop = spans.start + offsets[spans.row], spans.stop + offsets[spans.row]
    ends = offsets[spans.row + 1]
    inside = continues(data)
    for _ in range(3):  # at most as many bytes follow the first of a character
        start = start + ((start < stop) & inside[np.minimum(start, stop - 1)])
        stop = stop - ((start < stop) & (stop < ends) & inside[np.minimum(stop, ends - 1)])
    kept = start < stop
    row, at = spans.row[kept], offsets[spans.row[kept]]
    return Spans(row, start[kept] - at, stop[kept] - at)


def cut(data: Bytes, offsets: Offsets, spans: Spans) -> pa.Array:
    """The texts without the spans, which are sorted and apart: what stood before one and behind it stand together."""
    start, stop = spans.start + offsets[spans.row], spans.stop + offsets[spans.row]
    begins, ends = np.append(offsets[0], stop), np.append(start, offsets[-1])
    left = np.concatenate([data[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)])
    gone = np.zeros(len(offsets), np.int64)
    np.add.at(gone, spans.row + 1, stop - start)
    return text_array(left, offsets - offsets[0] - np.cumsum(gone))
