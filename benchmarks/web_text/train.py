"""Learns which blocks of a page are its main text, and writes the model that `corpus.text.web.main_text` reads.

    python -m benchmarks.web_text.pages FOLDER
    python -m benchmarks.web_text.train FOLDER corpus/text/web/model.npz [--folds]

(From the root of the checkout, and with -m, after `pip install lightgbm scikit-learn readability-lxml trafilatura`; ten
minutes of one core, twice that with `--folds`.) With `--folds` it also says how good such a model is on pages of sites
that it did not see, of which nothing is measured elsewhere: that is what settings are chosen by.

What is learned from: blocks of the pages that are not held out (`benchmarks.web_text.pages`), and how much of each is
in the known text, or where only strings are known, what three extractors say (`benchmarks.web_text.labels`). Learned
are, in this order,

1. weights of the words in `class`, `id`, `role` and `itemprop`, and of the words of the text, by a logistic regression;
2. a forest of boosted trees over the features of a block, of which those weights make some;
3. another one over these features and what the first forest says of the blocks around.

So that a step does not rely on what the one before learned by heart, what it gets of a page comes from one that did not
see the page's site.
"""

import hashlib
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse

from benchmarks.web_text.labels import known_strings, shares, votes, words
from benchmarks.web_text.pages import KnownPage, read_pages
from corpus.text.hash_table import Table, table
from corpus.text.web.features import MAX_HINTS, MAX_WORDS, features, hint_words, next_word
from corpus.text.web.forest import Forest
from corpus.text.web.main_text import Model, around, kept_blocks
from corpus.text.web.parse import CLASS, END, NODE, PARENT, START, Page, parse

FOLDS = 5
LEAST_PAGES = 8
"""A word that fewer pages have gets no weight."""
VOTE_WEIGHT = 0.5
"""Of a block that extractors voted on, in parts of one whose text is known."""
TREES = {
    "objective": "cross_entropy",
    "num_leaves": 31,
    "min_data_in_leaf": 200,
    "lambda_l2": 1.0,
    "feature_fraction": 0.3,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 2,
    "verbose": -1,
}
FIRST, SECOND = (100, 0.12), (250, 0.06)
"""Trees, and learning rate."""


class Sample(NamedTuple):
    """A page to learn from.

    Attributes:
        hints: hashes of the words of the attributes of each element.
        text_words: of the first words of each block.
        labels, weights: of each block; the weights of a page add up to 1.
    """

    known: KnownPage
    page: Page
    hints: list[npt.NDArray[np.uint64]]
    text_words: list[npt.NDArray[np.uint64]]
    labels: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]

    @property
    def fold(self) -> int:
        return int(hashlib.md5(self.known.site.encode()).hexdigest(), 16) % FOLDS


def main(folder: Path, target: Path, report_folds: bool) -> None:
    samples = [sample for known in read_pages(folder) if not known.is_held_out and (sample := sampled(known))]
    say(f"{len(samples)} pages, {sum(len(sample.labels) for sample in samples)} blocks")
    folds = [learn_words([sample for sample in samples if sample.fold != fold]) for fold in range(FOLDS)]
    say("words of the folds learned")
    rows = [features(sample.page, *folds[sample.fold]) for sample in samples]
    forests = []
    for fold in range(FOLDS):
        forests.append(learn_trees(*unseen(fold, samples, rows), *FIRST))
        say(f"first forest of fold {fold} learned")
    more = [
        np.hstack([row, around(sample.page, forests[sample.fold].probabilities(row))])
        for sample, row in zip(samples, rows, strict=True)
    ]
    if report_folds:
        report(samples, more, folds, forests)
    model = Model(*learn_words(samples), learn_trees(samples, rows, *FIRST), learn_trees(samples, more, *SECOND))
    model.write(str(target))
    say(f"wrote {target}")


def sampled(known: KnownPage) -> Sample | None:
    page = parse(known.html)
    blocks = [page.block_text(block) for block in range(len(page.blocks))]
    if not blocks:
        return None
    sizes = np.sqrt([len(words(block)) + 1 for block in blocks])
    if known.text is None:
        certain = known_strings(blocks, known.keep, known.drop)
        labels = np.where(np.isnan(certain), votes(known.html.decode(), blocks), certain)
        sizes *= np.where(np.isnan(certain), VOTE_WEIGHT, 1)
    else:
        labels = shares(blocks, known.text)
    return Sample(known, page, *_words(page), labels, (sizes / sizes.sum()).astype(np.float32))


def _words(page: Page) -> tuple[list[npt.NDArray[np.uint64]], list[npt.NDArray[np.uint64]]]:
    found = np.empty(MAX_HINTS, np.uint64)
    hints = []
    for node in page.nodes:
        count = 0
        for column in range(CLASS, CLASS + 8, 2):
            if node[column + 1] > node[column]:
                count = hint_words(page.data, node[column], node[column + 1], found, count)
        hints.append(found[:count].copy())
    buffer = np.empty(24, np.uint8)
    of_blocks = []
    for block in page.blocks:
        at, end = block[START], block[END]
        values = []
        while len(values) < MAX_WORDS:
            value, start, at = next_word(page.text, at, end, buffer)
            if start == at:
                break
            values.append(value)
        of_blocks.append(np.array(values, np.uint64))
    return hints, of_blocks


