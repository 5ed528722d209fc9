"""Spans as sets of places."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.passages import Spans, cut, of_windows, union, whole_characters
from corpus.text.buffers import text_buffers

texts = st.lists(st.text("aé€😀", max_size=8), min_size=1, max_size=4)
marks = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(1, 9)), max_size=12)


def spans_of(some: list[tuple[int, int, int]]) -> Spans:
    return Spans(*np.array(some, np.int64).reshape(-1, 3).T)


def places(spans: Spans) -> list[tuple[int, int]]:
    return [(row, n) for row, start, stop in zip(*spans, strict=True) for n in range(start, stop)]


@given(marks)
def test_union_covers_the_same_by_as_few_as_can_be(some: list[tuple[int, int, int]]) -> None:
    given = [(row, start, start + size) for row, start, size in some]
    found = union(*spans_of(given))
    assert places(found) == sorted(set(places(spans_of(given))))
    assert all(
        (row, stop) < (next_row, start)
        for row, stop, next_row, start in zip(found.row, found.stop, found.row[1:], found.start[1:], strict=False)
    )


@given(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 20))), st.integers(1, 5))
def test_windows_cover_what_each_of_them_does(windows: set[tuple[int, int]], length: int) -> None:
    found = of_windows(*np.array(sorted(windows), np.int64).reshape(-1, 2).T, length)
    assert set(places(found)) == {(row, at + n) for row, at in windows for n in range(length)}


@given(texts, st.data())
def test_whole_characters_and_cut(texts: list[str], data: st.DataObject) -> None:
    column = pa.array(["skipped", *texts], pa.large_string())[1:]
    marked = []
    for row, text in enumerate(texts):
        bounds = sorted(data.draw(st.sets(st.integers(0, len(text.encode())), max_size=6)))
        marked += [(row, start, stop) for start, stop in zip(bounds[::2], bounds[1::2], strict=False)]
    found = whole_characters(*text_buffers(column), spans_of(marked))
    inside = [set(places(spans_of([one]))) for one in marked]
    expected, left = [], []
    for row, text in enumerate(texts):
        kept, at = "", 0
        for character in text:
            own = [(row, at + n) for n in range(len(character.encode()))]
            goes = any(one.issuperset(own) for one in inside)
            expected += own if goes else []
            kept += "" if goes else character
            at += len(own)
        left.append(kept)
    assert places(found) == expected
    result = cut(*text_buffers(column), found)
    result.validate(full=True)
    assert result.to_pylist() == left


def test_no_rows() -> None:
    column = pa.array([], pa.large_string())
    none = spans_of([])
    assert places(whole_characters(*text_buffers(column), none)) == places(union(*none)) == []
    assert cut(*text_buffers(column), none).to_pylist() == []
