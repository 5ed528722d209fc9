"""Perplexity under a language model of good prose, in CCNet's buckets."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpus import models, protobuf
from corpus.errors import UserError
from corpus.rules import Filter
from corpus.settings import ModelFile, Settings
from corpus.text.ccnet import normalize_for_lm
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

_NORMALIZER = 3  # the last field that SentencePiece always writes (src/sentencepiece_model.proto, ModelProto)
_KENLM_PLACE = re.compile(r".* threw \w+(?: because `.*')?\. |Cannot read model '.*?' \(")
_ENCODE_ROWS = 64  # documents encoded at once: enough to amortise the call, few enough to bound the pieces in memory


class LanguageModel(Settings):
    """Files of one language. CCNet's are dl.fbaipublicfiles.com/cc_net/lm/LANGUAGE.arpa.bin and LANGUAGE.sp.model.

    Attributes:
        lm: KenLM model (ARPA or binary) over the pieces of `sentencepiece`.
        sentencepiece: SentencePiece model.
    """

    lm: ModelFile
    sentencepiece: ModelFile


class Perplexity(Filter):
    """Perplexity of the whole document as one sentence, as CCNet computes it (cc_net/perplexity.py).

    The text is normalised (`corpus.text.ccnet`), cut into SentencePiece pieces and scored by KenLM with begin and end
    of sentence: 10 ** (-log10 probability / (pieces + 1)), rounded to one decimal. Buckets: head below the first
    cut-off of the document's language, middle below the second, else tail; "all" where the language has no model or no
    cut-off, or no piece is left. Needs the extra `perplexity`.

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
        """Raises UserError when KenLM is not installed, or a model is missing or damaged."""
        languages = batch.column("language").fill_null("")
        perplexity = np.full(batch.num_rows, np.nan)
        for language in sorted(self.models):
            rows = np.flatnonzero(pc.equal(languages, language))
            if len(rows):
                texts = batch.column("text").take(pa.array(rows))
                perplexity[rows] = list(_perplexities(self.models[language], texts))
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


def _perplexities(model: LanguageModel, texts: pa.Array) -> Iterator[float]:
    """Of each text; NaN where nothing is left to score."""
    encoder = _load_sentencepiece(models.locate(model.sentencepiece))
    lm = _load_lm(models.locate(model.lm))
    for start in range(0, len(texts), _ENCODE_ROWS):
        normalized = normalize_for_lm(texts[start : start + _ENCODE_ROWS]).to_pylist()
        for pieces in encoder.encode(normalized, out_type=str, num_threads=1):
            line = " ".join(pieces)
            # counted as CCNet counts, which differs from len(pieces) where a piece holds a space of its own
            length = len(line.split()) + 1
            yield round(10.0 ** (-lm.score(line) / length), 1) if line else np.nan


@lru_cache(maxsize=32)
def _load_lm(path: str) -> Any:
    try:
        import kenlm
    except ImportError:
        raise UserError(
            "the rule perplexity needs KenLM: pip install '.[perplexity]' in the project's folder"
        ) from None
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        return kenlm.Model(path, config)
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a whole KenLM model ({_reason(error)}): fetch or build it again") from None


def _reason(error: Exception) -> str:
    """KenLM's error without the place in its source."""
    if isinstance(error, UnicodeDecodeError):  # of the error itself, which quotes the file
        return "a word in it is not UTF-8"
    return _KENLM_PLACE.sub("", str(error).splitlines()[0]).rstrip(")")


@lru_cache(maxsize=32)
def _load_sentencepiece(path: str) -> Any:
    import sentencepiece

    try:
        data = Path(path).read_bytes()
        # Cut between two pieces the file is a message all the same, and SentencePiece takes it for a smaller model.
        if _NORMALIZER not in {number for number, _ in protobuf.fields(data)}:
            raise ValueError("it ends before the normaliser")
        return sentencepiece.SentencePieceProcessor(model_proto=data)
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{path} is not a whole SentencePiece model ({error}): fetch or train it again") from None
