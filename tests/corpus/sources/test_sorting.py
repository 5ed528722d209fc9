import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources.sorting import ExternalSort


@given(st.lists(st.tuples(st.integers(-5, 5), st.binary(max_size=20)), max_size=60), st.integers(1, 200))
@settings(deadline=None)
def test_entries_come_back_in_the_order_of_their_keys(values: list[tuple[int, bytes]], run_bytes: int) -> None:
    with ExternalSort(run_bytes) as entries:
        for place, (number, value) in enumerate(values):
            entries.add((number, place), value, len(value))
        found = list(entries)
    assert found == sorted(((number, place), value) for place, (number, value) in enumerate(values))


def test_many_runs_of_entries_of_all_sizes() -> None:
    rand = random.Random(0)
    sizes = [rand.choice([0, 10, 1000, 200_000]) for _ in range(2000)]
    keys = rand.sample(range(10**6), len(sizes))
    with ExternalSort(1 << 20) as entries:
        for key, size in zip(keys, sizes, strict=True):
            entries.add((key,), {"size": size, "body": "x" * size}, size)
        found = list(entries)
    assert [key for key, _ in found] == sorted((key,) for key in keys)
    assert {key[0]: len(value["body"]) for key, value in found} == dict(zip(keys, sizes, strict=True))


def test_nothing_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ExternalSort(10) as entries:
        for key in range(10):
            entries.add((key,), "value", 5)
        assert next(iter(entries)) == ((0,), "value")
        assert list(tmp_path.iterdir()) == []  # the file has no name
