"""Documents on both sides of a threshold."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dataset import StepFolder
from corpus.filters.length import Length
from corpus.steps.rule import NamedRule
from corpus.thresholds import Threshold
from corpus.tuning.border import Border, borders
from corpus.tuning.stored import chain_of, numeric_thresholds, thresholds_named
from tests.corpus.tuning.small_step import extracted, processed

RULES = (NamedRule("length", Length(min_chars=5)),)


def border(step: StepFolder, named: NamedRule, threshold: Threshold, limit: int) -> Border:
    return borders(step, [(named, threshold)], limit)[0]


@settings(max_examples=40)  # each writes two steps
@given(lengths=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), max_size=3), limit=st.integers(1, 4))
def test_the_nearest_of_each_side_come_first(tmp_path_factory: object, lengths: list[list[int]], limit: int) -> None:
    folder = tmp_path_factory.mktemp("border")
    texts = [["a" * length for length in some] for some in [*lengths, [7]]]
    step = processed(extracted(folder / "10", texts), folder / "20", RULES)
    found = border(step, *thresholds_named(chain_of(step), "length.min_chars")[0], limit)
    every = [(len(text), f"{part}-{row}", text) for part, some in enumerate(texts) for row, text in enumerate(some)]
    for side, documents in ((True, found.kept), (False, found.dropped)):
        of_side = sorted((one for one in every if (one[0] >= 5) == side), key=lambda one: abs(one[0] - 5))
        assert [(document.score, document.id, document.text) for document in documents] == of_side[:limit]


def test_several_thresholds_at_once_are_each_by_itself(tmp_path: Path) -> None:
    rules = (NamedRule("length", Length(min_chars=3, max_chars=6)), NamedRule("length-2", Length(min_chars=4)))
    texts = [["a" * length for length in some] for some in (range(9), [5, 2, 7], [1, 4, 4, 4, 4])]
    step = processed(extracted(tmp_path / "10", texts), tmp_path / "20", rules)
    pairs = list(numeric_thresholds(chain_of(step)))
    assert len(pairs) == 4
    assert borders(step, pairs, 3) == [border(step, named, threshold, 3) for named, threshold in pairs]


def test_a_threshold_that_is_not_set_has_no_sides(tmp_path: Path) -> None:
    step = processed(extracted(tmp_path / "10", [["a house"]]), tmp_path / "20", RULES)
    assert border(step, *thresholds_named(chain_of(step), "length.max_chars")[0], 3) == Border([], [])


def test_without_the_step_before_there_is_no_text_to_show(tmp_path: Path) -> None:
    before = extracted(tmp_path / "10", [["a house"]])
    step = processed(before, tmp_path / "20", RULES)
    Path(before.manifest_path).unlink()
    assert border(step, *thresholds_named(chain_of(step), "length.min_chars")[0], 3) == Border([], [])
