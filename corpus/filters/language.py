"""Identifies the language and keeps the wanted ones, as CCNet does."""

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.filters.fasttext_model import predictions
from corpus.filters.reasons import first_reason
from corpus.settings import ModelFile, Settings


class Language(Settings):
    """fastText language identification over the whole text, with CCNet's details (cc_net/split_by_lang.py).

    Line feeds are removed, not replaced by spaces, and the probability is rounded to two decimals, half to even on the
    scaled value, before it is compared: 0.495 passes a threshold of 0.5.

    Score columns: `language`, the most probable label, also written into the document (null for an empty text), and
    `language_score`, its probability (0 for an empty text). Reasons: `language_uncertain` below the threshold,
    `language_unwanted` for a language that is not kept.

    Attributes:
        model: CCNet used "lid-bin"; "lid" is the same model quantised to a hundredth of the size.
        keep: labels of the model; None keeps every language.
        threshold: the least probability (CCNet: 0.5, cc_net/mine.py `lang_threshold`).
        max_chars: look at no more than this many characters from the start; faster by as much as it leaves out.
            None = the whole text, as CCNet does.
    """

    version: ClassVar[int] = 1
    thresholds: ClassVar[frozenset[str]] = frozenset({"keep", "threshold"})

    model: ModelFile = "lid"
    keep: tuple[str, ...] | None = ("en",)
    threshold: float = Field(default=0.5, ge=0, le=1)
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

    def decide(self, scores: pa.RecordBatch) -> pa.Array:
        language = scores.column("language")
        conditions = {"language_uncertain": pc.less(scores.column("language_score"), self.threshold)}
        if self.keep is not None:
            wanted = pc.is_in(language, value_set=pa.array(self.keep, pa.string()))
            conditions["language_unwanted"] = pc.invert(wanted)
        return first_reason(len(language), conditions)
