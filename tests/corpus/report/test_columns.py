"""Hosts and languages, counted from columns."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from corpus.dataset import StepFolder, finish
from corpus.filters.length import Length
from corpus.parts import write_part
from corpus.report import columns
from corpus.report.columns import Survival, columns_of, hosts, scored_languages
from corpus.schema import SCHEMA, Document, Origin, document_batch
from corpus.steps.rule import NamedRule
from tests.corpus.report.tongue import Tongue
from tests.corpus.tuning.small_step import extracted, processed


def step_of(folder: Path, parts: Sequence[Sequence[Document]]) -> StepFolder:
    step = StepFolder(str(folder))
    sidecars = []
    for part, documents in enumerate(parts):
        digest = write_part(step.data(part), SCHEMA, iter([document_batch(list(documents), "web")]))
        counts = {"in": len(documents), "out": len(documents)}
        sidecars.append(
            {"part": part, "group": "", "data": {"digest": digest}, "documents": counts, "text_bytes": counts,
             "dropped": {}, "seen": {}, "dataset_digest": "0"}
        )  # fmt: skip
    finish(step, {"step": "extract"}, sidecars)
    return step


def test_hosts() -> None:
    expected = {
        "https://www.Example.org/a?b#c": "example.org",
        "http://user:word@example.org:8080": "example.org",
        "//cdn.example.org/x": "cdn.example.org",
        "http://[2001:db8::1]:80/": "[2001:db8::1]",
        "http://wwwhat.org": "wwwhat.org",
        "no url": None,
        None: None,
        "http:///path": "",
        "http://a.org?x=http://b.org": "a.org",
    }
    assert hosts(pa.array(list(expected), pa.string())).to_pylist() == list(expected.values())


def test_survival_by_host_and_language(tmp_path: Path) -> None:
    def document(number: int, host: str, text: str, language: str | None) -> Document:
        return Document(f"{number}", text, Origin("f", record=number), language, "MIT", f"https://{host}/{number}")

    parts = [
        [document(0, "a.org", "long enough", "en"), document(1, "www.a.org", "short", "en")],
        [document(2, "b.org", "short", None), document(3, "a.org", "long enough", "de")],
    ]
    before = step_of(tmp_path / "10", parts)
    after = processed(before, tmp_path / "20", [NamedRule("length", Length(min_chars=8))])
    found = columns_of(before, after)
    assert (found.documents, found.of) == (2, 2)
    assert found.kept_hosts == [Survival("a.org", 3, 2), Survival("b.org", 1, 0)]
    assert found.dropped_hosts == [Survival("a.org", 3, 2), Survival("b.org", 1, 0)]
    assert found.languages == [("de", 1), ("en", 1)]
    assert found.licenses == [("MIT", 2)]


def test_of_very_many_documents_some_parts_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [[Document(f"{n}", "text", Origin("f"), url=f"http://{n}.org")] for n in range(10)]
    before = step_of(tmp_path / "10", parts)
    monkeypatch.setattr(columns, "LOOKED_AT", 3)
    found = columns_of(before, before)
    assert (found.documents, found.of) == (3, 10)
    assert [one.value for one in found.kept_hosts] == ["0.org", "4.org", "9.org"]


def test_languages_that_a_filter_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = extracted(tmp_path / "10", [["en a", "de b", "fr c", ""], ["en short", "it d"]])
    rules = NamedRule("tongue", Tongue(keep=("en", "it"))), NamedRule("length", Length(min_chars=5))
    step = processed(before, tmp_path / "20", rules)
    found = [Survival("en", 2, 1), Survival("de", 1, 0), Survival("fr", 1, 0), Survival("it", 1, 0)]
    assert scored_languages(step) == found
    monkeypatch.setattr(columns, "LISTED", 2)
    assert scored_languages(step) == [*found[:2], Survival("others", 2, 0)]
    assert scored_languages(processed(before, tmp_path / "30", rules[1:])) == []
