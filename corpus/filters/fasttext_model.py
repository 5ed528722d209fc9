"""fastText classifiers: loaded once a process, asked for labels, with the library's answers.

Our kernels (`fasttext_vectors`, `fasttext_labels`) answer where their bounds say that the library would give the same
labels and the same rounded probabilities; the library is asked about the few texts where they do not. It answers
everything for a model that the kernels do not know, and where its sums are not theirs (`Classifier.reason`).
"""

import os
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus import models
from corpus.errors import UserError
from corpus.filters.fasttext_labels import best_labels, label_probabilities
from corpus.filters.fasttext_tables import read_tables
from corpus.filters.fasttext_vectors import Cache, new_cache, vectors_of
from corpus.text.buffers import Bytes, Offsets, text_buffers

LABEL = "__label__"
"""What fastText puts before every label."""

_PROBE_WORDS, _PROBE_BYTES = 300, 100
"""How many words of a model, and of how many bytes at most, are added up to see whether the library's sums are ours."""


def classifier(model: str) -> "Classifier":
    """The classifier of a name or a path that `corpus.models.locate` knows; loaded once while its file stays the same.

    Raises:
        UserError: the model is missing, is cut short, or is not a fastText classifier.
    """
    path = models.locate(model)
    status = os.stat(path)
    return _load(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _load(path: str, size: int, changed: int) -> "Classifier":
    return Classifier(path)


class Classifier:
    """A fastText classifier. Several threads may ask at once: each has a cache of words of its own.

    Texts have no line feeds: fastText reads no further. Words are parted by ASCII white space and NUL, and "</s>" ends
    a text as well. Probabilities are fastText's, 0.00001 too large, so they may exceed 1. A text without any word still
    gets labels, but for a model that has no "</s>".

    Attributes:
        labels: all of them, without "__label__", the most frequent in training first.
        reason: why the library answers everything, or "".
        texts, asked: how many texts were classified so far, and about how many of them the library was asked.

    Raises:
        UserError: the file is no whole classifier.
    """

    def __init__(self, path: str) -> None:
        from fasttext.FastText import _FastText  # load_model() of the package prints a warning

        tables = read_tables(path)
        try:
            self._library: Any = _FastText(model_path=path).f
        except (ValueError, RuntimeError) as error:
            raise UserError(f"{path} is not a fastText model: {error}") from None
        self._path = path
        self.labels = [label.removeprefix(LABEL) for label in self._library.getLabels("strict")[0]]
        self._numbers = {label: number for number, label in enumerate(self.labels)}
        self._own = threading.local()
        self.texts = self.asked = 0
        self.reason = tables if isinstance(tables, str) else ""
        if not isinstance(tables, str):
            self._input, self._output = tables
            self.reason = self._difference()

    def best(
        self, texts: pa.Array, digits: int, count: int = 1
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """The most probable labels of each text, best first.

        Args:
            texts: string or large_string.
            digits: that probabilities are rounded to, half to even on the scaled value, as NumPy does.

        Returns:
            numbers of labels, -1 for none, and probabilities, both of shape (texts, count).
        """
        labels = np.full((len(texts), count), -1, np.int32)
        probabilities = np.zeros((len(texts), count))
        unsure = np.ones(len(texts), np.bool_)
        if not self.reason:
            errors, sure = np.zeros((len(texts), count)), np.zeros(len(texts), np.bool_)
            vectors, rows = self._vectors(*text_buffers(texts))
            best_labels(vectors, self._output, labels, probabilities, errors, sure)
            labels[rows == 0], probabilities[rows == 0], errors[rows == 0] = -1, 0, 0
            unsure = ~((rows == 0) | sure & _certain(probabilities, errors, digits).all(1))
        for row, answer in zip(np.flatnonzero(unsure), self._ask(texts.filter(pa.array(unsure)), count), strict=True):
            labels[row], probabilities[row] = -1, 0
            for rank, (label, probability) in enumerate(answer):
                labels[row, rank], probabilities[row, rank] = self._numbers[label], probability
        self._count(unsure)
        return labels, probabilities.round(digits)

    def probability(self, texts: pa.Array, label: str, digits: int) -> npt.NDArray[np.float64]:
        """The probability of one label for each text, rounded as `best` does, to at most four digits: a tree of labels
        gives none below 0.00001."""
        probabilities, unsure = np.zeros(len(texts)), np.ones(len(texts), np.bool_)
        if not self.reason:
            errors = np.zeros(len(texts))
            vectors, rows = self._vectors(*text_buffers(texts))
            label_probabilities(vectors, self._output, self._numbers[label], probabilities, errors)
            probabilities[rows == 0], errors[rows == 0] = 0, 0
            unsure = ~_certain(probabilities, errors, digits)
        answers = self._ask(texts.filter(pa.array(unsure)), -1)
        probabilities[unsure] = [dict(answer).get(label, 0.0) for answer in answers]
        self._count(unsure)
        return probabilities.round(digits)

    def _vectors(self, data: Bytes, offsets: Offsets) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        cache: Cache | None = getattr(self._own, "cache", None)
        if cache is None:
            cache = self._own.cache = new_cache()
        return vectors_of(data, offsets, self._input, cache)

    def _ask(self, texts: pa.Array, count: int) -> Iterator[list[tuple[str, float]]]:
        """The library's answers."""
        for text in texts.to_pylist():
            # `predict` of the Python class checks for newlines and builds numpy arrays; this is what it calls.
            try:
                found = self._library.predict(f"{text or ''}\n", count, 0.0, "strict")
            except RuntimeError as error:  # a number of the model is NaN
                raise UserError(f"{self._path} gives no probabilities ({error}): train it again") from None
            yield [(label.removeprefix(LABEL), probability) for probability, label in found]

    def _count(self, unsure: npt.NDArray[np.bool_]) -> None:
        self.texts += len(unsure)
        self.asked += int(unsure.sum())

    def _difference(self) -> str:
        """Why the kernels are not equal to the library on words of the model itself, or "".

        They are where the library multiplies and adds in two steps, as the wheel for x86-64 does. Built for another
        processor it may do both in one, with one rounding, where rows have norms of their own.
        """
        import fasttext_pybind

        words = [
            self._input.dictionary[place : place + _PROBE_BYTES]
            .tobytes()
            .partition(b"\0")[0]
            .decode("utf-8", "replace")
            for place in self._input.places[: min(_PROBE_WORDS, self._input.words)]
        ]
        for text in (" ".join(words), "".join(words)):
            expected = fasttext_pybind.Vector(self._input.dim)
            self._library.getSentenceVector(expected, text + "\n")
            found, _ = self._vectors(*text_buffers(pa.array([text], pa.large_string())))
            if not np.array_equal(np.array(expected), found[0], equal_nan=True):
                return "the library here adds up with other roundings"
        return ""


def _certain(
    probabilities: npt.NDArray[np.float64], errors: npt.NDArray[np.float64], digits: int
) -> npt.NDArray[np.bool_]:
    """Whether all that lies within the errors is rounded to the same."""
    low, high = probabilities - errors, probabilities + errors
    return np.asarray(np.isfinite(errors) & (low.round(digits) == high.round(digits)))
