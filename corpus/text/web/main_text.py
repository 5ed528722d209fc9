"""Which blocks of a page are its main text."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel
from corpus.text.hash_table import Table
from corpus.text.web import tags
from corpus.text.web.features import Floats, features
from corpus.text.web.forest import Forest
from corpus.text.web.parse import CHARS, HIDDEN, LINKED, NODE, PARENT, TAG, Page

MODEL = Path(__file__).with_name("model.npz")
"""Made by `benchmarks/web_text/train.py`, which says of what."""

THRESHOLD = 0.55
OF_THE_BEST = 0.7
"""Of a page where no block reaches the threshold, those that come this near to its best one are its main text."""

SURELY_NOT = 0.05
"""The second forest is not asked about a block to which the first one gives less: half of all blocks. On pages that
nothing was learned from, none of 42,556 blocks of main text had so little, nor did the second give one of those 0.2."""

LONG_ITEM = 400
"""Characters of a block that is no item of a list or cell of a table of data, but a paragraph in one."""
SURE = 0.6
FEW_LINKS = 0.3


AROUND = 12
"""Numbers that `around` gives of a block."""
_NEAR, _FAR = 6, 20  # blocks on each side


class Model(NamedTuple):
    """What was learned.

    Attributes:
        hints, words: see `features`.
        first: from the features of a block to the probability that it is of the main text.
        second: the same from the features and what `first` says of the blocks around (`around`).
    """

    hints: Table
    words: Table
    first: Forest
    second: Forest

    def write(self, path: str) -> None:
        np.savez_compressed(
            path,
            **{f"{part}_{name}": array for part, of in self._asdict().items() for name, array in of._asdict().items()},
        )

    @classmethod
    def read(cls, path: str | Path) -> "Model":
        with np.load(path) as held:

            def part(name: str, kind: type[Any]) -> Any:
                return kind(*(held[f"{name}_{field}"] for field in kind._fields))

            return cls(part("hints", Table), part("words", Table), part("first", Forest), part("second", Forest))


@cache
def model() -> Model:
    """That of this package."""
    return Model.read(MODEL)


def kept_blocks(page: Page, by: Model | None = None) -> npt.NDArray[np.int64]:
    """Numbers of the blocks of the main text, rising.

    A list or a table stays whole or goes whole, and stays where what is around it stays, unless it is one of links.
    What the page hides goes, unless it hides most of its text (some do until their scripts have run).
    """
    if not len(page.blocks):
        return np.zeros(0, np.int64)
    by = by or model()
    rows = features(page, by.hints, by.words)
    found = by.first.probabilities(rows)
    open_ = np.flatnonzero(found >= SURELY_NOT)
    found[open_] = by.second.probabilities(np.hstack([rows[open_], around(page, found)[open_]]))
    _join_groups(page.nodes, page.blocks, found.copy(), found)
    kept = np.flatnonzero(found > min(THRESHOLD, OF_THE_BEST * float(found.max())))
    hidden = page.nodes[page.blocks[kept, NODE], HIDDEN] == 1
    characters = page.blocks[kept, CHARS]
    return kept[~hidden] if characters[hidden].sum() <= characters[~hidden].sum() else kept


def around(page: Page, found: Floats) -> Floats:
    """What the probabilities of the blocks say of the place of each, shape (blocks, `AROUND`): that of the block, those
    of the three on each side, the mean of near and of far ones, that of its list or table, and how much of the main
    text is before it, and behind."""
    out = np.zeros((len(found), AROUND), np.float32)
    joined = found.copy()
    _join_groups(page.nodes, page.blocks, found, joined)
    _around(page.blocks, found, joined, out)
    return out


@kernel
def _around(blocks: Any, found: Any, joined: Any, out: Any) -> None:
    n = len(found)
    sums = np.zeros(n + 1, np.float32)
    mass = np.zeros(n + 1, np.float32)
    for block in range(n):
        sums[block + 1] = sums[block] + found[block]
        mass[block + 1] = mass[block] + found[block] * blocks[block, CHARS]
    for block in range(n):
        row = out[block]
        row[0] = found[block]
        for step in range(1, 4):
            row[2 * step - 1] = found[block - step] if block >= step else 0
            row[2 * step] = found[block + step] if block + step < n else 0
        for column, reach in ((7, _NEAR), (8, _FAR)):
            low, high = max(block - reach, 0), min(block + reach + 1, n)
            row[column] = (sums[high] - sums[low]) / (high - low)
        row[9] = joined[block]
        row[10] = mass[block] / (mass[n] + 1)
        row[11] = (mass[n] - mass[block + 1]) / (mass[n] + 1)


def _group_tags() -> npt.NDArray[np.bool_]:
    found = np.zeros(tags.OTHER + 1, np.bool_)
    found[[tags.TAG[name] for name in ("ul", "ol", "menu", "dir", "dl", "table")]] = True
    return found


_IS_GROUP, _TABLE = _group_tags(), tags.TAG["table"]


@kernel
def _join_groups(nodes: Any, blocks: Any, found: Any, out: Any) -> None:
    """Gives all blocks of a list or a table of data one probability: the mean by characters."""
    group = np.full(len(nodes), -1, np.int32)
    for node in range(1, len(nodes)):
        above = group[nodes[node, PARENT]]
        tag = nodes[node, TAG]
        # The outermost list; of tables, which pages are laid out with, the innermost, and a list in it.
        begins = tag == _TABLE or (_IS_GROUP[tag] and (above < 0 or nodes[above, TAG] == _TABLE))
        group[node] = node if begins else above
    begin = 0
    for end in range(1, len(blocks) + 1):
        at = group[blocks[begin, NODE]]
        if end < len(blocks) and group[blocks[end, NODE]] == at:
            continue
        characters = linked = longest = 0
        mean = 0.0
        for block in range(begin, end):
            characters += blocks[block, CHARS]
            linked += blocks[block, LINKED]
            longest = max(longest, blocks[block, CHARS])
            mean += found[block] * blocks[block, CHARS]
        if at >= 0 and end - begin > 1 and longest <= LONG_ITEM:
            mean /= characters
            between = begin > 0 and end < len(blocks) and found[begin - 1] > SURE and found[end] > SURE
            if between and linked < FEW_LINKS * characters:
                mean = max(mean, SURE)
            out[begin:end] = mean
        begin = end
