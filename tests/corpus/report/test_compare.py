"""Which documents move when a threshold changes."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.filters.length import Length
from corpus.report.compare import Count, Difference, compare_steps
from corpus.report.step import SAMPLES
from corpus.steps.rule import NamedRule
from tests.corpus.tuning.small_step import extracted, processed

lengths = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), max_size=3)


def rules(least: int, most: int) -> list[NamedRule]:
    return [NamedRule("length", Length(min_chars=least, max_chars=most))]


@settings(max_examples=40)  # each writes three steps
@given(lengths, st.integers(0, 5), st.integers(5, 9), st.integers(0, 5), st.integers(5, 9))
def test_row_by_row(given: list[list[int]], least: int, most: int, other_least: int, other_most: int) -> None:
    texts = [["a" * length for length in some] for some in [*given, [5]]]
    with TemporaryDirectory() as folder:
        before = extracted(Path(folder) / "10", texts)
        first = processed(before, Path(folder) / "20", rules(least, most))
        second = processed(before, Path(folder) / "21", rules(other_least, other_most))
        found = compare_steps("length", first, second)
    assert found.by == "row"
    every = [(f"{part}-{row}", len(text)) for part, some in enumerate(texts) for row, text in enumerate(some)]
    expected: dict[tuple[str, str], list[str]] = {}
    for id, length in every:
        kept = [low <= length <= high for low, high in ((least, most), (other_least, other_most))]
        if kept[0] != kept[1]:
            limit = other_least if kept[0] else least
            reason = "length.too_short" if length < limit else "length.too_long"
            expected.setdefault(("first" if kept[0] else "second", reason), []).append(id)
    assert {(one.kept_by, one.reason): one.documents for one in found.moved} == {
        key: len(ids) for key, ids in expected.items()
    }
    for one in found.moved:
        assert [sample.name for sample in one.samples] == expected[one.kept_by, one.reason][:SAMPLES]
    settings = {"min_chars": (least, other_least), "max_chars": (most, other_most)}
    assert found.differences == [
        Difference(f"length.{name}", str(one), str(other))
        for name, (one, other) in sorted(settings.items())
        if one != other
    ]
    assert found.counts[0] == Count("documents in", len(every), len(every))


def test_by_id_where_the_inputs_differ(tmp_path: Path) -> None:
    texts = [["a" * 3, "b" * 5], ["c" * 7]]
    first = processed(extracted(tmp_path / "10", texts), tmp_path / "20", rules(0, 9))
    second = processed(extracted(tmp_path / "11", [*texts[:1], ["other", "d"]]), tmp_path / "21", rules(5, 9))
    found = compare_steps("length", first, second, hidden={"0-0"})
    assert (found.by, [(one.kept_by, one.documents) for one in found.moved]) == ("id", [("first", 1)])
    assert found.moved[0].samples == []
    assert [(one.name, one.change) for one in found.counts if one.name.startswith("length")] == [
        ("length.too_short", 2)
    ]
    assert compare_steps("length", first, first).moved == []


def test_an_extract_is_compared_by_id(tmp_path: Path) -> None:
    first, second = (extracted(tmp_path / name, texts) for name, texts in (("1", [["a"]]), ("2", [["a", "b"]])))
    for step in (first, second):
        manifest = Path(step.manifest_path)
        manifest.write_text(manifest.read_text().replace('"step"', '"settings": {"max": 1}, "step"'), encoding="utf-8")
    (moved,) = compare_steps("extract", first, second).moved
    assert (moved.kept_by, [sample.name for sample in moved.samples]) == ("second", ["0-1"])
