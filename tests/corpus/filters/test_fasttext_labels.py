"""Probabilities: the library's lie within the bounds, and what is said to be sure is what it says."""

from collections.abc import Callable

import fasttext.FastText
import numpy as np
import pyarrow as pa
import pytest

from corpus.filters.fasttext_labels import best_labels, label_probabilities
from corpus.filters.fasttext_tables import read_tables, tree
from corpus.filters.fasttext_vectors import new_cache, vectors_of
from corpus.text.buffers import text_buffers
from tests.corpus.filters.fasttext_kinds import KINDS, WORDS, random_texts


@pytest.mark.parametrize("kind", KINDS)
def test_within_bounds(kind: str, fasttext_model: Callable[[str], str]) -> None:
    path = fasttext_model(kind)
    tables = read_tables(path)
    assert not isinstance(tables, str)
    model, output = tables
    values = [*random_texts(2, 150), *WORDS[::4]]
    vectors, rows = vectors_of(*text_buffers(pa.array(values, pa.large_string())), model, new_cache())
    loaded = fasttext.FastText._FastText(model_path=path)
    names = loaded.get_labels()
    bounds = []
    for count in (1, 3, len(names)):
        shape = len(values), count
        labels, p, errors = np.full(shape, -1, np.int32), np.zeros(shape), np.zeros(shape)
        sure = np.zeros(len(values), np.bool_)
        best_labels(vectors, output, labels, p, errors, sure)
        for n, text in enumerate(values):
            answers = loaded.f.predict(text + "\n", count, 0.0, "strict")
            if rows[n] == 0:
                assert answers == []
                continue
            if sure[n]:
                assert [names[label] for label in labels[n]] == [label for _, label in answers]
            given = {label: probability for probability, label in answers}
            for label, own, error in zip(labels[n], p[n], errors[n], strict=True):
                if names[label] in given:
                    assert abs(own - given[names[label]]) <= error
                elif count == len(names):  # left out below 0.00001
                    assert own <= 2e-5
        bounds.append((np.median(errors[:, 0]), sure.mean()))
    if not kind.startswith(("negative", "one")):  # which have tables of sigmoids, of ties and steps
        assert max(bound for bound, _ in bounds) < 2e-5
        assert bounds[0][1] > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_one_label_and_all_of_them_agree(kind: str, fasttext_model: Callable[[str], str]) -> None:
    tables = read_tables(fasttext_model(kind))
    assert not isinstance(tables, str)
    model, output = tables
    vectors, _ = vectors_of(*text_buffers(pa.array(WORDS, pa.large_string())), model, new_cache())
    shape = len(WORDS), output.labels
    labels, p, errors = np.zeros(shape, np.int32), np.zeros(shape), np.zeros(shape)
    best_labels(vectors, output, labels, p, errors, np.zeros(len(WORDS), np.bool_))
    one, bound = np.zeros(len(WORDS)), np.zeros(len(WORDS))
    for label in range(min(5, output.labels)):
        label_probabilities(vectors, output, label, one, bound)
        assert np.array_equal(p[labels == label], one)
        assert np.array_equal(errors[labels == label], bound)


def test_the_tree_is_huffmans() -> None:
    """Of labels that came 8, 4, 2, 1 and 1 times: the rarest are joined first, each pair of the lesser before."""
    left, right, depth = tree([8, 4, 2, 1, 1])
    assert left.tolist() == [4, 5, 6, 7]
    assert right.tolist() == [3, 2, 1, 0]
    assert depth == 4
    assert tree([7])[2] == 0


def test_what_is_no_number_is_never_sure(fasttext_model: Callable[[str], str]) -> None:
    for kind in ("softmax", "tree", "one against all"):
        tables = read_tables(fasttext_model(kind))
        assert not isinstance(tables, str)
        _, output = tables
        vectors = np.full((1, tables[0].dim), np.nan, np.float32)
        sure, error = np.ones(1, np.bool_), np.zeros(1)
        best_labels(vectors, output, np.zeros((1, 1), np.int32), np.zeros((1, 1)), np.zeros((1, 1)), sure)
        label_probabilities(vectors, output, 0, np.zeros(1), error)
        assert not sure[0]
        assert error[0] == np.inf


def test_ties_are_not_sure() -> None:
    """Two labels of equal weights."""
    from corpus.filters.fasttext_labels import Output

    nothing = np.empty(0, np.int32)
    for loss in (2, 3, 4):
        output = Output(np.ones((3, 2)), 2, nothing, nothing, 0, np.linspace(0, 1, 513), loss)
        sure = np.ones(1, np.bool_)
        vectors = np.ones((1, 3), np.float32)
        best_labels(vectors, output, np.zeros((1, 1), np.int32), np.zeros((1, 1)), np.zeros((1, 1)), sure)
        assert not sure[0]
