"""Plots as elements of a page."""

import re

import pytest
from lxml import etree

from corpus.report.plots import LONGEST_NAME, bars, histogram


@pytest.mark.parametrize("log", [False, True])
def test_a_histogram_has_its_line_where_the_threshold_is(log: bool) -> None:
    drawn = histogram([1, 10, 100, 1000], [3, 40, 10], [10, 100], "characters", log)
    tree = etree.fromstring(drawn)
    lines = [element.get("d", "") for element in tree.iter("path") if "var(--limit)" in element.get("style", "")]
    (left, right) = sorted(float(re.match(r"\s*M ([\d.]+) ", line)[1]) for line in lines)  # type: ignore[index]
    (filled,) = (e.get("d", "") for e in tree.iter("path") if "fill: var(--kept)" in e.get("style", ""))
    corners = {float(x) for x in re.findall(r"[ML] ([\d.]+) ", filled)}
    assert {left, right} < corners
    ends = min(corners), max(corners)
    share = (left - ends[0]) / (ends[1] - ends[0])
    assert share == pytest.approx(1 / 3 if log else 9 / 999, abs=0.001)


def test_bars_are_as_long_as_their_values() -> None:
    tree = etree.fromstring(bars(["one", "two"], [10, 40], "bytes", [30, 0]))

    def widths(colour: str) -> list[float]:
        paths = [e.get("d", "") for e in tree.iter("path") if f"var(--{colour})" in e.get("style", "")]
        return [max(xs) - min(xs) for path in paths if (xs := [float(x) for x in re.findall(r"[ML] ([\d.]+) ", path)])]

    one, two = widths("kept")
    assert two / one == pytest.approx(4, rel=1e-4)
    assert widths("dropped")[0] / one == pytest.approx(3, rel=1e-4)


def test_labels_are_text_and_nothing_else() -> None:
    hostile = "<script>alert(1)</script> $\\frac{1}{0}$ \u202e"
    drawn = bars([hostile, "x" * 500], [1, 2], hostile)
    tree = etree.fromstring(drawn)  # it is well formed
    assert {element.tag for element in tree.iter()} <= {"svg", "g", "defs", "path", "use", "text", "clipPath", "rect"}
    texts = ["".join(element.itertext()) for element in tree.iter("text")]
    assert hostile.replace("\u202e", "⟨U+202E⟩") in texts
    assert max(map(len, texts)) < LONGEST_NAME + 30


def test_plots_are_the_same_bytes_and_share_a_page() -> None:
    first, second = (histogram([0, 1, 2], [1, 2], [1], "score", False) for _ in range(2))
    assert first == second
    assert "http" not in first
    other = bars(["a"], [1], "bytes")
    for drawn in (first, other):
        ids = re.findall(r' id="([^"]+)"', drawn)
        assert set(ids) == set(re.findall(r'#([^")]+)', drawn))
        assert len(ids) == len(set(ids))
    # Two plots of one page may have an element of one id if it is the same.
    ids_of = [
        {e.get("id"): etree.tostring(e) for e in etree.fromstring(d).iter() if e.get("id")} for d in (first, other)
    ]
    assert all(ids_of[0][name] == ids_of[1][name] for name in ids_of[0].keys() & ids_of[1].keys())
