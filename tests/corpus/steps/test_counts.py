"""What a cleaner counts is stored beside the scores of filters, null for documents that did not reach it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from corpus.dataset import StepFolder
from corpus.parts import read_part, write_part
from corpus.rules import Cleaned, Cleaner
from corpus.schema import SCHEMA, Document, Origin, document_batch
from corpus.steps.process import ProcessTask, process_part
from corpus.steps.rule import NamedRule


class FirstLetter(Cleaner):
    """Keeps the first letter, drops the empty text, and counts what it removed."""

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        text = batch.column("text")
        length = pc.utf8_length(text).cast(pa.int32())
        reason = pc.if_else(pc.equal(length, 0), "empty", pa.scalar(None, pa.string()))
        counts = pa.RecordBatch.from_pydict({"removed": pc.max_element_wise(pc.subtract(length, 1), 0)})
        return Cleaned(pc.utf8_slice_codeunits(text, 0, 1), reason, counts=counts)


def test_counts_are_stored_by_row(tmp_path: Path) -> None:
    source, output = StepFolder(str(tmp_path / "10")), StepFolder(str(tmp_path / "20"))
    documents = [Document(str(n), text, Origin("f", record=n)) for n, text in enumerate(["abc", "", "de", "f"])]
    write_part(source.data(0), SCHEMA, iter([document_batch(documents, "books")]))
    rules = (NamedRule("first", FirstLetter()), NamedRule("again", FirstLetter()))
    process_part(ProcessTask(0, "", source, output, "s", "i", rules))
    (scores,) = read_part(output.meta("scores", 0))
    assert scores.to_pydict() == {"first.removed": [2, 0, 1, 0], "again.removed": [0, None, 0, 0]}
    assert [text for batch in read_part(output.data(0)) for text in batch["text"].to_pylist()] == ["a", "d", "f"]
    (samples,) = read_part(output.meta("samples", 0))
    dropped = [row for row in samples.to_pylist() if row["reason"] == "empty"]
    assert [row["text"] for row in dropped] == [""]
