"""What a chain of rules does to a batch, with rules made for the test."""

from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.clean.gutenberg import Gutenberg
from corpus.dedup.exact import Exact
from corpus.dedup.lines import Lines
from corpus.filters.length import Length
from corpus.rules import Cleaned, Cleaner, Filter, PartRef
from corpus.schema import SCHEMA, Document, Origin, document_batch
from corpus.steps.chain import Applied, Rows, apply_chain, apply_rule, compose_lines, with_column
from corpus.steps.rule import NamedRule
from corpus.steps.spill import gather
from corpus.thresholds import AtMost, OneOf

TEXTS = ["aaa", "b", "", "cc", "dddd", "e", "ff"]


class Double(Cleaner):
    """Doubles the text and drops the empty one, whose new text is null."""

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        text = batch.column("text")
        empty = pc.equal(pc.utf8_length(text), 0)
        doubled = pc.binary_join_element_wise(text, text, pa.scalar("", pa.large_string()))
        none = pa.scalar(None, pa.string())
        return Cleaned(pc.if_else(empty, pa.scalar(None, pa.large_string()), doubled), pc.if_else(empty, "empty", none))


class Without(Cleaner):
    """Removes the lines that hold a mark, and says which ones stay."""

    mark: str
    says: bool = True

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        lines = [text.split("\n") for text in batch.column("text").to_pylist()]
        kept = [[n for n, line in enumerate(some) if self.mark not in line] for some in lines]
        texts = ["\n".join(some[n] for n in numbers) for some, numbers in zip(lines, kept, strict=True)]
        numbers = pa.array(kept, SCHEMA.field("kept_lines").type) if self.says else None
        return Cleaned(pa.array(texts, pa.large_string()), pa.nulls(batch.num_rows, pa.string()), numbers)


class Upper(Cleaner):
    """Changes no line's number."""

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        return Cleaned(pc.utf8_upper(batch.column("text")), pa.nulls(batch.num_rows, pa.string()))


class Initial(Filter):
    """Takes the first letter for the language."""

    keep: Annotated[tuple[str, ...] | None, OneOf("language", "unwanted")] = None

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        letters = [text[:1] or None for text in batch.column("text").to_pylist()]
        return pa.RecordBatch.from_pydict({"language": pa.array(letters, pa.string())})


class ByLanguage(Filter):
    """Scores by the language that a filter before it wrote, and the columns that it saw."""

    most: Annotated[int, AtMost("code", "too_late")] = 10**6
    seen: ClassVar[list[list[str | None]]] = []

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        languages = batch.column("language").to_pylist()
        ByLanguage.seen.append(languages)
        return pa.RecordBatch.from_pydict({"code": pa.array([ord(name or "\0") for name in languages], pa.int64())})


def batch_of(texts: list[str]) -> pa.RecordBatch:
    return document_batch([Document(f"d{n}", text, Origin("f", record=n)) for n, text in enumerate(texts)], "s")


def named(*rules: Any) -> list[NamedRule]:
    return [NamedRule(f"{type(rule).__name__.lower()}-{n}", rule) for n, rule in enumerate(rules)]


def chain(texts: list[str], *rules: Any) -> list[Applied]:
    return list(apply_chain(batch_of(texts), None, named(*rules)))


def texts(batch: pa.RecordBatch) -> list[str | None]:
    return batch.column("text").to_pylist()


def kept(batch: pa.RecordBatch) -> list[list[int] | None]:
    return batch.column("kept_lines").to_pylist()


def test_each_rule_sees_what_the_one_before_it_left() -> None:
    double, short, again = chain(TEXTS, Double(), Length(min_chars=4), Double())
    assert (texts(double.before), double.rows.tolist()) == (TEXTS, [0, 1, 2, 3, 4, 5, 6])
    assert double.reasons.to_pylist() == [None, None, "empty", None, None, None, None]
    assert double.dropped.tolist() == [False, False, True, False, False, False, False]
    assert double.scores is None
    assert texts(short.before) == texts(short.after) == ["aaaaaa", "bb", "cccc", "dddddddd", "ee", "ffff"]
    assert short.rows.tolist() == [0, 1, 3, 4, 5, 6]
    assert short.reasons.to_pylist() == [None, "too_short", None, None, "too_short", None]
    assert short.scores.column("characters").to_pylist() == [6, 2, 4, 8, 2, 4]
    assert again.rows.tolist() == [0, 3, 4, 6]
    assert texts(again.after) == [4 * text for text in ("aaa", "cc", "dddd", "ff")]


