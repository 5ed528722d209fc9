"""The language models that `perplexity` scores with: loaded once a process, with the libraries' perplexities.

Our kernels (`unigram_pieces`, `kenlm_probing`) answer for models of the kinds that CCNet published, with the very
numbers of SentencePiece and KenLM. For others the libraries answer (`LanguageModel.reason`).
"""

import re
import struct
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus import models, protobuf
from corpus.errors import UserError
from corpus.filters.kenlm_probing import log_probabilities, read_probing, word_numbers
from corpus.filters.unigram_model import SPACE, Unigram, read_unigram
from corpus.filters.unigram_pieces import Cache, Pieces, cut_texts, new_cache
from corpus.text.buffers import text_buffers
from corpus.text.ccnet import normalize_for_lm

_NORMALIZER = 3  # the last field that SentencePiece always writes (src/sentencepiece_model.proto, ModelProto)
_KENLM_PLACE = re.compile(r".* threw \w+(?: because `.*')?\. |Cannot read model '.*?' \(")
_ROWS = 64
"""Documents that the libraries are given at once: enough to amortise the call, few enough to bound their pieces."""


@lru_cache(maxsize=32)
def language_model(lm: str, sentencepiece: str) -> "LanguageModel":
    """The model of two names or paths that `corpus.models.locate` knows; loaded once.

    Raises:
        UserError: a file is missing or not whole, or is one for KenLM, which is not installed.
    """
    return LanguageModel(lm, sentencepiece)


class LanguageModel:
    """A SentencePiece model, and a KenLM model over its pieces. Several threads may ask at once: each has a cache of
    words of its own.

    Attributes:
        reason: why the libraries answer, or "".

    Raises:
        UserError: as `language_model`.
    """

    def __init__(self, lm: str, sentencepiece: str) -> None:
        sentencepiece = models.locate(sentencepiece)
        self._encoder = _load_sentencepiece(sentencepiece)
        lm = models.locate(lm)
        self._own = threading.local()
        self.reason = ""
        probing = read_probing(lm)
        if isinstance(probing, str):
            self.reason = f"{lm}: {probing}"
        unigram = _unigram(sentencepiece)
        if isinstance(unigram, Unigram) and not self._equals_library(unigram):
            unigram = "the library gives other pieces"
        if isinstance(unigram, str):
            self.reason = f"{sentencepiece}: {unigram}"
        if isinstance(probing, str) or isinstance(unigram, str):
            self._kenlm = _load_kenlm(lm)
        else:
            del self._encoder
            self._probing, self._unigram = probing, unigram
            self._words = word_numbers(unigram.names, unigram.ends, probing)

    def perplexities(self, texts: pa.Array) -> Iterator[float]:
        """Of each text of a string array, rounded to one decimal; NaN where nothing is left to score."""
        for score, pieces in self._by_libraries(texts) if self.reason else self._by_kernels(texts):
            yield round(10.0 ** (-score / (pieces + 1)), 1) if pieces else np.nan

    def _by_kernels(self, texts: pa.Array) -> Iterator[tuple[float, int]]:
        """Of each text its log10 probability, and the number of its pieces."""
        pieces = self._cut(normalize_for_lm(texts), self._unigram)
        # Unknown characters are words of the language model all the same; they have the numbers -1, -2 ...
        unknown = word_numbers(pieces.unknown, pieces.unknown_offsets, self._probing)
        words = np.concatenate([self._words, unknown[::-1]])[pieces.numbers]
        scores = log_probabilities(words, pieces.offsets, self._probing)
        return zip(scores.tolist(), np.diff(pieces.offsets).tolist(), strict=True)

    def _by_libraries(self, texts: pa.Array) -> Iterator[tuple[float, int]]:
        for start in range(0, len(texts), _ROWS):
            some = normalize_for_lm(texts[start : start + _ROWS]).to_pylist()
            for pieces in self._encoder.encode(some, out_type=str, num_threads=1):
                line = " ".join(pieces)
                # counted as CCNet counts, which differs from len(pieces) where a piece holds a space of its own
                yield self._kenlm.score(line), len(line.split())

    def _cut(self, texts: pa.Array, unigram: Unigram) -> Pieces:
        cache: Cache | None = getattr(self._own, "cache", None)
        if cache is None:
            cache = self._own.cache = new_cache()
        return cut_texts(*text_buffers(texts), unigram, cache)

    def _equals_library(self, unigram: Unigram) -> bool:
        """Whether our pieces are the library's, on its own pieces side by side, and run into each other. There are so
        many that it begins to add up again from 0."""
        names = [self._encoder.id_to_piece(number).replace(SPACE, "") for number in range(len(unigram.scores) - 1)]
        texts = normalize_for_lm(pa.array([" ".join(names), "".join(names[::5])], pa.large_string()))
        found = self._cut(texts, unigram)
        expected = self._encoder.encode(texts.to_pylist(), out_type=int, num_threads=1)
        rows = np.split(np.where(found.numbers < 0, self._encoder.unk_id(), found.numbers), found.offsets[1:-1])
        return [row.tolist() for row in rows] == expected


def _unigram(path: str) -> Unigram | str:
    try:
        return read_unigram(Path(path).read_bytes())
    except (ValueError, KeyError, IndexError, struct.error) as error:
        return f"it cannot be read here ({error})"


def _load_kenlm(path: str) -> Any:
    try:
        import kenlm
    except ImportError:
        raise UserError(
            f"the rule perplexity needs KenLM for {path}: pip install '.[perplexity]' in the project's folder"
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
