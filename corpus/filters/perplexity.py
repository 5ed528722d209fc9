"""Perplexity under a language model of good prose, in CCNet's buckets."""

from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus.filters.perplexity_model import language_model
from corpus.rules import Filter
from corpus.settings import ModelFile, Settings
from corpus.thresholds import Decides, first_reason

CUTOFFS: dict[str, tuple[float, float]] = {
    "bg": (450, 680),
    "ca": (210, 330),
    "cs": (820, 1140),
    "da": (380, 600),
    "de": (370, 590),
    "en": (340, 520),
    "es": (180, 290),
    "fr": (180, 330),
    "hr": (720, 910),
    "hu": (80, 140),
    "it": (220, 360),
    "nl": (430, 650),
    "pl": (160, 260),
    "pt": (170, 270),
    "ro": (180, 270),
    "ru": (210, 310),
    "uk": (140, 220),
}
"""Perplexity below which a document is head, and middle: 30th and 60th percentile of cc_net/data/cutoff.csv, for the
languages of LLaMA-1's Wikipedia. CCNet has none for sl, sr and sv."""


class LanguageModel(Settings):
    """Files of one language. CCNet's are dl.fbaipublicfiles.com/cc_net/lm/LANGUAGE.arpa.bin and LANGUAGE.sp.model.

    Attributes:
        lm: KenLM model (ARPA or binary) over the pieces of `sentencepiece`; fastest as `build_binary` writes it.
        sentencepiece: SentencePiece model.
    """

    lm: ModelFile
    sentencepiece: ModelFile


class Perplexity(Filter):
    """Perplexity of the whole document as one sentence, as CCNet computes it (cc_net/perplexity.py).

    The text is normalised (`corpus.text.ccnet`), cut into SentencePiece pieces and scored by KenLM with begin and end
    of sentence: 10 ** (-log10 probability / (pieces + 1)), rounded to one decimal. Buckets: head below the first
    cut-off of the document's language, middle below the second, else tail; "all" where the language has no model or no
    cut-off, or no piece is left.

    Perplexities are those of the libraries (`corpus.filters.perplexity_model`). KenLM itself, the extra `perplexity`,
    is needed for models of other kinds than CCNet's alone: SentencePiece's unigram model with its usual normaliser, and
    KenLM's binary of hash tables, which stays in its file and is shared by the workers.

    Score columns: `perplexity` (null where there is none) and `perplexity_language`, the document's language ("" if
    unknown). Reasons: `perplexity_head`, `perplexity_middle`, `perplexity_tail`, `perplexity_all`, after the bucket.

    Attributes:
        models: by language, as `Language` names them.
        cutoffs: by language, (head, middle).
        keep: buckets to keep. LLaMA-1 does not say which; head and middle are RedPajama-v1's.
    """

    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("text", "language")
    keeps: ClassVar[float] = 0.6  # head and middle: the cut-offs are the 30th and 60th percentile
    reasons: ClassVar[tuple[str, ...]] = ("perplexity_head", "perplexity_middle", "perplexity_tail", "perplexity_all")
    other_scores: ClassVar[tuple[str, ...]] = ("perplexity_language",)

    models: dict[str, LanguageModel] = Field(min_length=1)
    cutoffs: Annotated[dict[str, tuple[float, float]], Decides("perplexity")] = CUTOFFS
    keep: Annotated[tuple[Literal["head", "middle", "tail", "all"], ...], Decides("perplexity")] = ("head", "middle")

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Raises UserError when a model is missing or damaged, or needs KenLM, which is not installed."""
        languages = batch.column("language").fill_null("")
        perplexity = np.full(batch.num_rows, np.nan)
        for language in sorted(self.models):
            rows = np.flatnonzero(pc.equal(languages, language))
            if len(rows):
                files = self.models[language]
                model = language_model(files.lm, files.sentencepiece)
                perplexity[rows] = list(model.perplexities(batch.column("text").take(pa.array(rows))))
        return pa.RecordBatch.from_pydict(
            {
                "perplexity": pa.array(perplexity, pa.float64(), from_pandas=True),
                "perplexity_language": languages.cast(pa.string()),
            }
        )

    def decide(self, scores: pa.RecordBatch) -> pa.Array:
        bucket = self.buckets(scores)
        unwanted = pc.invert(pc.is_in(bucket, value_set=pa.array(self.keep, pa.string())))
        return pc.if_else(unwanted, pc.binary_join_element_wise("perplexity", bucket, "_"), None)

    def buckets(self, scores: pa.RecordBatch) -> pa.Array:
        """String array: the bucket of each document."""
        perplexity = scores.column("perplexity")
        head, middle = self._cutoffs(scores.column("perplexity_language"))
        buckets = {
            "all": pc.or_(pc.is_null(perplexity), pa.array(np.isnan(head))),
            "head": pc.less(perplexity, pa.array(head)),
            "middle": pc.less(perplexity, pa.array(middle)),
            "tail": pc.is_valid(perplexity),
        }
        return first_reason(len(perplexity), buckets.items())

    def _cutoffs(self, languages: pa.Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Both cut-offs of each row, NaN where its language has none."""
        none = (np.nan, np.nan)
        pairs = [self.cutoffs.get(language, none) for language in languages.to_pylist()]
        columns = np.array(pairs, np.float64).reshape(-1, 2)
        return columns[:, 0], columns[:, 1]
