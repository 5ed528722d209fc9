"""Stored scores by how often they come."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.filters.length import Length
from corpus.filters.stats import Stats
from corpus.steps.rule import NamedRule
from corpus.tuning.histogram import BINS, Histogram, Wanted, histogram_of, histograms
from tests.corpus.tuning.small_step import extracted, processed


def counted(histogram: Histogram, values: list[float]) -> list[int]:
    """In pure Python."""
    bins: Counter[int] = Counter()
    for value in values:
        within = [place for place in range(BINS) if histogram.edges[place] <= value < histogram.edges[place + 1]]
        bins[within[0] if within else 0 if value < histogram.edges[0] else BINS - 1] += 1
    return [bins[place] for place in range(BINS)]


numbers = st.one_of(st.integers(0, 10**6).map(float), st.floats(-1e3, 1e3), st.floats(0, 1))


@given(st.lists(numbers, min_size=1, max_size=300))
def test_every_value_is_in_one_bin(values: list[float]) -> None:
    found = histogram_of(np.array(values))
    assert found is not None
    assert (np.diff(found.edges) > 0).all()
    assert found.counts.tolist() == counted(found, values)


@settings(max_examples=20)  # each writes two steps
@given(st.lists(st.lists(st.integers(0, 400), max_size=8), min_size=1, max_size=4), st.integers(1, 300))
def test_of_a_step_with_several_parts(lengths: list[list[int]], least: int) -> None:
    texts = [["a" * length for length in some] for some in [*lengths, [least]]]
    with TemporaryDirectory() as folder:
        before = extracted(Path(folder) / "10", texts)
        rules = NamedRule("length", Length(min_chars=least)), NamedRule("stats", Stats())
        step = processed(before, Path(folder) / "20", rules)
        wanted = [Wanted("length.characters", (float(least),)), Wanted("stats.characters"), Wanted("stats.no_such")]
        every, kept, none = histograms(step, wanted)
    assert none is None
    assert every is not None
    assert kept is not None
    values = [float(len(text)) for some in texts for text in some]
    assert every.counts.tolist() == counted(every, values)
    assert every.edges[0] <= least <= every.edges[-1]
    assert kept.counts.tolist() == counted(kept, [value for value in values if value >= least])


def test_far_apart_counts_are_on_a_logarithmic_scale() -> None:
    found = histogram_of(np.array([3, 50, 700, 9000, 100_000]))
    assert found is not None
    assert found.log
    assert np.diff(np.log(found.edges)) == pytest.approx(np.log(found.edges[1] / found.edges[0]))
    shares = histogram_of(np.linspace(0, 1, 50))
    assert shares is not None
    assert not shares.log
    assert histogram_of(np.zeros(0)) is None
