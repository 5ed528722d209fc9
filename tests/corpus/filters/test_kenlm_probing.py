"""Scores from KenLM's files: the kernel's, those of plain Python and the library's are the same numbers."""

import mmap
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import UserError
from corpus.filters.kenlm_probing import HEADER, Probing, log_probabilities, read_probing, word_numbers
from tests.corpus.filters.language_models import kenlm_model, log_probability, murmur, random_ngrams, write_probing

WORDS = [*"abcdefg", "seventy", "eighteen", "häßlich", "字" * 20, "\u2581the", "<UNK>"]


def numbers_of(words: list[str], model: Probing) -> Any:
    encoded = [word.encode() for word in words]
    text = np.frombuffer(b"".join(encoded), np.uint8)
    return word_numbers(text, np.cumsum([0, *map(len, encoded)]), model)


def scores(path: str, sentences: list[list[str]]) -> list[float]:
    model = read_probing(path)
    assert isinstance(model, Probing)
    numbers = numbers_of([word for sentence in sentences for word in sentence], model)
    return log_probabilities(numbers, np.cumsum([0, *map(len, sentences)]), model).tolist()


def sentences(seed: int, count: int) -> list[list[str]]:
    chance = random.Random(seed)
    words = [*WORDS[:-1], "unknown", "x" * 8]
    return [[chance.choice(words) for _ in range(chance.choice((0, 1, 2, 5, 30)))] for _ in range(count)]


def library_scores(path: str, sentences: list[list[str]]) -> list[float]:
    model = kenlm_model(path)
    return [model.score(" ".join(sentence)) for sentence in sentences]


@given(st.binary(max_size=40))
def test_words_are_found_by_their_hash(word: bytes) -> None:
    """Against the other implementation, through a table of one word."""
    data = np.zeros(24, np.uint8)
    slot = murmur(word) % 2
    struct.pack_into("<QI", data.data, 12 * slot, murmur(word), 7)
    model = Probing(data, 0, 2, 0, np.zeros((1, 5), np.int64), 0, 0)
    data.flags.writeable = False
    assert word_numbers(np.frombuffer(word, np.uint8), np.array([0, len(word)]), model).tolist() == [7]


@pytest.mark.parametrize("order", range(2, 7))
def test_equal_to_plain_python(order: int, tmp_path: Path) -> None:
    for seed in range(5):
        ngrams = random_ngrams(WORDS[:-1], order, seed)
        path = write_probing(tmp_path / f"{seed}", ngrams)
        given = sentences(seed, 50)
        assert scores(path, given) == [log_probability(ngrams, sentence) for sentence in given]


@pytest.mark.parametrize("order", range(2, 7))
def test_equal_to_the_library(order: int, tmp_path: Path) -> None:
    for seed in range(5):
        ngrams = random_ngrams(WORDS[:-1], order, seed)
        path = write_probing(
            tmp_path / f"{seed}", ngrams, factor=(1.5, 1.0, 1.01, 2.0, 7.3)[seed], with_words=seed != 3
        )
        given = sentences(seed, 200)
        assert scores(path, given) == library_scores(path, given)


def test_signs_mean_something(tmp_path: Path) -> None:
    """Whatever the signs of the numbers, the library and the kernel stop at the same places."""
    chance = random.Random(0)
    path = tmp_path / "model"
    for seed in range(10):
        write_probing(path, random_ngrams("abc", 4, seed))
        model = read_probing(str(path))
        assert isinstance(model, Probing)
        data = bytearray(path.read_bytes())
        for at in range(model.unigrams, int(model.tables[0, 0]), 4):
            if chance.random() < 0.3:
                data[at : at + 4] = struct.pack("<f", chance.choice((0.0, -0.0, 0.5, -0.5)))
        for first, _, _, step, stop in model.tables.tolist():
            for at in range(first + 8, stop, step):
                if chance.random() < 0.3:
                    data[at + step - 12 : at + step - 8] = struct.pack("<f", chance.choice((0.0, -0.0, 0.5, -0.5)))
        path.write_bytes(data)
        given = sentences(seed, 100)
        assert scores(str(path), given) == library_scores(str(path), given)


