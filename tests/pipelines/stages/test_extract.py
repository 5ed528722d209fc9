import json
import random
from pathlib import Path

import pytest

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import read_part
from corpus.recipe.load import load, source_entry
from pipelines.engine.runner import Runner
from pipelines.run import run
from pipelines.stages.extract import Extract
from tests.pipelines.stages.alone import extracted
from tests.small_run import files_of

RECIPE = """\
format: 1
output: {output}
sources:
  stackexchange:
    input: {raw}
    split_bytes: {split_bytes}
    steps: []
"""


def test_an_input_without_a_record_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "empty.jsonl").touch()
    with pytest.raises(UserError, match="nothing came in"):
        extracted(source_entry("c4", str(tmp_path / "raw"), "{}"), tmp_path / "step")


def test_an_input_that_is_not_there_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="input /nowhere does not exist: set `input` to the folder"):
        extracted(source_entry("c4", "/nowhere", "{}"), tmp_path / "step")
    assert not (tmp_path / "step").exists()


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sites; the answers of the large one come up to 300 posts after their question, a few long before it."""
    folder = tmp_path_factory.mktemp("raw")
    rand = random.Random(0)
    for site, posts in (("large.example", 2000), ("small.example", 5)):
        rows = []
        for number in range(1, posts):
            if number % 3 == 1:
                kind = f'PostTypeId="1" Title="title {number}"'
            else:
                kind = f'PostTypeId="2" ParentId="{max(1, number - rand.randrange(1, 300))}"'
            words = " ".join(str(rand.random()) for _ in range(rand.randrange(1, 40)))
            rows.append(f'<row Id="{number}" {kind} Score="{rand.randrange(9)}" Body="&lt;p&gt;{words}&lt;/p&gt;" />')
        rows += [rows.pop(0), "<row broken />"]
        (folder / site).mkdir()
        (folder / site / "Posts.xml").write_text("<posts>\n" + "\n".join(rows) + "\n</posts>", encoding="utf-8")
    return folder


def extract(raw: Path, folder: Path, runner: Runner, split_bytes: int) -> tuple[StepFolder, dict[str, bytes]]:
    folder.mkdir()
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(output=folder / "run", raw=raw, split_bytes=split_bytes), encoding="utf-8")
    result = run(load(str(recipe)), runner, until="extract", say=lambda line: None)
    (stage,) = result.graph.stages
    assert isinstance(stage, Extract)
    return stage.documents(), contents(folder / "run")


def contents(folder: Path) -> dict[str, bytes]:
    """But not the copies of the recipe, which name the folder, and when what was done."""
    return {path: body for path, body in files_of(folder).items() if not path.startswith(("recipes/", ".status/"))}


def documents(step: StepFolder) -> list[dict[str, object]]:
    rows = [row for part in step.parts() for batch in read_part(step.data(part.number)) for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: row["id"])


def test_a_site_in_pieces_has_the_documents_of_the_whole(raw: Path, tmp_path: Path) -> None:
    whole, _ = extract(raw, tmp_path / "whole", Runner(workers=1, quiet=True), 1 << 30)
    pieces, two = extract(raw, tmp_path / "two", Runner(workers=2, quiet=True), 200_000)
    assert [len(step.parts()) for step in (whole, pieces)] == [2, 20]
    assert documents(pieces) == documents(whole)
    a, b = whole.manifest(), pieces.manifest()
    for key in ("dataset_digest", "documents", "dropped", "seen", "text_bytes"):
        assert a[key] == b[key]
    assert a["dropped"]["extract"].keys() == {"bad_row", "merged_into_document", "orphan_answer"}
    # With one worker, and on the cluster's graph: the same bytes.
    for name, workers in (("one", 1), ("graph", 0)):
        _, found = extract(raw, tmp_path / name, Runner(workers=workers, quiet=True), 200_000)
        assert found == two


def test_a_finished_part_is_left_and_a_lost_one_done_again(raw: Path, tmp_path: Path) -> None:
    runner = Runner(workers=2, quiet=True)
    step, before = extract(raw, tmp_path / "run", runner, 200_000)
    manifest = Path(step.manifest_path)
    manifest.unlink()
    Path(step.sidecar(3)).unlink()
    kept = Path(step.data(4)).stat().st_mtime_ns
    recipe = load(str(tmp_path / "run" / "recipe.yaml"))
    run(recipe, runner, until="extract", say=lambda line: None)
    assert contents(tmp_path / "run" / "run") == before
    assert Path(step.data(4)).stat().st_mtime_ns == kept
    assert json.loads(manifest.read_text())["documents"]["in"] == 1999 + 1 + 4 + 1
    assert not list((tmp_path / "run" / "run" / ".work").rglob("*.spill"))
