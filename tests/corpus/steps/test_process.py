"""The work of one step on one part, with rules made for the test and with stored scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from corpus.dataset import StepFolder, finish
from corpus.parts import read_part, write_part
from corpus.rules import Cleaned, Cleaner, Filter
from corpus.schema import SCHEMA, Document, Origin, document_batch
from corpus.steps.process import ProcessTask, process_part
from corpus.steps.rule import NamedRule
from corpus.storage import read_json
from corpus.thresholds import AtLeast
from corpus.trace import _row_before

TEXTS = ["aaa", "b", "", "cc", "dddd", "e", "ff"]


class Double(Cleaner):
    """A cleaner that doubles the text and drops the empty one."""

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        text = batch.column("text")
        empty = pc.equal(pc.utf8_length(text), 0)
        return Cleaned(
            pc.binary_join_element_wise(text, text, pa.scalar("", pa.large_string())),
            pc.if_else(empty, "empty", pa.scalar(None, pa.string())),
        )


class Short(Filter):
    """A filter on length that counts how many documents it scored."""

    scored: ClassVar[list[int]] = []
    least: Annotated[int, AtLeast("length", "too_short")] = 3

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        Short.scored.append(batch.num_rows)
        return pa.RecordBatch.from_pydict({"length": pc.utf8_length(batch.column("text")).cast(pa.int64())})


def source(tmp_path: Path, texts: Sequence[str] = TEXTS) -> StepFolder:
    folder = StepFolder(str(tmp_path / "10-extract"))
    documents = [Document(f"d{n}", text, Origin("f", record=n)) for n, text in enumerate(texts)]
    batches = [document_batch(documents[:4], "books"), document_batch(documents[4:], "books")]
    write_part(folder.data(0), SCHEMA, iter(batches))
    return folder


def task(tmp_path: Path, name: str, rules: tuple[NamedRule, ...], **more: object) -> ProcessTask:
    return ProcessTask(
        part=0,
        group="",
        input=source(tmp_path),
        output=StepFolder(str(tmp_path / name)),
        step="s",
        input_digest="i",
        rules=rules,
        **more,  # type: ignore[arg-type]
    )


def texts(folder: StepFolder) -> list[str]:
    return [text for batch in read_part(folder.data(0)) for text in batch.column("text").to_pylist()]


def test_rules_apply_in_order_and_every_document_is_counted(tmp_path: Path) -> None:
    rules = (NamedRule("double", Double()), NamedRule("short", Short(least=3)))
    of = task(tmp_path, "20", rules)
    result = process_part(of)
    assert texts(of.output) == ["aaaaaa", "cccc", "dddddddd", "ffff"]
    assert (result.documents_in, result.documents_out) == (7, 4)
    sidecar = read_json(of.output.sidecar(0))
    assert sidecar["dropped"] == {"double": {"empty": 1}, "short": {"too_short": 2}}
    assert sidecar["seen"] == {"double": 7, "short": 6}
    scores = pa.Table.from_batches(list(read_part(of.output.meta("scores", 0))))
    assert scores.column("short.length").to_pylist() == [6, 2, None, 4, 8, 2, 4]
    decisions = pa.Table.from_batches(list(read_part(of.output.meta("decisions", 0)))).to_pylist()
    assert decisions == [
        {"row": 1, "step": "short", "reason": "too_short"},
        {"row": 2, "step": "double", "reason": "empty"},
        {"row": 5, "step": "short", "reason": "too_short"},
    ]
    samples = pa.Table.from_batches(list(read_part(of.output.meta("samples", 0)))).to_pylist()
    assert {(row["reason"], row["id"]) for row in samples} >= {("empty", "d2"), ("too_short", "d1"), ("kept", "d4")}


def test_rows_lead_back_through_the_decisions(tmp_path: Path) -> None:
    of = task(tmp_path, "20", (NamedRule("double", Double()), NamedRule("short", Short(least=3))))
    process_part(of)
    assert [_row_before(of.output, 0, row) for row in range(4)] == [0, 3, 4, 6]


def test_a_finished_part_is_left_and_another_input_is_not(tmp_path: Path) -> None:
    of = task(tmp_path, "20", (NamedRule("double", Double()),))
    assert not process_part(of).reused
    assert process_part(of).reused
    changed = ProcessTask(**{**of.__dict__, "input_digest": "another"})
    assert not process_part(changed).reused


def test_a_changed_threshold_scores_only_rows_that_have_no_score(tmp_path: Path) -> None:
    first = task(tmp_path, "20-a", (NamedRule("early", Short(least=2)), NamedRule("late", Short(least=4))))
    process_part(first)
    Short.scored.clear()
    wider = (NamedRule("early", Short(least=1)), NamedRule("late", Short(least=3)))
    stored = {"early": first.output, "late": first.output}
    again = task(tmp_path, "20-b", wider, stored_scores=stored)
    process_part(again)
    # `early` has every score; `late` needs only the two documents of length 1 that `early` had dropped before.
    assert sum(Short.scored) == 2
    fresh = task(tmp_path, "20-c", wider)
    process_part(fresh)
    for kind in ("data", "meta/scores", "meta/decisions", "meta/samples"):
        name = "part-00000.parquet"
        one, two = (Path(folder.output.path) / kind / name for folder in (again, fresh))
        assert one.read_bytes() == two.read_bytes(), kind


def test_counts_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    import pytest

    from corpus.errors import UserError

    of = task(tmp_path, "20", (NamedRule("double", Double()),))
    process_part(of)
    body = {k: v for k, v in read_json(of.output.sidecar(0)).items() if k != "format"}
    assert finish(of.output, {"step": "double", "digest": "s"}, [body])["documents"] == {"in": 7, "out": 6}
    body["dropped"]["double"]["empty"] += 1
    with pytest.raises(UserError, match="do not add up"):
        finish(of.output, {"step": "double", "digest": "s"}, [body])
    body["dropped"]["double"]["empty"] -= 1
    with pytest.raises(UserError, match="the rule other saw no document"):
        finish(of.output, {"step": "double", "digest": "s"}, [body], ["other"])
