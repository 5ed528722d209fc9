"""Lines: what line feeds separate (`str.split("\\n")`)."""

from typing import Any

from corpus.kernel import kernel
from corpus.text.hashing import hash_bytes
from corpus.text.unicode import SPACE, decode
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
