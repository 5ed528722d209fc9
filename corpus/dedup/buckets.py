"""Which documents of a bucket are compared with each other: all of a small one, a few with each of a crowded one."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.dedup.blocks import Ints, group_starts

FIRST = 2
"""With so many first of a crowded bucket, and so many right before it, each of its documents is compared."""
SMALL = 4 * FIRST
"""Documents of a bucket that are all compared with each other; where there are more, the bucket is crowded."""


class Candidates(NamedTuple):
    """Pairs of places in the arrays that `bucket_pairs` was given, one row for each bucket that they meet in.

    Attributes:
        better: the one that comes first in the order of winners.
        other: the one that asks it.
        crowded: other is far down a crowded bucket that better leads: what they have in common may be boilerplate.
    """

    better: Ints
    other: Ints
    crowded: npt.NDArray[np.bool_]


def bucket_pairs(key: npt.NDArray[Any], order: npt.NDArray[Any], node: Ints) -> Candidates:
    """Pairs of documents with equal keys; their number is linear in that of the documents.

    Two documents of one `order` are a pair both ways: which of them is better is found where their ids are known.

    Args:
        key: of the bucket, for each entry.
        order: the lower is better.
        node: document; decides among equals.
    """
    by_key = np.argsort(key)
    starts = np.flatnonzero(group_starts(key[by_key]))
    sizes = np.diff(starts, append=len(key))
    shared = by_key[np.repeat(sizes > 1, sizes)]
    at = shared[np.lexsort((node[shared], order[shared], key[shared]))]
    place = np.arange(len(at))
    start = np.maximum.accumulate(np.where(group_starts(key[at]), place, 0))
    far = place - start >= SMALL
    pairs = [(start[far] + first, place[far]) for first in range(FIRST)]
    for lag in range(1, SMALL):
        some = place[(place - start >= lag) & ~(far & (lag > FIRST))]
        pairs.append((some - lag, some))
    better, other = np.concatenate(pairs, axis=1)
    crowded = far[other] & (better == start[other])
    apart = node[at[better]] != node[at[other]]  # two bands of one document may have equal keys by chance
    better, other, crowded = better[apart], other[apart], crowded[apart]
    tied = order[at[better]] == order[at[other]]
    return Candidates(
        at[np.concatenate([better, other[tied]])],
        at[np.concatenate([other, better[tied]])],
        np.concatenate([crowded, np.zeros(tied.sum(), np.bool_)]),
    )
