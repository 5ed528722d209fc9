"""The documents on both sides of a threshold, nearest first: what it just keeps, and what it just drops."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from corpus.dataset import StepFolder
from corpus.parts import read_row
from corpus.steps.rule import NamedRule
from corpus.thresholds import AtLeast, AtMost, Threshold
from corpus.trace import input_of
from corpus.tuning.stored import StoredPart, chain_of, stored_parts


@dataclass(frozen=True)
class Neighbour:
    """A document near a threshold.

    Attributes:
        score: that the threshold is compared with.
        text: before the step.
    """

    id: str
    score: float
    text: str


@dataclass(frozen=True)
class Border:
    """Documents near one threshold, the nearest first.

    Attributes:
        kept: on its right side; another rule may have dropped them.
        dropped: on its wrong side.
    """

    kept: list[Neighbour]
    dropped: list[Neighbour]


def borders(folder: StepFolder, thresholds: Sequence[tuple[NamedRule, Threshold]], limit: int) -> list[Border]:
    """Up to `limit` documents on each side of each threshold of a finished step, of those that reached its rule.

    Of documents with the same score those of lower parts and rows come first. Of a threshold that is not set, or
    whose step before is gone, there are none. The step's scores are read once.
    """
    before = input_of(folder, folder.manifest())
    found = [_Nearest(named, threshold, limit) for named, threshold in thresholds]
    for part in stored_parts(folder, chain_of(folder)) if before.finished else ():
        for one in found:
            one.add(part)
    return [
        Border(*([_read(before, *place) for place in one.sides[fails]] for fails in (False, True))) for one in found
    ]


@dataclass
class _Nearest:
    """The documents next to one threshold in the parts that were looked at.

    Attributes:
        sides: by whether a document fails: its distance, part, row and score, the nearest first.
    """

    named: NamedRule
    threshold: Threshold
    limit: int
    sides: dict[bool, list[tuple[float, int, int, float]]] = field(default_factory=lambda: {True: [], False: []})

    def add(self, part: StoredPart) -> None:
        column, value = f"{self.named.key}.{self.threshold.mark.score}", self.threshold.value(self.named.rule)
        if value is None or column not in part.scores.schema.names:
            return
        assert isinstance(self.threshold.mark, AtLeast | AtMost)
        scores = part.scores.column(column).combine_chunks()
        fails = np.asarray(self.threshold.mark.fails(scores, value).fill_null(False))
        valid = np.asarray(scores.is_valid())
        numbers = scores.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
        for side, held in self.sides.items():
            rows = np.flatnonzero(valid & (fails == side))
            distances = np.abs(numbers[rows] - value)
            if len(rows) > self.limit:  # those that are no farther than the last of them
                near = distances <= np.partition(distances, self.limit - 1)[self.limit - 1]
                rows, distances = rows[near], distances[near]
            for place in np.argsort(distances, kind="stable")[: self.limit]:
                held.append((float(distances[place]), part.number, int(rows[place]), float(numbers[rows[place]])))
            held.sort()
            del held[self.limit :]


def _read(before: StepFolder, _: float, part: int, row: int, score: float) -> Neighbour:
    document = read_row(before.data(part), row, ["id", "text"])
    return Neighbour(document.column("id")[0].as_py(), score, document.column("text")[0].as_py())
