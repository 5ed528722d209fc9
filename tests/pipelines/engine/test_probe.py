from pathlib import Path

import pytest

from corpus.filters.url_blocklist import UrlBlocklist
from corpus.recipe.load import load
from pipelines.engine import probe
from pipelines.engine.probe import WORKER_BYTES, Need, Probe, ProbeTask, Report, free_memory, report, reports

RECIPE = """format: 1
output: {output}
sources:
  c4: {{input: {raw}, steps: [exact]}}
across: [near]
tokenizer: {{model: {output}/tokenizer.model}}
"""


def test_a_machine_that_has_everything(six_texts: Path, tmp_path: Path) -> None:
    domains = tmp_path / "domains.txt"
    domains.write_text("example.org")
    said = report(Need((str(six_texts), str(six_texts / "c4.jsonl")), (UrlBlocklist(domains=(str(domains),)),)))
    assert said.wrong == []
    assert said.models == len("example.org")
    assert said.needed == WORKER_BYTES + said.models
    assert said.free == pytest.approx(free_memory(), rel=0.5)


def test_what_is_missing_is_told_line_by_line(six_texts: Path, tmp_path: Path) -> None:
    domains = tmp_path / "domains.txt"
    domains.write_text("example.org")
    rule = UrlBlocklist(domains=(str(domains),))
    domains.unlink()
    (tmp_path / "empty").mkdir()
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(output=tmp_path, raw=six_texts))
    need = Need.of(load(str(tmp_path / "recipe.yaml"), needs_models=False))
    assert need.inputs == (str(six_texts),)
    assert [type(rule).__name__ for rule in need.rules] == ["Exact", "Near"]
    said = report(Need((*need.inputs, str(tmp_path / "empty"), "s3x://bucket"), (rule,), need.tokenizer))
    told = ["the input", "the input", "the tokenizer", f"there is no word list {domains}"]
    assert [line.startswith(begin) for line, begin in zip(said.wrong, told, strict=True)] == [True] * 4, said.wrong
    assert "empty cannot be read (there is no file in it): give a path" in said.wrong[0]
    assert "tokenizer.model cannot be read (" in said.wrong[2]
    assert all("\n" not in line for line in said.wrong)


def test_each_machine_has_one_report(six_texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, host in enumerate(("one", "two", "one")):
        monkeypatch.setattr(probe.socket, "gethostname", lambda host=host: host)
        Probe(Need((str(six_texts),)), str(tmp_path / "out"))(ProbeTask(number))
    (tmp_path / "out" / "other").touch()
    found = reports(str(tmp_path / "out"))
    assert [(one.host, one.wrong) for one in found] == [("one", []), ("two", [])]
    assert isinstance(found[0], Report)