def test_a_cleaner_behind_a_filter_leaves_the_score_of_the_text_before_it() -> None:
    length, double, again = chain(["a", "bbb", "cc"], Length(min_chars=2, max_chars=3), Double(), Length(min_chars=5))
    assert length.scores.column("characters").to_pylist() == [1, 3, 2]
    assert texts(double.after) == ["bbbbbb", "cccc"]
    assert again.scores.column("characters").to_pylist() == [6, 4]
    assert again.reasons.to_pylist() == [None, "too_short"]


def test_nothing_that_is_left_is_passed_on_as_nothing() -> None:
    length, double = chain(["a", "b"], Length(min_chars=2), Double())
    assert length.dropped.all()
    assert (double.before.num_rows, double.after.num_rows, len(double.reasons)) == (0, 0, 0)
    assert [applied.after.num_rows for applied in chain([], Length(), Double(), Without(mark="x"))] == [0, 0, 0]
    assert chain(["a"]) == []


def test_a_score_named_as_a_column_is_written_into_the_document() -> None:
    ByLanguage.seen.clear()
    initial, by_language = chain(["en", "de", "", "fr"], Initial(keep=("e", "f")), ByLanguage(most=ord("e")))
    assert initial.before.column("language").null_count == 4
    assert initial.after.column("language").to_pylist() == ["e", "d", None, "f"]
    assert initial.reasons.to_pylist() == [None, "unwanted", "unwanted", None]
    assert ByLanguage.seen == [["e", "f"]]
    assert by_language.after.column("language").to_pylist() == ["e", "f"]
    assert by_language.reasons.to_pylist() == [None, "too_late"]
    assert initial.after.schema == by_language.after.schema == SCHEMA


def test_scores_may_come_from_elsewhere() -> None:
    asked = []

    def stored(named: NamedRule, batch: pa.RecordBatch, rows: Rows) -> pa.RecordBatch:
        asked.append((named.key, rows.tolist(), texts(batch)))
        return pa.RecordBatch.from_pydict({"characters": pa.array(10 * rows)})

    rules = named(Double(), Length(min_chars=30))
    _, length = apply_chain(batch_of(["a", "", "b", "c"]), None, rules, score=stored)
    assert asked == [("length-1", [0, 2, 3], ["aa", "bb", "cc"])]
    assert length.scores.column("characters").to_pylist() == [0, 20, 30]
    assert length.reasons.to_pylist() == ["too_short", "too_short", None]


def test_the_decisions_of_a_dedup_come_first_and_count_from_the_beginning_of_thePartRef() -> None:
    decisions = pa.Table.from_pydict({"row": pa.array([1, 11, 13], pa.uint32())})
    dedup = NamedRule("exact", Exact())
    exact, double = apply_chain(batch_of(["a", "b", "c", "d"]), dedup, named(Double()), 10, decisions)
    assert exact.named is dedup
    assert exact.reasons.to_pylist() == [None, "duplicate", None, "duplicate"]
    assert (double.rows.tolist(), texts(double.after)) == ([0, 2], ["aa", "cc"])
    (exact,) = apply_chain(batch_of(["a", "b"]), dedup, [])
    assert not exact.dropped.any()


def test_one_rule_by_itself() -> None:
    (cleaner,) = named(Double())
    applied = apply_rule(cleaner, batch_of(["a", ""]))
    assert (applied.rows.tolist(), applied.dropped.tolist()) == ([0, 1], [False, True])
    assert texts(applied.after) == ["aa", None]
    (length,) = named(Length(min_chars=1))
    assert apply_rule(length, batch_of(["a", ""])).reasons.to_pylist() == [None, "too_short"]


# Numbers of lines


def test_two_removals_of_lines_are_one() -> None:
    first, second = chain(["keep\nx\nkeep y\nkeep\nx y\nlast"], Without(mark="x"), Without(mark="y"))
    assert kept(first.after) == [[0, 2, 3, 5]]
    assert texts(second.after) == ["keep\nkeep\nlast"]
    assert kept(second.after) == [[0, 3, 5]]


