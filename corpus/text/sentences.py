"""Sentences, without a word list: a stand-in for NLTK's Punkt.

A sentence ends with a run of ".", "?" and "!", together with closing quotes and brackets behind it, before white space
or the end of the line. What follows the last one in a line is one more, where it is not blank.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from corpus.kernel import kernel
from corpus.text.buffers import text_array, text_buffers
from corpus.text.lines import Pieces, strip
from corpus.text.unicode import SPACE, classes, decode
from corpus.text.words import LINE_FEED

_STOPS = np.zeros(256, np.bool_)
_STOPS[list(b".?!")] = True


def split_sentences(texts: pa.Array) -> Pieces:
    """The sentences of a string or large_string array, each stripped of white space; a line feed ends one too."""
    data, offsets = text_buffers(texts)
    starts = np.zeros(len(texts) + 1, np.int64)
    count = _split(data, offsets, classes(), starts, np.empty((0, 2), np.int64))
    bounds = np.empty((count, 2), np.int64)
    _split(data, offsets, classes(), starts, bounds)
    ends = np.append(0, np.cumsum(bounds[:, 1] - bounds[:, 0]))
    out = np.empty(int(ends[-1]), np.uint8)
    _copy(data, bounds, out)
    return Pieces(text_array(out, ends), starts)


@kernel
def sentence_end(line: Any, start: Any, end: Any, classes: Any) -> Any:
    """The byte behind the sentence that starts at byte `start` of a line of valid UTF-8."""
    i = start
    while i < end:
        if not _STOPS[line[i]]:
            i += 1
            continue
        while i < end and _STOPS[line[i]]:
            i += 1
        point = size = 0
        while i < end:
            point, size = decode(line, i)
            if not _closes(point):
                break
            i += size
        if i == end or classes[point] & SPACE:
            return i
    return end


@kernel
def count_sentences(line: Any, start: Any, end: Any, classes: Any) -> Any:
    """Sentences of a line of valid UTF-8."""
    sentences = 0
    while start < end:
        stop = sentence_end(line, start, end, classes)
        first, behind = strip(line, start, stop, classes)
        sentences += first < behind
        start = stop
    return sentences


@kernel
def _closes(point: Any) -> Any:
    """One of \" ' ) ] } ’ ”."""
    return point in (0x22, 0x27, 0x29, 0x5D, 0x7D, 0x2019, 0x201D)


@kernel
def _split(data: Any, offsets: Any, classes: Any, starts: Any, bounds: Any) -> Any:
    """Fills `starts`, and `bounds` with (first byte, the byte behind) where it has room; gives how many there are."""
    count = 0
    for row in range(len(offsets) - 1):
        i, end = offsets[row], offsets[row + 1]
        while i < end:
            line = i
            while line < end and data[line] != LINE_FEED:
                line += 1
            while i < line:
                stop = sentence_end(data, i, line, classes)
                first, behind = strip(data, i, stop, classes)
                if first < behind:
                    if count < len(bounds):
                        bounds[count] = first, behind
                    count += 1
                i = stop
            i = line + 1
        starts[row + 1] = count
    return count


@kernel
def _copy(data: Any, bounds: Any, out: Any) -> None:
    at = 0
    for piece in range(len(bounds)):
        for i in range(bounds[piece, 0], bounds[piece, 1]):
            out[at] = data[i]
            at += 1
