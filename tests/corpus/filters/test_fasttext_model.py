"""Labels and rounded probabilities are the library's, whoever answers."""

import gzip
import mmap
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fasttext.FastText
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from corpus.errors import UserError
from corpus.filters.fasttext_model import Classifier, classifier
from tests.corpus.filters.fasttext_kinds import KINDS, LONG, WORDS, random_texts, texts


@pytest.fixture(scope="session")
def lid(shared_data: Path) -> str:
    return str(next(shared_data.glob("models-wordlists/**/lid.176.ftz")))


def column(values: list[Any]) -> pa.Array:
    return pa.array(values, pa.large_string())


def library_best(path: str, values: list[str], digits: int, count: int = 1) -> tuple[list[list[str]], Any]:
    """Labels and rounded probabilities, as the rules took them before there were kernels."""
    loaded = fasttext.FastText._FastText(model_path=path)
    answers = [loaded.f.predict(text + "\n", count, 0.0, "strict") for text in values]
    labels = [[label.removeprefix("__label__") for _, label in answer] for answer in answers]
    return labels, [np.round([probability for probability, _ in answer], digits).tolist() for answer in answers]


def own_best(model: Classifier, values: list[str], digits: int, count: int = 1) -> tuple[list[list[str]], Any]:
    numbers, probabilities = model.best(column(values), digits, count)
    labels = [[model.labels[number] for number in row if number >= 0] for row in numbers]
    given = [row[: len(some)].tolist() for row, some in zip(probabilities, labels, strict=True)]
    return labels, given


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_the_library(kind: str, fasttext_model: Callable[[str], str]) -> None:
    path = fasttext_model(kind)
    model = Classifier(path)
    assert model.reason == ""
    values = [*random_texts(3, 200), *WORDS[::4], *LONG[:1], "", "\n", "a\nb"]
    for digits, count in ((2, 1), (4, 1), (2, 3)):
        assert own_best(model, values, digits, count) == library_best(path, values, digits, count)
    labels, probabilities = library_best(path, values, 4, -1)
    for label in model.labels[:3]:
        expected = [dict(zip(*row, strict=True)).get(label, 0.0) for row in zip(labels, probabilities, strict=True)]
        assert model.probability(column(values), label, 4).tolist() == expected


@pytest.mark.parametrize("kind", ["softmax, 3-grams, subwords", "tree, pruned", "one against all"])
def test_equal_on_whatever_hypothesis_finds(kind: str, fasttext_model: Callable[[str], str]) -> None:
    path = fasttext_model(kind)
    model = classifier(path)

    @given(texts)
    @settings(max_examples=200)
    def check(text: str) -> None:
        assert own_best(model, [text], 2) == library_best_of(text)

    loaded = fasttext.FastText._FastText(model_path=path).f

    def library_best_of(text: str) -> tuple[list[list[str]], Any]:
        [(probability, label)] = loaded.predict(text + "\n", 1, 0.0, "strict")
        return [[label.removeprefix("__label__")]], [[np.round(probability, 2)]]

    check()


def real_texts(folder: Path) -> Iterator[str]:
    """Every file there is, as UTF-8 with U+FFFD for what is none, in pieces of growing length; 200 kB of a file."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".gz":
                try:
                    data = gzip.decompress(data)
                except (EOFError, OSError):  # cut, or no gzip after all
                    continue
            text = data[:200_000].decode("utf-8", errors="replace").replace("\n", " ")
            start, length = 0, 50
            while start < len(text):
                yield text[start : start + length]
                start, length = start + length, min(length + 50, 8000)


@pytest.mark.slow
def test_equal_on_all_real_text(lid: str, shared_data: Path) -> None:
    values = list(real_texts(shared_data))
    assert len(values) > 10_000
    model = Classifier(lid)
    assert own_best(model, values, 2) == library_best(lid, values, 2)
    assert 0 < model.asked < len(values) / 200


@pytest.mark.slow
def test_equal_on_random_strings(lid: str) -> None:
    values = random_texts(4, 100_000)
    model = Classifier(lid)
    assert own_best(model, values, 2) == library_best(lid, values, 2)
    assert 0 < model.asked < len(values) / 200


def test_where_the_library_answers_everything(fasttext_model: Callable[[str], str]) -> None:
    path = fasttext_model("tree, subwords")
    by_kernel, by_library = Classifier(path), Classifier(path)
    by_library.reason = "told so"
    values = column([*random_texts(5, 299), None])
    for ours, librarys in zip(by_kernel.best(values, 2, 3), by_library.best(values, 2, 3), strict=True):
        assert np.array_equal(ours, librarys)
    label = by_kernel.labels[1]
    assert np.array_equal(by_kernel.probability(values, label, 4), by_library.probability(values, label, 4))
    assert (by_library.texts, by_library.asked) == (600, 600)
    assert by_kernel.asked < 30


def test_other_roundings_are_seen(fasttext_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that multiplies and adds with one rounding has other last bits."""
    import corpus.filters.fasttext_model as module

    vectors_of = module.vectors_of

    def nudged(*arguments: Any) -> Any:
        vectors, rows = vectors_of(*arguments)
        return np.nextafter(vectors, np.float32(1)), rows

    monkeypatch.setattr(module, "vectors_of", nudged)
    assert Classifier(fasttext_model("tree, norms")).reason == "the library here adds up with other roundings"


