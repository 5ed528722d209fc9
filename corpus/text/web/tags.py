"""Elements of HTML as numbers, and what each is to the text of a page."""

from functools import cache

import numpy as np
import numpy.typing as npt

from corpus.text.hash_table import Table, table
from corpus.text.hashing import FNV_BASIS, FNV_PRIME

_BLOCKS = (
    "body p h1 h2 h3 h4 h5 h6 li td th pre blockquote dt dd figcaption button div section article main nav footer "
    "aside header form ul ol table figure dl tr caption tbody thead tfoot address center details dialog dir fieldset "
    "hgroup legend listing menu optgroup option search summary xmp noframes frameset"
)
_SKIPPED = (
    "script style template svg iframe object video audio canvas select datalist textarea title noscript noembed applet "
    "annotation annotation-xml"
)
_INLINE = "a code sup sub br hr wbr img q"
_RAW_TEXT = "script style textarea title iframe noscript noembed xmp"
_NO_P_END = "body td th tr caption tbody thead tfoot button legend optgroup option noframes frameset"
_CELLS = "td th caption"

BLOCKS = _BLOCKS.split()
"""Elements that begin and end a line; their numbers begin at 0 in this order."""

INLINE = _INLINE.split()
"""Elements within a line that mean something here; all that are not named in this module are transparent."""

SKIPPED = _SKIPPED.split()
"""Elements whose text nobody reads on the page."""

NAMES = (*BLOCKS, *INLINE, *SKIPPED, "html", "head", "meta")
TAG = {name: number for number, name in enumerate(NAMES)}

OTHER = len(NAMES)
"""The number of all other elements."""

RAW_TEXT = _RAW_TEXT.split()
"""Elements whose content is characters up to their end tag, never elements."""

IS_BLOCK, IS_SKIPPED, IS_RAW, ENDS_P, IS_CELL, IS_HEADING = 1, 2, 4, 8, 16, 32


@cache
def flags() -> npt.NDArray[np.uint8]:
    """What each element is, by number: a sum of the constants above."""
    found = np.zeros(OTHER + 1, np.uint8)
    for name, number in TAG.items():
        found[number] = (
            IS_BLOCK * (name in BLOCKS)
            + IS_SKIPPED * (name in SKIPPED)
            + IS_RAW * (name in RAW_TEXT)
            + ENDS_P * (name in BLOCKS and name not in _NO_P_END.split())
            + IS_CELL * (name in _CELLS.split())
            + IS_HEADING * (len(name) == 2 and name[0] == "h" and name[1] in "123456")
        )
    return found


def key(name: str) -> int:
    """The number by which kernels look a name up (FNV-1a, 64 bits, of its lower-case letters)."""
    found = int(FNV_BASIS)
    for byte in name.lower().encode():
        found = (found ^ byte) * int(FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
    return found


def names_table(names: dict[str, int]) -> Table:
    """int32 values by `key`."""
    return table(np.array([key(name) for name in names], np.uint64), np.array([*names.values()], np.int32))


@cache
def tag_table() -> Table:
    return names_table(TAG)
