"""What a cleaner counts: told by the interpreter of a chain, stored beside the documents."""

from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from corpus.dataset import StepFolder
from corpus.parts import read_part, write_part
from corpus.rules import Cleaned, Cleaner
from corpus.schema import SCHEMA, Document, Origin, document_batch
from corpus.steps.chain import apply_chain
from corpus.steps.process import ProcessTask, process_part
from corpus.steps.rule import NamedRule


class Trim(Cleaner):
    """Cuts texts to three letters, counts what it cut off, and drops what is empty."""

    reasons: ClassVar[tuple[str, ...]] = ("empty",)

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        text = batch.column("text")
        cut = pc.subtract(pc.max_element_wise(pc.utf8_length(text), 3), 3).cast(pa.int64())
        return Cleaned(
            pc.utf8_slice_codeunits(text, 0, 3),
            pc.if_else(pc.equal(text, ""), "empty", pa.scalar(None, pa.string())),
            counts=pa.RecordBatch.from_pydict({"cut": cut}),
        )


def documents(*texts: str) -> pa.RecordBatch:
    return document_batch([Document(str(n), text, Origin("f")) for n, text in enumerate(texts)], "books")


def test_what_a_cleaner_counts_is_told() -> None:
    (applied,) = apply_chain(documents("abcdef", "", "ab"), None, [NamedRule("trim", Trim())])
    assert applied.scores is not None
    assert applied.scores.to_pydict() == {"cut": [3, 0, 0]}
    assert applied.reasons.to_pylist() == [None, "empty", None]


def test_what_a_cleaner_counts_is_stored_beside_the_documents(tmp_path: Path) -> None:
    before, after = StepFolder(str(tmp_path / "before")), StepFolder(str(tmp_path / "after"))
    write_part(before.data(0), SCHEMA, iter([documents("abcdef", "", "abcd")]))
    rules = (NamedRule("trim", Trim()), NamedRule("trim-2", Trim()))
    process_part(ProcessTask(0, "", before, after, "s", "i", rules))
    scores = pa.Table.from_batches(list(read_part(after.meta("scores", 0))))
    assert scores.to_pydict() == {"trim.cut": [3, 0, 1], "trim-2.cut": [0, None, 0]}
    (sample,) = [
        row for batch in read_part(after.meta("samples", 0)) for row in batch.to_pylist() if row["reason"] == "empty"
    ]
    assert sample["id"] == "1"