def test_models_that_the_kernels_do_not_know(fasttext_model: Callable[[str], str], tmp_path: Path) -> None:
    data = bytearray(Path(fasttext_model("softmax, 3-grams, subwords")).read_bytes())
    struct.pack_into("<i", data, 8 + 10 * 4, 2000)  # maxn
    (tmp_path / "long").write_bytes(data)
    model = Classifier(str(tmp_path / "long"))
    assert model.reason == "its n-grams have up to 2000 characters"
    assert own_best(model, ["word1 word2"], 2) == library_best(str(tmp_path / "long"), ["word1 word2"], 2)
    struct.pack_into("<i", data, 8 + 6 * 4, 7)
    (tmp_path / "loss").write_bytes(data)
    with pytest.raises(UserError, match="not a fastText model"):
        Classifier(str(tmp_path / "loss"))


def test_damaged_models_are_user_errors(fasttext_model: Callable[[str], str], tmp_path: Path) -> None:
    data = bytearray(Path(fasttext_model("softmax")).read_bytes())
    struct.pack_into("<i", data, 8 + 10 * 4, 3)  # n-grams, without a bucket: the library would divide by zero
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(UserError, match="have no buckets"):
        Classifier(str(tmp_path / "model"))
    data = bytearray(Path(fasttext_model("softmax")).read_bytes())
    data[-20:] = struct.pack("<5f", *[float("nan")] * 5)  # the last label's weights
    (tmp_path / "nan").write_bytes(data)
    model = Classifier(str(tmp_path / "nan"))
    with pytest.raises(UserError, match="gives no probabilities"):
        model.best(column(["word1"]), 2)
    with pytest.raises(UserError, match="gives no probabilities"):
        model.probability(column(["word1"]), model.labels[0], 2)


def test_pruned_ngrams_that_lead_nowhere_are_a_user_error(fasttext_model: Callable[[str], str], tmp_path: Path) -> None:
    from corpus.filters.fasttext_format import read_layout

    path = fasttext_model("tree, pruned")
    layout = read_layout(path)
    assert layout.pruned > 0
    for place, value in ((0, layout.bucket), (4, layout.input.rows - layout.words), (4, -1)):
        data = bytearray(Path(path).read_bytes())
        struct.pack_into("<i", data, layout.kept + place, value)
        (tmp_path / "model").write_bytes(data)
        with pytest.raises(UserError, match="n-grams are damaged"):
            Classifier(str(tmp_path / "model"))


def test_threads_have_caches_of_their_own(lid: str) -> None:
    model = Classifier(lid)
    values = column(random_texts(6, 2000))
    expected = model.best(values, 2)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: model.best(values, 2), range(8)):
            assert np.array_equal(found[0], expected[0])
            assert np.array_equal(found[1], expected[1])


def test_a_full_model_stays_in_its_file(fasttext_model: Callable[[str], str]) -> None:
    held: Any = Classifier(fasttext_model("tree, subwords"))._input.matrix
    while isinstance(held, np.ndarray):
        held = held.base
    assert isinstance(held.obj if isinstance(held, memoryview) else held, mmap.mmap)


def test_a_model_is_loaded_once_and_again_when_it_changes(fasttext_model: Callable[[str], str], tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(Path(fasttext_model("softmax")).read_bytes())
    first = classifier(str(path))
    assert classifier(str(path)) is first
    path.unlink()
    path.write_bytes(Path(fasttext_model("tree")).read_bytes())
    assert classifier(str(path)) is not first