def learn_words(samples: Sequence[Sample]) -> tuple[Table, Table]:
    """Weights of the words of attributes, and of the text."""
    from sklearn.linear_model import SGDClassifier

    hints = _frequent([np.unique(np.concatenate(sample.hints)) for sample in samples])
    text_words = _frequent([np.unique(np.concatenate(sample.text_words)) for sample in samples])
    matrix = sparse.vstack(
        [
            sparse.hstack([_hint_rows(sample, hints), _text_rows(sample, text_words)], format="csr")
            for sample in samples
        ],
        format="csr",
    )
    labels = np.concatenate([sample.labels for sample in samples]) >= 0.5
    weights = np.concatenate([sample.weights for sample in samples])
    model = SGDClassifier("log_loss", alpha=0.003, max_iter=6, tol=None, random_state=0, average=True)
    model.fit(matrix, labels, sample_weight=weights * len(weights) / weights.sum())
    learned = model.coef_[0].astype(np.float32)
    return table(hints, learned[: len(hints)]), table(text_words, learned[len(hints) :])


def _frequent(pages: Sequence[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    counts = Counter(np.concatenate(pages).tolist())
    return np.array(sorted(word for word, count in counts.items() if count >= LEAST_PAGES), np.uint64)


def _hint_rows(sample: Sample, known: npt.NDArray[np.uint64]) -> Any:
    """A row a block: how often each word is in the attributes of the elements around it."""
    of_nodes: list[npt.NDArray[np.int64]] = []
    for node, values in zip(sample.page.nodes, sample.hints, strict=True):
        own = _places(values, known)
        of_nodes.append(own if node[PARENT] < 0 else np.concatenate([of_nodes[node[PARENT]], own]))
    return _rows([of_nodes[node] for node in sample.page.blocks[:, NODE]], len(known))


def _text_rows(sample: Sample, known: npt.NDArray[np.uint64]) -> Any:
    """A row a block: how often each word is among its first ones, in parts of the root of their number."""
    rows = _rows([_places(values, known) for values in sample.text_words], len(known))
    sizes = np.array([len(values) for values in sample.text_words])
    return sparse.diags(1 / np.sqrt(sizes + 1)) @ rows


def _places(values: npt.NDArray[np.uint64], known: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    at = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return at[known[at] == values]


def _rows(columns: Sequence[npt.NDArray[np.int64]], width: int) -> Any:
    ends = np.cumsum([0, *map(len, columns)])
    joined = np.concatenate(columns)
    return sparse.csr_matrix((np.ones(len(joined), np.float32), joined, ends), (len(columns), width))


def unseen(
    fold: int, samples: Sequence[Sample], rows: Sequence[npt.NDArray[np.float32]]
) -> tuple[list[Sample], list[npt.NDArray[np.float32]]]:
    """The samples that are not in a fold, and their rows."""
    numbers = [number for number, sample in enumerate(samples) if sample.fold != fold]
    return [samples[number] for number in numbers], [rows[number] for number in numbers]


def learn_trees(
    samples: Sequence[Sample], rows: Sequence[npt.NDArray[np.float32]], count: int, learning_rate: float
) -> Forest:
    import lightgbm

    weights = np.concatenate([sample.weights for sample in samples])
    labels = np.concatenate([sample.labels for sample in samples])
    data = lightgbm.Dataset(np.concatenate(rows), labels, weight=weights * len(weights) / weights.sum(), params=TREES)
    trained = lightgbm.train(TREES | {"learning_rate": learning_rate}, data, count)
    return Forest.from_lightgbm(trained.dump_model())


def report(
    samples: Sequence[Sample],
    rows: Sequence[npt.NDArray[np.float32]],
    folds: Sequence[tuple[Table, Table]],
    forests: Sequence[Forest],
) -> None:
    from benchmarks.web_text.score import Scores

    scores = Scores()
    for fold in range(FOLDS):
        model = Model(*folds[fold], forests[fold], learn_trees(*unseen(fold, samples, rows), *SECOND))
        for sample in samples:
            if sample.fold == fold:
                kept = kept_blocks(sample.page, model)
                scores.add(sample.known, "\n".join(sample.page.block_text(block) for block in kept))
        say(f"folds to {fold}: {scores}")


def say(what: str) -> None:
    print(f"{time.process_time():6.0f} s  {what}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python -m benchmarks.web_text.train FOLDER MODEL.npz [--folds]")
    main(Path(sys.argv[1]), Path(sys.argv[2]), "--folds" in sys.argv)
