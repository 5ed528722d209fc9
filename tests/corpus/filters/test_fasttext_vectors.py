"""Vectors of texts: the kernel, plain Python and the library give the same bits."""

import re
from collections.abc import Callable

import fasttext.FastText
import fasttext_pybind
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings

from corpus.filters.fasttext_tables import read_tables
from corpus.filters.fasttext_vectors import Cache, Input, new_cache, vectors_of
from corpus.text.buffers import text_buffers
from tests.corpus.filters.fasttext_kinds import KINDS, LONG, WORDS, random_texts, texts

Vectors = npt.NDArray[np.float32]


def input_of(path: str) -> Input:
    tables = read_tables(path)
    assert not isinstance(tables, str)
    return tables[0]


def kernel(model: Input, values: list[str], cache: Cache | None = None) -> tuple[Vectors, list[int]]:
    vectors, rows = vectors_of(*text_buffers(pa.array(values, pa.large_string())), model, cache or new_cache())
    return vectors, rows.tolist()


def library(path: str, values: list[str]) -> Vectors:
    loaded = fasttext.FastText._FastText(model_path=path)
    found = []
    for text in values:
        vector = fasttext_pybind.Vector(loaded.get_dimension())
        loaded.f.getSentenceVector(vector, text + "\n")
        found.append(np.array(vector))
    return np.array(found, np.float32).reshape(len(values), -1)


def same_bits(a: Vectors, b: Vectors) -> bool:
    return bool(np.array_equal(a.view(np.uint32), b.view(np.uint32)))


class Reference:
    """fastText's `Dictionary::getLine` and `averageRowsToVector`, word by word."""

    def __init__(self, path: str) -> None:
        loaded = fasttext.FastText._FastText(model_path=path)
        self.model = input_of(path)
        self.words = {word.encode(): number for number, word in enumerate(loaded.get_words())}
        self.labels = {label.encode() for label in loaded.get_labels()}
        bits = [format(int(some), "064b")[::-1] for some in self.model.kept[:, 0]]
        present = [n for n, bit in enumerate("".join(bits)) if bit == "1"]
        self.kept = {ngram: row for row, ngram in enumerate(present)} if bits else None
        self.matrix = np.frombuffer(self.model.matrix[self.model.first_row :].tobytes(), np.uint8)
        rows = len(self.matrix) // (4 * self.model.dim)
        self.matrix = self.matrix[: 4 * rows * self.model.dim].view(np.float32).reshape(rows, -1)

    def rows(self, text: str) -> list[int]:
        rows: list[int] = []
        hashes: list[int] = []
        line = text.encode().partition(b"\n")[0]
        for word in [*re.split(rb"[ \t\r\v\f\0]+", line), b"</s>"]:
            if word == b"" or word in self.labels or (word not in self.words and word.startswith(b"__label__")):
                continue
            h = fnv(word)
            hashes.append(h - (h >> 31 << 32))
            rows += [self.words[word]] if word in self.words else []
            if word == b"</s>":
                break
            if self.model.maxn > 0:
                rows += self.subwords(f"<{word.decode()}>")
        for i in range(len(hashes)):
            h = hashes[i]
            for j in range(i + 1, min(len(hashes), i + self.model.word_ngrams)):
                h = (h * 116049371 + hashes[j]) % 2**64
                rows += self.ngram(h)
        return rows

    def subwords(self, word: str) -> list[int]:
        rows = []
        for i in range(len(word)):
            for n in range(self.model.minn, self.model.maxn + 1):
                end = i + n
                if end <= len(word) and n > 0 and not (n == 1 and (i == 0 or end == len(word))):
                    rows += self.ngram(fnv(word[i:end].encode()))
        return rows

    def ngram(self, h: int) -> list[int]:
        number = h % self.model.bucket
        if self.kept is not None:
            number = self.kept.get(number, -1)
        return [len(self.words) + number] if number >= 0 else []

    def vector(self, text: str) -> tuple[Vectors, int]:
        rows = self.rows(text)
        total = np.zeros(self.model.dim, np.float32)
        for row in rows:
            total += self.matrix[row]
        return (total * np.float32(1 / len(rows)) if rows else total), len(rows)


