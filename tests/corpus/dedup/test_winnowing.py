"""Anchors as their definition says, one window at a time."""

from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup import winnowing
from corpus.dedup.winnowing import Unit, Units, anchors_of, gram_of
from corpus.text.buffers import text_buffers

texts = st.lists(st.text("ab", max_size=80) | st.text("aé€😀", max_size=60), max_size=5)
units = st.sampled_from(["bytes", "characters"])


def units_of(texts: list[str], unit: Unit) -> Units:
    return Units.of(*text_buffers(pa.array(["skipped", *texts], pa.large_string())[1:]), unit)


def hash_of(gram: list[int]) -> int:
    rolling = 0
    for value in gram:
        rolling = (rolling * int(winnowing.BASE) + value) % 2**64
    mixed = (rolling ^ rolling >> 32) * 0xD6E8FEB86659FD93 % 2**64
    return (mixed ^ mixed >> 29) >> 20  # the lowest 20 bits give way to the place


def reference(texts: list[str], length: int, unit: Unit) -> Iterator[tuple[int, int, int]]:
    """(row, window, anchor) of every window."""
    gram = gram_of(length)
    for row, text in enumerate(texts):
        values = list(text.encode()) if unit == "bytes" else [ord(character) for character in text]
        for window in range(len(values) - length + 1):
            places = range(window, window + length - gram + 1)
            yield row, window, min(places, key=lambda place: (hash_of(values[place : place + gram]), place))


@given(texts, st.integers(1, 30), units, st.sampled_from([1, 1 << 18]))
def test_every_window_has_its_anchor_once(texts: list[str], length: int, unit: Unit, room: int) -> None:
    with patch.object(winnowing, "_ROOM", room):
        found = [
            (row, window, place)
            for some in anchors_of(units_of(texts, unit), length)
            for row, place, first, last in zip(*(column.tolist() for column in some), strict=True)
            for window in range(first, last + 1)
        ]
    assert found == list(reference(texts, length, unit))


@given(st.lists(st.text("aé€😀\0", max_size=9), min_size=1, max_size=4))
def test_units_and_where_they_are(texts: list[str]) -> None:
    body = "".join(texts)
    by_byte, by_character = units_of(texts, "bytes"), units_of(texts, "characters")
    assert by_byte.values.tolist() == list(body.encode())
    assert by_character.values.tolist() == [ord(character) for character in body]
    assert by_character.ends.tolist() == np.cumsum([0, *map(len, texts)]).tolist()
    at = by_character.bytes_at(np.arange(len(body) + 1)) - len("skipped")
    assert at.tolist() == [len(body[:n].encode()) for n in range(len(body) + 1)]
    assert (by_byte.bytes_at(at) - len("skipped")).tolist() == at.tolist()


def test_about_two_of_the_units_between_the_k_grams_of_a_window_are_anchors() -> None:
    rng = np.random.default_rng(1)
    text = bytes(rng.integers(97, 123, 200_000, np.uint8)).decode()
    for length in (100, 500):
        found = sum(len(some.row) for some in anchors_of(units_of([text], "bytes"), length))
        assert found == pytest.approx(2 * 200_000 / (length - gram_of(length) + 2), rel=0.05)
