"""Writes unicode.tsv beside this file from the running Python's `unicodedata`: `python -m corpus.text.make_unicode`.

Run once and committed, because Python versions differ in their Unicode version and results must not.
"""

import sys
import unicodedata
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from corpus.text.unicode import (
    ALPHABETIC,
    ALPHANUMERIC,
    CASE_IGNORABLE,
    CASED,
    CCNET_PUNCT,
    CODE_POINTS,
    DECIMAL,
    MARK,
    SPACE,
    TABLE,
    UPPER,
)

# The keys of UNICODE_PUNCT in cc_net/text_normalizer.py, its "１" included (a typo there that its hashes depend on).
PUNCT = "，。、„”“«»１」「《》´∶：？！（）；–—．～’…━〈〉【】％►"


def class_of(c: str) -> int:
    """The class bits of one character."""
    # str.lower turns a capital sigma at a word's end into "ς". How it looks past the characters before the sigma
    # tells which are cased and which case-ignorable; `unicodedata` does not.
    cased = (c + "Σ").lower()[-1] == "ς"
    ignorable = not cased and ("a" + c + "Σ").lower()[-1] == "ς"
    return (
        ALPHABETIC * c.isalpha()
        | ALPHANUMERIC * c.isalnum()
        | DECIMAL * c.isdecimal()
        | SPACE * c.isspace()
        | CASED * cased
        | CASE_IGNORABLE * ignorable
        | CCNET_PUNCT * (c in PUNCT)
        | MARK * (unicodedata.category(c)[0] == "M")
        | UPPER * c.isupper()
    )


def runs() -> Iterator[str]:
    """Lines "first, last, classes, lower-case minus code point" of the table, default runs (all zero) left out."""

    def row(point: int) -> tuple[int, int]:
        c = chr(point)
        lower = c.lower()
        # U+0130 alone becomes two characters ("i" and U+0307); `corpus.text.unicode` treats it by hand.
        return class_of(c), 0 if len(lower) > 1 else ord(lower) - point

    for (classes, delta), points in groupby(range(CODE_POINTS), row):
        first, *rest = points
        if classes or delta:
            yield f"{first:04X}\t{rest[-1] if rest else first:04X}\t{classes:02X}\t{delta}\n"


if __name__ == "__main__":
    table = Path(__file__).with_name(TABLE)
    table.write_text(f"# Unicode {unicodedata.unidata_version}\n" + "".join(runs()), encoding="ascii")
    sys.stdout.write(f"{table}\n")