def fnv(word: bytes) -> int:
    h = 2166136261
    for byte in word:
        h = ((h ^ (byte | (0xFFFFFF00 if byte > 127 else 0))) * 16777619) % 2**32
    return h


@pytest.fixture(scope="module", params=KINDS)
def path(request: pytest.FixtureRequest, fasttext_model: Callable[[str], str]) -> str:
    return fasttext_model(request.param)


def test_equal_bit_by_bit(path: str) -> None:
    values = [*random_texts(0, 500), *LONG, " ".join(WORDS), "", "\n", "a\nb", "</s>"]
    vectors, counts = kernel(input_of(path), values)
    assert same_bits(vectors, library(path, values))
    reference = Reference(path)
    expected = [reference.vector(text) for text in [*values[:150], *values[-7:]]]
    assert same_bits(np.concatenate([vectors[:150], vectors[-7:]]), np.array([vector for vector, _ in expected]))
    assert counts[:150] + counts[-7:] == [count for _, count in expected]


@pytest.mark.parametrize("kind", ["softmax, 3-grams, subwords", "tree, pruned", "negative"])
def test_equal_on_whatever_hypothesis_finds(kind: str, fasttext_model: Callable[[str], str]) -> None:
    path = fasttext_model(kind)
    model, cache = input_of(path), new_cache(words=64, rows=4000)

    @given(texts)
    @settings(max_examples=300)
    def check(text: str) -> None:
        assert same_bits(kernel(model, [text], cache)[0], library_vector(text))

    loaded = fasttext.FastText._FastText(model_path=path)

    def library_vector(text: str) -> Vectors:
        vector = fasttext_pybind.Vector(loaded.get_dimension())
        loaded.f.getSentenceVector(vector, text + "\n")
        return np.array(vector, np.float32)[None]

    check()


@pytest.mark.parametrize(("words", "rows"), [(1, 1), (2, 700), (16, 200), (300, 10_000)])
def test_the_cache_changes_nothing_but_is_used(words: int, rows: int, fasttext_model: Callable[[str], str]) -> None:
    model = input_of(fasttext_model("softmax, 3-grams, subwords"))
    values = random_texts(1, 300)
    expected = kernel(model, values)
    cache = new_cache(words, rows)
    assert same_bits(kernel(model, values, cache)[0], expected[0])
    assert same_bits(kernel(model, values[::-1], cache)[0][::-1], expected[0])
    assert same_bits(np.concatenate([kernel(model, [text], cache)[0] for text in values]), expected[0])
    assert cache.used[0] <= len(cache.lines) // 2
    assert cache.used[1] <= rows


def test_words_come_from_the_cache(fasttext_model: Callable[[str], str]) -> None:
    model, cache = input_of(fasttext_model("tree, subwords")), new_cache()
    column = text_buffers(pa.array(["word1 word2 word1", "x" * 60], pa.large_string()))
    vectors_of(*column, model, cache)
    assert cache.used[0] == 2
    first = cache.lines[cache.lines[:, 2] != 0][0, 3]
    cache.rows[int(first) >> 16] += 1
    vectors, _ = vectors_of(*column, model, cache)
    assert not same_bits(vectors, vectors_of(*column, model, new_cache())[0])


def test_slices_and_nulls(fasttext_model: Callable[[str], str]) -> None:
    model = input_of(fasttext_model("tree, subwords"))
    column = pa.array(["word1", "word2 word3", None, "word4"], pa.string())
    whole, counts = vectors_of(*text_buffers(column), model, new_cache())
    part, _ = vectors_of(*text_buffers(column[1:]), model, new_cache())
    assert same_bits(part, whole[1:])
    assert counts[2] == 1  # "</s>"
    empty, _ = vectors_of(*text_buffers(column[:0]), model, new_cache())
    assert empty.shape == (0, model.dim)
