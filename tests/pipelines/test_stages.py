"""Steps into folders named by hand, and the folders that a recipe leaves behind."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from corpus.steps.plan import Step
from pipelines.extract import extract
from pipelines.process import StepInput, run_step
from pipelines.tokenize import tokenize
from typer.testing import CliRunner

from corpus.cli import app
from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import write_part
from corpus.recipe import TokenizerSection, load, parse_rules, source_plan
from pipelines.engine.runner import Runner
from pipelines.gc import stale_folders
from pipelines.run import run
from tests.tokenizer.conftest import trained

RUNNER = Runner("local", 1, quiet=True)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    rows = [{"text": f"text {n}", "url": f"https://example.org/{n}"} for n in range(6)]
    (folder / "c4.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_decisions_that_another_step_left_are_not_applied(raw: Path, tmp_path: Path) -> None:
    work = str(tmp_path / "work")
    extracted, _ = extract(source_plan("c4", str(raw), "{}"), "", work, RUNNER, str(tmp_path / "extracted"))
    output = StepFolder(str(tmp_path / "deduped"))
    stale = pa.RecordBatch.from_pydict({"row": pa.array([0, 3], pa.uint32())})
    write_part(output.meta("dedup", 0), stale.schema, iter([stale]))
    step = Step(0, parse_rules(["exact"])[0], ())
    run_step(step, [StepInput("c4", extracted, output.path, output.path)], work, RUNNER)
    assert output.manifest()["documents"] == {"in": 6, "out": 6}


def test_a_removed_shard_is_made_again(raw: Path, tmp_path: Path) -> None:
    extracted, _ = extract(source_plan("c4", str(raw), "{}"), str(tmp_path), str(tmp_path / "work"), RUNNER)
    model = tmp_path / "tokenizer.model"
    model.write_bytes(trained())
    home, section = str(tmp_path / "tokens"), TokenizerSection(held_out=2)
    output, ran = tokenize(extracted, home, "c4", str(model), section, RUNNER)
    assert ran
    assert tokenize(extracted, home, "c4", str(model), section, RUNNER) == (output, False)
    for name in ("shard-00000.tok", "heldout/shard-00000.tok"):
        content = Path(output, name).read_bytes()
        Path(output, name).unlink()
        assert tokenize(extracted, home, "c4", str(model), section, RUNNER) == (output, True)
        assert Path(output, name).read_bytes() == content


def test_an_input_without_a_record_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "empty.jsonl").touch()
    with pytest.raises(UserError, match="nothing came in"):
        extract(source_plan("c4", str(tmp_path / "raw"), "{}"), str(tmp_path), str(tmp_path / "work"), RUNNER)


def test_what_would_stop_the_last_source_is_said_before_the_first(raw: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    head = f"format: 1\noutput: {tmp_path}/run\nsources:\n  c4: {{input: {raw}}}\n"
    for rest, message in [
        ("  books: {input: /nowhere}\n", "input /nowhere of books does not exist"),
        ("tokenizer: {model: /nowhere/t.model}\n", "tokenizer model /nowhere/t.model does not exist"),
    ]:
        path.write_text(head + rest, encoding="utf-8")
        with pytest.raises(UserError, match=message):
            run(load(str(path)), RUNNER, say=lambda line: None)
        assert not (tmp_path / "run").exists()
    run(load(str(path)), RUNNER, only=["c4"], say=lambda line: None)


def test_gc_lists_what_the_recipe_no_longer_names(raw: Path, tmp_path: Path) -> None:
    home = tmp_path / "run"
    path = tmp_path / "recipe.yaml"

    def run_recipe(sources: str) -> None:
        path.write_text(f"format: 1\noutput: {home}\nsources:\n{sources}", encoding="utf-8")
        run(load(str(path)), RUNNER, say=lambda line: None)

    c4 = f"  c4: {{input: {raw}, steps: [length: {{min_chars: %d}}]}}\n"
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "1.txt").write_text("A book.\n")
    run_recipe(c4 % 1 + f"  books: {{input: {tmp_path / 'books'}}}\n")
    assert stale_folders(str(home)) == []
    before = {folder for source in ("c4", "books") for folder in (home / source).iterdir()}
    run_recipe(c4 % 2)
    gone = {Path(folder) for folder in stale_folders(str(home))}
    assert gone == {folder for folder in before if "extract" not in folder.name or folder.parent.name == "books"}


def test_a_stage_command_takes_the_scores_of_a_step_beside_it(raw: Path, tmp_path: Path) -> None:
    def corpus(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, "--workers", "1"])
        assert result.exit_code == 0, result.output
        return result.output

    extracted, first, second = (str(tmp_path / name) for name in ("extracted", "first", "second"))
    corpus("extract", "c4", str(raw), extracted)
    corpus("filter", extracted, first, "--rule", "length: {min_chars: 1}")
    scores = pa.RecordBatch.from_pydict({"length.characters": pa.array([5, 6, 7, 8, 9, 10], pa.int64())})
    write_part(StepFolder(first).meta("scores", 0), scores.schema, iter([scores]))
    assert "6 in, 3 out" in corpus("filter", extracted, second, "--rule", "length: {min_chars: 8}")
