"""Documents found in parts by their ids and URLs."""

from pathlib import Path

from corpus.dataset import StepFolder
from corpus.parts import write_part
from corpus.schema import SCHEMA, Document, Origin, document_batch
from corpus.steps.find import FindTask, FoundDocument, Wanted, find_part, write_wanted
from corpus.storage import read_json


def test_a_part(tmp_path: Path) -> None:
    step, results = StepFolder(str(tmp_path / "20")), str(tmp_path / "results")
    documents = [
        Document(f"d{n}", "text", Origin(f"f{n}"), url=f"https://{n}" if n % 2 else None) for n in range(9000)
    ]  # three row groups
    write_part(step.data(2), SCHEMA, iter([document_batch(documents, "s")]))
    write_wanted(results, Wanted(("d0", "d8001", "nobody"), ("https://4001", "https://8001")))
    done = find_part(FindTask(2, step, results))
    assert (done.documents_in, done.documents_out, done.reused) == (9000, 3, False)
    found = [FoundDocument(**one) for one in read_json(f"{results}/part-00002.json")["found"]]
    assert found == [
        FoundDocument(2, 0, "d0", None, "f0"),
        FoundDocument(2, 4001, "d4001", "https://4001", "f4001"),
        FoundDocument(2, 8001, "d8001", "https://8001", "f8001"),
    ]
    assert find_part(FindTask(2, step, results)).reused


def test_lists_together() -> None:
    assert Wanted(("a", "c"), ()) | Wanted(("b", "c"), ("u",)) == Wanted(("a", "b", "c"), ("u",))
    assert not Wanted()
    assert Wanted(urls=("u",))
