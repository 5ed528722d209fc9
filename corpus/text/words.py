"""Words: maximal runs of characters that are not white space (`str.split`)."""

from typing import Any

import numpy as np

from corpus.kernel import kernel
from corpus.text.hashing import FNV_BASIS, FNV_PRIME
from corpus.text.unicode import SPACE, decode

LINE_FEED = 10


@kernel
def find_words(data: Any, start: Any, end: Any, classes: Any, hashes: Any, lengths: Any, feeds: Any) -> Any:
    """Hash, length and place of each word of data[start:end], valid UTF-8; gives the number of words.

    Args:
        classes: of `corpus.text.unicode.classes`.
        hashes: uint64; 64-bit FNV-1a over the code points of each word. Room for (end - start + 1) // 2 words, like the
            next two.
        lengths: integer; characters (code points) of each word.
        feeds: uint8; line feeds between the word before and this one: 0 = same line, 1 = next line, 2 = at least one
            blank line between. 2 for the first word.
    """
    count = 0
    before = 2
    i = start
    while i < end:
        point, size = decode(data, i)
        if classes[point] & SPACE:
            if point == LINE_FEED and before < 2:
                before += 1
            i += size
            continue
        key = FNV_BASIS
        characters = 0
        while i < end:
            point, size = decode(data, i)
            if classes[point] & SPACE:
                break
            key = (key ^ np.uint64(point)) * FNV_PRIME
            characters += 1
            i += size
        hashes[count] = key
        lengths[count] = characters
        feeds[count] = before
        before = 0
        count += 1
    return count
