"""Identifies the language and keeps the wanted ones, as CCNet does."""

from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.filters.fasttext_model import predictions
from corpus.rules import Filter
from corpus.settings import ModelFile
from corpus.thresholds import AtLeast, OneOf


class Language(Filter):
    """fastText language identification over the whole text, with CCNet's details (cc_net/split_by_lang.py).

    Line feeds are removed, not replaced by spaces, and the probability is rounded to two decimals, half to even on the
    scaled value, before it is compared: 0.495 passes a threshold of 0.5.

    Score columns: `language`, the most probable label, also written into the document (null for an empty text), and
    `language_score`, its probability (0 for an empty text). Reasons: `language_uncertain` below the threshold,
    `language_unwanted` for a language that is not kept.

    Attributes:
        model: CCNet used "lid-bin"; "lid" is the same model quantised to a hundredth of the size.
        threshold: the least probability (CCNet: 0.5, cc_net/mine.py `lang_threshold`).
        keep: labels of the model; None keeps every language.
        max_chars: look at no more than this many characters from the start; faster by as much as it leaves out.
            None = the whole text, as CCNet does.
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)
    keeps: ClassVar[float] = 0.45  # assumed: English in Common Crawl

    model: ModelFile = "lid"
    threshold: Annotated[float, AtLeast("language_score", "language_uncertain")] = Field(default=0.5, ge=0, le=1)
    keep: Annotated[tuple[str, ...] | None, OneOf("language", "language_unwanted")] = ("en",)
    max_chars: int | None = Field(default=None, gt=0)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Raises UserError when the model is missing or is not a fastText classifier."""
        texts = pc.replace_substring(batch.column("text"), "\n", "")
        if self.max_chars is not None:
            texts = pc.utf8_slice_codeunits(texts, 0, self.max_chars)
        lines = texts.to_pylist()
        best = predictions(self.model, lines)
        found = [some[0] if line else (None, 0.0) for line, some in zip(lines, best, strict=True)]
        return pa.RecordBatch.from_pydict(
            {
                "language": pa.array([label for label, _ in found], pa.string()),
                "language_score": pa.array(np.round([score for _, score in found], 2), pa.float64()),
            }
        )
