"""Lines: what line feeds separate (`str.split("\\n")`)."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.kernel import kernel
from corpus.text.buffers import text_array, text_buffers
from corpus.text.hashing import hash_bytes
from corpus.text.unicode import SPACE, decode, previous
from corpus.text.words import LINE_FEED

BLANK = -1


@kernel
def find_lines(data: Any, start: Any, end: Any, classes: Any, hashes: Any, lengths: Any, lasts: Any) -> Any:
    """Hash, length and last character of each line of data[start:end], valid UTF-8; gives the number of lines.

    Args:
        classes: of `corpus.text.unicode.classes`.
        hashes: uint64; XXH64 of the bytes of each line. Room for end - start + 1 lines, like the next two.
        lengths: integer; characters (code points) of each line.
        lasts: integer of 32 bits or more; the last code point of each line, `BLANK` for one of white space alone.
    """
    count = 0
    begin = i = start
    characters = 0
    point, blank = 0, True
    while i <= end:
        before = point
        point, size = decode(data, i) if i < end else (LINE_FEED, 1)
        i += size
        if point != LINE_FEED:
            characters += 1
            blank &= classes[point] & SPACE != 0
            continue
        hashes[count] = hash_bytes(data, begin, i - 1, 0)
        lengths[count] = characters
        lasts[count] = BLANK if blank else before
        count += 1
        begin, characters, blank = i, 0, True
    return count


@kernel
def strip(data: Any, start: Any, end: Any, classes: Any) -> Any:
    """(start, end) without white space at the ends."""
    while start < end:
        point, size = decode(data, start)
        if classes[point] & SPACE == 0:
            break
        start += size
    while start < end:
        i = previous(data, end)
        point, _ = decode(data, i)
        if classes[point] & SPACE == 0:
            break
        end = i
    return start, end


class Pieces(NamedTuple):
    """The lines, or the sentences, of the rows of a text column.

    Attributes:
        text: large_string, the pieces of all rows in order.
        starts: int64, shape (rows + 1,); the pieces of row i are `text[starts[i]:starts[i + 1]]`.
    """

    text: pa.Array
    starts: npt.NDArray[np.int64]

    def rows(self) -> npt.NDArray[np.int64]:
        """The row of each piece."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def sums(self, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """By row, the sum of a value of each piece."""
        return np.diff(np.append(0, np.cumsum(values))[self.starts])


def split_lines(texts: pa.Array) -> Pieces:
    """The lines of a string or large_string array, without their line feeds. An empty text has one."""
    data, offsets = text_buffers(texts)
    size = int(offsets[-1] - offsets[0])
    feeds = int(np.count_nonzero(data[offsets[0] : offsets[-1]] == LINE_FEED))
    out = np.empty(size - feeds, np.uint8)
    ends = np.zeros(feeds + len(texts) + 1, np.int64)
    starts = np.zeros(len(texts) + 1, np.int64)
    _split(data, offsets, out, ends, starts)
    return Pieces(text_array(out, ends), starts)


def join_lines(lines: Pieces, kept: npt.NDArray[np.bool_]) -> tuple[pa.Array, pa.Array]:
    """(text, kept lines): of each row the lines that are kept, with a line feed between them, large_string; and their
    numbers in the row, list<uint32>."""
    numbers = (np.arange(len(kept)) - lines.starts[:-1][lines.rows()])[kept].astype(np.uint32)
    starts = np.append(0, np.cumsum(kept))[lines.starts]
    data, ends = text_buffers(lines.text.filter(pa.array(kept)))
    out = np.empty(int(ends[-1] - ends[0]) + len(numbers), np.uint8)
    offsets = np.zeros(len(starts), np.int64)
    _join(data, ends, starts, out, offsets)
    kept_lines = pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), pa.array(numbers))
    return text_array(out, offsets), kept_lines


@kernel
def _split(data: Any, offsets: Any, out: Any, ends: Any, starts: Any) -> None:
    at = line = 0
    for row in range(len(offsets) - 1):
        for i in range(offsets[row], offsets[row + 1]):
            if data[i] == LINE_FEED:
                line += 1
                ends[line] = at
            else:
                out[at] = data[i]
                at += 1
        line += 1
        ends[line] = at
        starts[row + 1] = line


@kernel
def _join(data: Any, ends: Any, starts: Any, out: Any, offsets: Any) -> None:
    at = 0
    for row in range(len(starts) - 1):
        for line in range(starts[row], starts[row + 1]):
            if line > starts[row]:
                out[at] = LINE_FEED
                at += 1
            for i in range(ends[line], ends[line + 1]):
                out[at] = data[i]
                at += 1
        offsets[row + 1] = at
