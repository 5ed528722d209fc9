"""The documents on both sides of a threshold, nearest first: what it just keeps, and what it just drops."""

import heapq
from dataclasses import dataclass

import numpy as np

from corpus.dataset import StepFolder
from corpus.parts import read_row
from corpus.steps.rule import NamedRule
from corpus.thresholds import AtLeast, AtMost, Threshold
from corpus.trace import input_of
from corpus.tuning.stored import chain_of, stored_parts


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


def border(folder: StepFolder, named: NamedRule, threshold: Threshold, limit: int) -> Border:
    """Up to `limit` documents on each side of a threshold of a finished step, of those that reached its rule.

    Of documents with the same score those of lower parts and rows come first. Of a threshold that is not set, or
    whose step before is gone, there are none.
    """
    value = threshold.value(named.rule)
    before = input_of(folder, folder.manifest())
    column = f"{named.key}.{threshold.mark.score}"
    found: dict[bool, list[tuple[float, int, int, float]]] = {True: [], False: []}
    if value is None or not before.finished:
        return Border([], [])
    assert isinstance(threshold.mark, AtLeast | AtMost)
    for part in stored_parts(folder, chain_of(folder)):
        if column not in part.scores.schema.names:
            continue
        scores = part.scores.column(column).combine_chunks()
        fails = np.asarray(threshold.mark.fails(scores, value).fill_null(False))
        valid = np.asarray(scores.is_valid())
        numbers = scores.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
        for side in (True, False):
            rows = np.flatnonzero(valid & (fails == side))
            distances = np.abs(numbers[rows] - value)
            nearest = np.argsort(distances, kind="stable")[:limit]
            found[side] += [
                (float(distances[place]), part.number, int(rows[place]), float(numbers[rows[place]]))
                for place in nearest
            ]
    return Border(*([_read(before, *one) for one in heapq.nsmallest(limit, found[side])] for side in (False, True)))


def _read(before: StepFolder, _: float, part: int, row: int, score: float) -> Neighbour:
    document = read_row(before.data(part), row, ["id", "text"])
    return Neighbour(document.column("id")[0].as_py(), score, document.column("text")[0].as_py())
