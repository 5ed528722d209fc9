"""Keeps pages that look like those Wikipedia cites (LLaMA-1, section 2.1, "English CommonCrawl")."""

from collections.abc import Iterable
from itertools import chain
from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.errors import UserError
from corpus.filters.fasttext_model import LABEL, classifier
from corpus.filters.fasttext_train import train_classifier
from corpus.rules import Filter
from corpus.settings import ModelFile
from corpus.thresholds import AtLeast


class Reference(Filter):
    """A fastText classifier of pages used as references in Wikipedia against random pages.

    LLaMA-1 says "we trained a linear model [...] and discarded pages not classified as references" and no more; the
    label and the threshold are RedPajama-v1's (data_prep/cc/README.md), which keeps more than the most probable label
    would. Line feeds become spaces.

    Score column: `reference`, the probability of `label` in [0, 1], four decimals. Reason: `not_reference`.

    Attributes:
        model: a classifier, as `train_reference` makes it.
        label: of the pages to keep, with or without fastText's "__label__".
        threshold: the least probability (RedPajama-v1: 0.25).
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)
    keeps: ClassVar[float] = 0.5  # assumed

    model: ModelFile
    label: str = "__label__wiki"
    threshold: Annotated[float, AtLeast("reference", "not_reference")] = Field(default=0.25, ge=0, le=1)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Raises UserError when the model is missing, is no classifier, or does not know the label."""
        model, wanted = classifier(self.model), self.label.removeprefix(LABEL)
        if wanted not in model.labels:
            raise UserError(f"{self.model} does not know the label {wanted}: known are {', '.join(model.labels[:20])}")
        lines = pc.replace_substring(batch.column("text"), "\n", " ")
        found = model.probability(lines, wanted, digits=4)
        return pa.RecordBatch.from_pydict({"reference": pa.array(np.minimum(found, 1.0), pa.float64())})


def train_reference(positives: Iterable[str], negatives: Iterable[str], output: str) -> float:
    """Trains a classifier for `Reference` with fastText's default settings, as RedPajama-v1 did.

    Args:
        positives: texts of pages that Wikipedia cites, cleaned as the corpus is.
        negatives: texts of random pages of the crawl; about as many.
        output: path of the model; labels are "wiki" and "cc".

    Returns:
        Accuracy on the tenth of the texts that is held out.

    Raises:
        UserError: as `train_classifier`.
    """
    pairs = chain((("wiki", text) for text in positives), (("cc", text) for text in negatives))
    return train_classifier(pairs, output)
