"""fastText models: loaded once a process, asked for labels."""

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from corpus import models
from corpus.errors import UserError
from corpus.filters.fasttext_format import check_classifier

LABEL = "__label__"
"""What fastText puts before every label."""


def predictions(model: str, lines: Iterable[str], labels: int = 1) -> Iterator[list[tuple[str, float]]]:
    """The most probable labels of each line, best first, without "__label__".

    Probabilities are fastText's float32, which may exceed 1 by rounding. A line without any word still gets a label.

    Args:
        model: a name or a path that `corpus.models.locate` knows.
        lines: texts without "\\n"; fastText splits words at ASCII whitespace and NUL.
        labels: how many, at most; -1 = all.

    Raises:
        UserError: the model is missing, is cut short, or is not a fastText classifier.
    """
    loaded = _load_current(model)
    for line in lines:
        # `predict` of the Python class checks for newlines and builds numpy arrays; this is what it calls.
        yield [
            (label.removeprefix(LABEL), probability)
            for probability, label in loaded.f.predict(line + "\n", labels, 0.0, "strict")
        ]


def label_names(model: str) -> list[str]:
    """All labels of a classifier, without "__label__", the most frequent in training first."""
    return [label.removeprefix(LABEL) for label in _load_current(model).f.getLabels("strict")[0]]


def _load_current(model: str) -> Any:
    path = models.locate(model)
    status = os.stat(path)
    return _load(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _load(path: str, size: int, changed: int) -> Any:
    from fasttext.FastText import _FastText  # load_model() of the package prints a warning

    check_classifier(path)
    try:
        return _FastText(model_path=path)
    except ValueError as error:
        raise UserError(f"{path} is not a fastText model: {error}") from None
