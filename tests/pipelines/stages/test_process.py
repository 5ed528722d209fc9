"""Steps into folders named by hand."""

from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import write_part
from corpus.recipe.load import parse_rules, source_entry
from corpus.steps.identity import Step
from pipelines.engine.runner import Runner
from tests.pipelines.engine.idle import Idle
from tests.pipelines.stages.alone import extracted, processed


def test_decisions_that_another_step_left_are_not_applied(six_texts: Path, tmp_path: Path) -> None:
    before = extracted(source_entry("c4", str(six_texts), "{}"), tmp_path / "extracted")
    output = StepFolder(str(tmp_path / "deduped"))
    stale = pa.RecordBatch.from_pydict({"row": pa.array([0, 3], pa.uint32())})
    write_part(output.meta("dedup", 0), stale.schema, iter([stale]))
    processed(Step(0, parse_rules(["exact"])[0], ()), before, output.path)
    assert output.manifest()["documents"] == {"in": 6, "out": 6}


def test_a_dedup_that_was_not_run_has_decided_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions that say that they are complete, and are not there, keep every duplicate."""
    (tmp_path / "raw").mkdir()
    rows = [f'{{"text": "the same", "url": "https://{host}.org"}}\n' for host in "ab"]
    (tmp_path / "raw" / "c4.jsonl").write_text("".join(rows))
    before = extracted(source_entry("c4", str(tmp_path / "raw"), "{}"), tmp_path / "extracted")
    step = Step(0, parse_rules(["exact"])[0], ())
    output = tmp_path / "deduped"
    with monkeypatch.context() as patched:
        patched.setattr(Runner, "_pipeline", lambda self: beam.Pipeline(runner=Idle("DONE")))
        with pytest.raises(UserError, match="no worker has left a mark"):
            processed(step, before, output, Runner("dataflow", quiet=True))
    assert not output.exists()
    assert processed(step, before, output).manifest()["documents"] == {"in": 2, "out": 1}


def test_the_result_of_another_step_is_not_written_over(six_texts: Path, tmp_path: Path) -> None:
    before = extracted(source_entry("c4", str(six_texts), "{}"), tmp_path / "extracted")
    first = processed(Step(0, None, parse_rules(["length: {min_chars: 1}"])), before, tmp_path / "step")
    digest = first.manifest()["digest"]
    with pytest.raises(UserError, match=rf"step holds the result of step {digest[:8]}, and this one is \w{{8}}: name"):
        processed(Step(0, None, parse_rules(["length: {min_chars: 2}"])), before, tmp_path / "step")
    assert first.manifest()["digest"] == digest


def test_a_stage_command_takes_the_scores_of_a_step_beside_it(six_texts: Path, tmp_path: Path) -> None:
    def corpus(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, "--workers", "1"])
        assert result.exit_code == 0, result.output
        return result.output

    extracted, first, second = (str(tmp_path / name) for name in ("extracted", "first", "second"))
    corpus("extract", "c4", str(six_texts), extracted)
    corpus("filter", extracted, first, "--rule", "length: {min_chars: 1}")
    scores = pa.RecordBatch.from_pydict({"length.characters": pa.array([5, 6, 7, 8, 9, 10], pa.int64())})
    write_part(StepFolder(first).meta("scores", 0), scores.schema, iter([scores]))
    assert "6 in, 3 out" in corpus("filter", extracted, second, "--rule", "length: {min_chars: 8}")
