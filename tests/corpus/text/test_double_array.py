"""Double arrays: what is put in is found, nothing else, and so it is in those of SentencePiece."""

import struct

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from corpus.protobuf import fields
from corpus.text import double_array
from corpus.text.double_array import ENDS, LABEL, build, reached, value_of
from tests.corpus.filters.language_models import trained

words = st.dictionaries(
    st.binary(min_size=1, max_size=6).map(lambda word: word.replace(b"\0", b"\1")),
    st.integers(0, 2**31 - 1),
    min_size=1,
)


@given(words, st.lists(st.binary(max_size=7)))
def test_all_and_only_what_was_put_in_is_found(given: dict[bytes, int], others: list[bytes]) -> None:
    units = build([*given], [*given.values()])
    assert {word: value_of(units, word) for word in given} == given
    tries = [*others, *(word[:-1] for word in given), *(word + b"a" for word in given)]
    assert [value_of(units, word) for word in tries] == [given.get(word) for word in tries]


def test_many_words() -> None:
    chance = np.random.default_rng(0)
    given = {bytes(chance.integers(1, 256, size).tolist()): size for size in chance.integers(1, 5, 30_000)}
    units = build([*given], [*given.values()])
    assert len(units) % 256 == 0
    assert len(units) < 4 * sum(map(len, given))
    assert {word: value_of(units, word) for word in given} == given


def test_too_many_words(monkeypatch: pytest.MonkeyPatch) -> None:
    given = [f"{n:07}".encode() for n in range(200)]
    assert len(build(given, [*range(200)])) > 256
    monkeypatch.setattr(double_array, "MOST_UNITS", 256)
    with pytest.raises(ValueError, match="too many words"):
        build(given, [*range(200)])


@given(words, st.sets(st.integers(1, 255), min_size=1))
def test_reached(given: dict[bytes, int], labels: set[int]) -> None:
    units = build([*given], [*given.values()])
    found = reached(units, sorted(labels))
    prefixes = {word[:size] for word in given for size in range(len(word) + 1)}
    prefixes = {prefix for prefix in prefixes if set(prefix) <= labels}
    assert len(found) == len(prefixes)
    assert sorted(units[found] & LABEL) == sorted(prefix[-1] if prefix else 0 for prefix in prefixes)
    assert sum(units[found] & ENDS != 0) == sum(word in prefixes for word in given)


def test_what_is_no_double_array() -> None:
    with pytest.raises(ValueError, match="no double array"):
        reached(np.zeros(3, np.uint32), [1])
    with pytest.raises(ValueError, match="no double array"):
        reached(np.full(256, 0xFFFFFC00, np.uint32), [1])


def test_reads_those_of_sentencepiece(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its own normaliser replaces each character by what is found."""
    path = trained("unigram", tmp_path_factory.mktemp("model"))
    with open(path, "rb") as file:
        normalizer = next(value for number, value in fields(file.read()) if number == 3)
    assert isinstance(normalizer, bytes)
    rules = dict(fields(normalizer))[2]
    assert isinstance(rules, bytes)
    (size,) = struct.unpack_from("<I", rules)
    units, texts = np.frombuffer(rules[4 : 4 + size], "<u4"), rules[4 + size :]
    library = sentencepiece.SentencePieceNormalizer(model_file=path)
    some = [chr(point) for point in range(0x20, 0x3000) if chr(point).isprintable()]
    replaced = 0
    for c, expected in zip(some, (library.Normalize(f"0{c}0") for c in some), strict=True):
        place = value_of(units, c.encode())
        new = c if place is None else texts[place : texts.index(b"\0", place)].decode()
        replaced += place is not None
        assert f"0{new}0" == expected.replace("\u2581", " ").strip(), c
    assert replaced > 700
