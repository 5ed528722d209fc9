"""How often a step gave which score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dataset import StepFolder
from corpus.tuning.stored import StoredPart, chain_of, stored_parts

BINS = 40
TAIL = 0.01
"""Share of the scores at each end that does not decide how far a histogram reaches."""
WIDE = 100
"""Where the highest score is as many times the lowest, bins are as wide as they are high: on a logarithmic scale."""


class Wanted(NamedTuple):
    """Which scores a histogram is of.

    Attributes:
        column: `RULE.SCORE`.
        limits: values that are to be within its bins.
        where: (column, value) that the documents must have.
    """

    column: str
    limits: tuple[float, ...] = ()
    where: tuple[str, str] | None = None


@dataclass(frozen=True)
class Histogram:
    """Documents by score.

    Attributes:
        edges: of the bins, ascending, one more than bins. A bin holds its lower edge; the first one also what is below
            it, the last one what is at or above its upper edge.
        counts: of each bin; their sum is the number of documents that have the score.
        log: bins are of equal width on a logarithmic scale.
    """

    edges: npt.NDArray[np.float64]
    log: bool
    counts: npt.NDArray[np.int64]

    def add(self, values: npt.NDArray[Any]) -> None:
        """Counts more documents."""
        places = np.searchsorted(self.edges, values, side="right") - 1
        self.counts[:] += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)


def histogram_of(values: npt.NDArray[Any]) -> Histogram | None:
    """Of numbers that are at hand; None where there are none."""
    reach = _Reach()
    reach.add(values)
    found = reach.bins(())
    if found is not None:
        found.add(values)
    return found


def histograms(folder: StepFolder, wanted: Sequence[Wanted]) -> list[Histogram | None]:
    """Of the stored scores of a finished step; None where no document has such a score. Scores are read twice: for how
    far they reach, and to count them."""
    if not wanted:
        return []
    chain = chain_of(folder)
    reach = [_Reach() for _ in wanted]
    for part in stored_parts(folder, chain):
        for one, seen in zip(wanted, reach, strict=True):
            seen.add(_values(part, one))
    found = [seen.bins(one.limits) for one, seen in zip(wanted, reach, strict=True)]
    for part in stored_parts(folder, chain):
        for one, histogram in zip(wanted, found, strict=True):
            if histogram is not None:
                histogram.add(_values(part, one))
    return found


@dataclass
class _Reach:
    """How far scores reach: of each part the values at both ends but for `TAIL`."""

    low: float = np.inf
    high: float = -np.inf

    def add(self, values: npt.NDArray[Any]) -> None:
        if len(values):
            low, high = np.quantile(values, [TAIL, 1 - TAIL], method="nearest")
            self.low, self.high = min(self.low, float(low)), max(self.high, float(high))

    def bins(self, limits: Sequence[float]) -> Histogram | None:
        if not np.isfinite(self.low):
            return None
        low, high = min([self.low, *limits]), max([self.high, *limits])
        log = low >= 0 and high / max(low, 1) > WIDE
        if log:
            edges = np.geomspace(max(low, 1), high * 1.05, BINS + 1)
        else:
            room = (high - low) * 0.02 or 0.5  # so that a limit at an end is seen
            edges = np.linspace(max(low - room, 0) if low >= 0 else low - room, high + room, BINS + 1)
        return Histogram(edges, log, np.zeros(BINS, np.int64))


def _values(part: StoredPart, wanted: Wanted) -> npt.NDArray[Any]:
    """The scores of a part, of the documents that have one."""
    if wanted.column not in part.scores.schema.names:
        return np.zeros(0, np.int64)
    column = part.scores.column(wanted.column)
    if wanted.where is not None:
        name, value = wanted.where
        column = column.filter(pc.equal(part.scores.column(name), pa.scalar(value)))
    values = column.drop_null().to_numpy()
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values
