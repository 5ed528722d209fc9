"""Pieces of texts: the kernel's are the library's, whatever the sums before, and whatever the cache holds."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.filters.unigram_model import Unigram, read_unigram
from corpus.filters.unigram_pieces import Cache, cut_texts, new_cache
from corpus.text.buffers import text_buffers
from corpus.text.ccnet import normalize_for_lm
from tests.corpus.filters.fasttext_kinds import LONG, random_texts, texts
from tests.corpus.filters.language_models import prose, rescored, trained

SCORES: dict[str, Callable[[str], float]] = {
    "trained": lambda name: 0.0,
    # Every way through a text has the same sum, but for what rounding does to it.
    "ties": lambda name: -1.1 * len(name),
    "near ties": lambda name: -1.1 * len(name) - 1e-6 * random.Random(name).randrange(20),
    "nearer than restarts are far": lambda name: -300.1 * len(name) - 1e-3 * random.Random(name).randrange(20),
    # So that the sum starts again within words, and more than once.
    "large": lambda name: -40_000.7 * len(name) - random.Random(name).random(),
    "equal": lambda name: -2.0,
    "zero": lambda name: 0.0,
}
REPLACED = ["ﷺ", "a¨b", "¨", "\u3000", "a\u00a0b", "ﬁﬂ", "①", "\u200b", "\u2581", "\u2028x", "e\u0338", "½", "\u1680"]


class Model:
    """A model as the library and as our kernel have it."""

    def __init__(self, data: bytes) -> None:
        self.library = sentencepiece.SentencePieceProcessor(model_proto=data)
        unigram = read_unigram(data)
        assert isinstance(unigram, Unigram)
        self.unigram = unigram
        self.names = [self.library.id_to_piece(number) for number in range(self.library.get_piece_size())]

    def check(self, values: list[str], cache: Cache) -> int:
        """Compares the pieces of texts; gives how many there are of unknown characters."""
        normalized = normalize_for_lm(pa.array(values, pa.large_string()))
        found = cut_texts(*text_buffers(normalized), self.unigram, cache)
        assert len(found.unknown_offsets) == 1 - found.numbers.min(initial=0)
        unknown = np.split(found.unknown, found.unknown_offsets[1:-1])
        names = [
            self.names[number] if number >= 0 else unknown[-1 - number].tobytes().decode()
            for number in found.numbers.tolist()
        ]
        rows = [names[start:end] for start, end in zip(found.offsets, found.offsets[1:], strict=False)]
        expected = self.library.encode(normalized.to_pylist(), out_type=str, num_threads=1)
        for text, row, pieces in zip(normalized.to_pylist(), rows, expected, strict=True):
            assert row == pieces, f"{len(row)} pieces of {text[:200]!r}"
        return len(unknown)


@pytest.fixture(scope="module", params=SCORES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    data = Path(trained("unigram", tmp_path_factory.getbasetemp())).read_bytes()
    return Model(data if request.param == "trained" else rescored(data, SCORES[request.param]))


@pytest.fixture(scope="module")
def trained_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(Path(trained("unigram", tmp_path_factory.getbasetemp())).read_bytes())


def test_prose(model: Model) -> None:
    lines = prose()
    cache = new_cache(256)
    for size in (1, 20, 2000):
        model.check([" ".join(lines[start : start + size]) for start in range(0, 2000, size)], cache)


def test_long_texts(model: Model) -> None:
    """Sums of any size: below those at which the library begins again, beyond, and again."""
    text = " ".join(prose())
    cache = new_cache(1 << 12)
    for values in ([text[:1000]], [text], [text[:1000], text * 3]):
        model.check(values, cache)


def test_words_seen_after_another_sum(model: Model) -> None:
    """A word's limit holds where it was first met late in a text, as where it was met early."""
    words = " ".join(prose()).split(" ")
    chance = random.Random(1)
    late, early = new_cache(1 << 12), new_cache(1 << 12)
    for _ in range(30):
        some = [chance.choice(words) for _ in range(chance.choice((10, 300, 10_000)))]
        model.check([" ".join(some)], late)
        model.check([*some[:50], " ".join(some)], early)


def test_random_texts(model: Model) -> None:
    assert model.check(random_texts(7, 500), new_cache(64)) > 100


@pytest.mark.slow
def test_many_random_texts(trained_model: Model) -> None:
    trained_model.check(random_texts(8, 60_000), new_cache())


def test_whatever_hypothesis_finds(trained_model: Model) -> None:
    cache = new_cache(16)

    @given(st.lists(texts, max_size=3), st.sampled_from(REPLACED))
    @settings(max_examples=300)
    def check(values: list[str], replaced: str) -> None:
        trained_model.check([*values, "".join(values) + replaced + " ".join(values)], cache)

    check()


def test_what_the_normaliser_replaces(trained_model: Model) -> None:
    values = [*REPLACED, " ".join(REPLACED), "".join(REPLACED), *(f"a{c} {c}b {c} c" for c in REPLACED)]
    trained_model.check(values, new_cache(16))
    some = [chr(point) for point in range(0x20, 0x30000) if not 0xD800 <= point < 0xE000]
    trained_model.check([f"{c}x {c} x{c}y" for c in some], new_cache())


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["", " ", "\n", "   a   ", ""],
        ["\0", "\0a\0b\0"],
        ["\ufffd" * 5000, "a\ufffdb"],
        ["字" * 50_000],
        ["self" * 30_000, "x" * 100_000],
        ["ﷺ" * 3000],
        ["\u3000" * 10_000, "a" + " " * 10_000 + "b"],
        LONG,
        [" ".join("a" * n for n in range(1, 200))],
        ["\u20ac" * n for n in range(1, 60)],
        # More pieces than room for them to begin with: of one word, of words in the cache, unknown ones.
        ["zq" * 30_000],
        ["z q " * 20_000],
        ["\u20ac q" * 10_000, "\u20ac" * 10_000],
    ],
    ids=lambda values: f"{len(values)}-{sum(map(len, values))}",
)
def test_odd_texts(trained_model: Model, values: list[str]) -> None:
    trained_model.check(values, new_cache(16))