def test_a_table_without_entries(tmp_path: Path) -> None:
    ngrams = {("<unk>",): (-3.0, 0.0), ("<s>",): (0.0, -0.25), ("</s>",): (-1.0, 0.0)}
    path = write_probing(tmp_path / "model", ngrams, order=3)
    given = [["a", "b"], []]
    assert scores(path, given) == [-7.25, -1.25] == library_scores(path, given)


def test_a_model_stays_in_its_file(tmp_path: Path) -> None:
    model = read_probing(write_probing(tmp_path / "model", random_ngrams("abc", 3, 0)))
    assert isinstance(model, Probing)
    held: Any = model.data
    while isinstance(held, np.ndarray):
        held = held.base
    assert isinstance(held.obj if isinstance(held, memoryview) else held, mmap.mmap)


def test_a_cut_model_is_a_user_error(tmp_path: Path) -> None:
    path = tmp_path / "model"
    write_probing(path, random_ngrams("abc", 3, 0))
    data = path.read_bytes()
    words = data.index(b"<unk>\0")
    for size in (*range(HEADER.size, words, 37), words, words + 5):
        path.write_bytes(data[:size])
        with pytest.raises(UserError, match=rf"^{path} is not a whole KenLM model \(it ends at byte [0-9,]+ and .*\):"):
            read_probing(str(path))
    for size in (0, HEADER.size - 1):
        path.write_bytes(data[:size])
        assert read_probing(str(path)) == "it is no binary model of KenLM"


def test_a_damaged_model_is_a_user_error(tmp_path: Path) -> None:
    """Nothing that it says leads out of the file, or to a search without an end."""
    path = tmp_path / "model"
    write_probing(path, random_ngrams("abc", 3, 0))
    data = path.read_bytes()
    model = read_probing(str(path))
    assert isinstance(model, Probing)
    known = next(at for at in range(model.vocabulary, model.unigrams, 12) if any(data[at : at + 8]))
    damaged = bytearray(data)
    struct.pack_into("<I", damaged, known + 8, 1000)
    path.write_bytes(damaged)
    with pytest.raises(UserError, match="its words are damaged"):
        read_probing(str(path))
    damaged = bytearray(data)
    damaged[data.index(b"<unk>\0")] = 0
    path.write_bytes(damaged)
    with pytest.raises(UserError, match="its words are damaged"):
        read_probing(str(path))
    for first, stop in ((model.vocabulary, model.unigrams), model.tables[0, [0, 4]], model.tables[1, [0, 4]]):
        damaged = bytearray(data)
        step = 12 if stop == model.unigrams or stop == model.tables[1, 4] else 16
        for at in range(first, stop, step):
            struct.pack_into("<Q", damaged, at, 1)
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="a table is damaged"):
            read_probing(str(path))


def test_other_kinds_are_left_to_the_library(tmp_path: Path) -> None:
    path = tmp_path / "model"
    write_probing(path, random_ngrams("abc", 3, 0))
    data = path.read_bytes()
    at = HEADER.size - 20
    for place, form, value in ((0, "<B", 1), (0, "<B", 7), (4, "<f", 0.5), (8, "<I", 2), (8, "<I", 5), (16, "<I", 1)):
        other = bytearray(data)
        struct.pack_into(form, other, at + place, value)
        path.write_bytes(other)
        assert read_probing(str(path)) == "it is a model of KenLM of another kind"
    path.write_bytes(data[:48] + b"4" + data[49:])
    assert read_probing(str(path)) == "it is no binary model of KenLM"
    path.write_text("\\data\\\nngram 1=3\n" * 20)
    assert read_probing(str(path)) == "it is no binary model of KenLM"
