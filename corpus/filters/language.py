"""Identifies the language and keeps the wanted ones, as CCNet does."""

from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.filters.fasttext_model import classifier
from corpus.rules import Filter
from corpus.settings import ModelFile
from corpus.thresholds import AtLeast, OneOf

WHITE_SPACE = r"[\s\x{0B}\x{1C}-\x{1F}\x{85}\p{Z}]+"
"""What `str.split` parts words at: `str.isspace`, as a regular expression of RE2."""


class Language(Filter):
    """fastText language identification over the whole text, with CCNet's details (cc_net/split_by_lang.py).

    Line feeds are removed, not replaced by spaces, and the probability is rounded to two decimals, half to even on the
    scaled value, before it is compared: 0.495 passes a threshold of 0.5. Where capitals are rare in what a model was
    trained on, it knows little of them: with "lid" a page in English capitals is Japanese, at 0.15. Nor does fastText
    part words at no-break spaces and other white space that is not ASCII. `normalize` helps with both.

    Labels and scores are those of the fastText library (`corpus.filters.fasttext_model`); any classifier of its format
    will do, so GlotLID and OpenLID too, whose labels are as `eng_Latn`.

    Score columns: `language`, the most probable label, also written into the document (null for an empty text),
    `language_score`, its probability (0 for an empty text), and with `top` also `languages`, as `en:0.93 fr:0.02`.
    Reasons: `language_uncertain` below the threshold, `language_unwanted` for a language that is not kept.

    Attributes:
        model: CCNet used "lid-bin"; "lid" is the same model quantised to a hundredth of the size.
        threshold: the least probability (CCNet: 0.5, cc_net/mine.py `lang_threshold`).
        keep: labels of the model; None keeps every language.
        normalize: first make letters small, and a space of each run of white space.
        top: how many labels `languages` has at most, best first; 0 = there is no such column.
        max_chars: look at no more than this many characters from the start; faster by as much as it leaves out.
            None = the whole text, as CCNet does.
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text",)
    keeps: ClassVar[float] = 0.45  # assumed: English in Common Crawl
    other_scores: ClassVar[tuple[str, ...]] = ("languages",)

    model: ModelFile = "lid"
    threshold: Annotated[float, AtLeast("language_score", "language_uncertain")] = Field(default=0.5, ge=0, le=1)
    keep: Annotated[tuple[str, ...] | None, OneOf("language", "language_unwanted")] = ("en",)
    normalize: bool = False
    top: int = Field(default=0, ge=0)
    max_chars: int | None = Field(default=None, gt=0)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Raises UserError when the model is missing or is not a fastText classifier."""
        texts = batch.column("text")
        if self.normalize:
            texts = pc.replace_substring_regex(pc.utf8_lower(texts), WHITE_SPACE, " ")
        else:
            texts = pc.replace_substring(texts, "\n", "")
        if self.max_chars is not None:
            texts = pc.utf8_slice_codeunits(texts, 0, self.max_chars)
        model = classifier(self.model)
        numbers, probabilities = model.best(texts, digits=2, count=max(1, self.top))
        empty = pc.equal(pc.binary_length(texts), 0)
        labels = np.array([*model.labels, None], np.object_)[numbers]  # number -1: none
        columns = {
            "language": pc.if_else(empty, None, pa.array(labels[:, 0], pa.string())),
            "language_score": pc.if_else(empty, 0.0, pa.array(probabilities[:, 0])),
        }
        if self.top:
            named = [
                " ".join(f"{label}:{probability:.2f}" for label, probability in zip(*row, strict=True) if label)
                for row in zip(labels, probabilities, strict=True)
            ]
            columns["languages"] = pc.if_else(empty, None, pa.array(named, pa.string()))
        return pa.RecordBatch.from_pydict(columns)