TEXT_LINES = st.lists(st.text("wxyz", max_size=3), min_size=1, max_size=8)


@given(st.lists(TEXT_LINES, min_size=1, max_size=4), st.permutations("xyz"))
def test_numbers_of_lines_are_of_the_text_before_every_removal(given: list[list[str]], marks: list[str]) -> None:
    *_, last = chain(["\n".join(lines) for lines in given], *(Without(mark=mark) for mark in marks))
    expected = [[n for n, line in enumerate(lines) if not set(line) & set("xyz")] for lines in given]
    assert kept(last.after) == expected
    assert texts(last.after) == ["\n".join(lines[n] for n in some) for lines, some in zip(given, expected, strict=True)]


@pytest.mark.parametrize("between", [Upper(), Length(min_chars=0), Initial()])
def test_what_changes_no_number_of_lines_leaves_the_numbers(between: Cleaner | Filter) -> None:
    *_, before_last, last = chain(["a\nx\nb\ny\nc"], Without(mark="x"), between, Without(mark="y"), Without(mark="Y"))
    assert kept(before_last.before) == [[0, 2, 3, 4]]
    assert kept(last.after) == [[0, 2, 4]]


def test_a_cleaner_that_changes_the_number_of_lines_makes_the_numbers_unknown() -> None:
    some = ["a\nx\nb", "a\nx\ny\nb", "a"]
    numbered, silent, upper = chain(some, Without(mark="x"), Without(mark="y", says=False), Upper())
    assert kept(numbered.after) == [[0, 2], [0, 2, 3], [0]]
    assert texts(silent.after) == ["a\nb", "a\nb", "a"]
    assert kept(silent.after) == kept(upper.after) == [[0, 2], None, [0]]
    # Numbers that come later count in the text as it was then.
    *_, late = chain(some, Without(mark="x"), Without(mark="y", says=False), Without(mark="b"))
    assert kept(late.after) == [[0], [0], [0]]


def test_without_a_removal_of_lines_there_are_no_numbers() -> None:
    for applied in chain(
        ["*** START OF THE PROJECT GUTENBERG EBOOK X ***\na\nb"], Gutenberg(), Upper(), Length(min_chars=1)
    ):
        assert kept(applied.after) == [None]


def test_line_dedup_composes_with_a_removal_before_it() -> None:
    (removed,) = chain(["a\nx\nmenu\nb", "c"], Without(mark="x"))
    dedup = NamedRule("lines", Lines(min_chars=0))
    rule = dedup.dedup
    blocks = list(rule.sign(PartRef(0), iter([removed.after]), 1)) + list(
        rule.sign(PartRef(1), iter([batch_of(["menu"])]), 1)
    )
    for given_round in rule.rounds():
        blocks = list(given_round.decide([block for _, block in blocks], 2))
    decisions = pa.Table.from_batches([block for part, block in gather(blocks, 2) if part == 0])
    (deduped,) = apply_chain(removed.after, dedup, [], 0, decisions)
    assert texts(deduped.after) == ["a\nb", "c"]
    assert kept(deduped.after) == [[0, 3], [0]]


def test_composing_numbers() -> None:
    kind = SCHEMA.field("kept_lines").type
    before = pa.array([[1, 3, 5], None, [2], [0, 1]], kind)
    after = pa.array([[0, 2], [4], None, []], kind)
    assert compose_lines(before, after).to_pylist() == [[1, 5], [4], None, []]
    assert compose_lines(pa.nulls(4, kind), after) == after
    assert compose_lines(before, after).type == kind


def test_a_column_is_cast_to_the_schemas_type() -> None:
    batch = batch_of(["a", "b"])
    after = with_column(batch, "text", pa.array(["c", "d"], pa.string()))
    assert (after.schema, texts(after)) == (SCHEMA, ["c", "d"])
    assert after.column("id") == batch.column("id")
    after = with_column(batch, "language", pa.array(["en", None]).dictionary_encode())
    assert after.column("language").type == pa.string()


def test_rows_are_numbers_in_the_batch() -> None:
    for applied in chain(TEXTS, Double(), Length(min_chars=4)):
        assert applied.rows.dtype == np.int64
        assert [f"d{row}" for row in applied.rows] == applied.before.column("id").to_pylist()
