"""Drops texts with too many digits, symbols or white space."""

from typing import Annotated, ClassVar

import pyarrow as pa

from corpus.rules import Filter
from corpus.text.counts import Count, count_rows, share
from corpus.thresholds import AtMost


class Characters(Filter):
    """Shares of the characters (code points) of a text, with the thresholds of NeMo Curator's `NumbersFilter`,
    `NonAlphaNumericFilter` and `WhiteSpaceFilter` (heuristic_filter.py), which are meant for English.

    Score columns, four decimals, each also the reason: `digits` (`str.isdecimal`), `symbols` (neither `str.isalnum` nor
    white space) and `spaces` (`str.isspace`). 0 for an empty text. NeMo's second threshold is of all that is not
    alphanumeric, so white space counts twice there; a page of prose has 15 to 20% of it.

    Attributes:
        max_digits: 0.15.
        max_symbols: 0.25.
        max_spaces: 0.25.
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)

    max_digits: Annotated[float, AtMost("digits")] = 0.15
    max_symbols: Annotated[float, AtMost("symbols")] = 0.25
    max_spaces: Annotated[float, AtMost("spaces")] = 0.25

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        counts = count_rows(batch.column("text"))
        kinds = {"digits": Count.DIGITS, "symbols": Count.SYMBOLS, "spaces": Count.SPACES}
        columns = {name: pa.array(share(counts[:, kind], counts[:, Count.CHARACTERS])) for name, kind in kinds.items()}
        return pa.RecordBatch.from_pydict(columns)
