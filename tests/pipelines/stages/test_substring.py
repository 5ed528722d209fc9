"""Passages cut by a stage: equal bytes on every runner and after a break, the same documents in other parts."""

import json
import random
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.dataset import StepFolder
from corpus.parts import read_part
from corpus.recipe.load import parse_rules, source_entry
from corpus.steps.identity import Step
from corpus.steps.rule import NamedRule
from pipelines.engine.partmap import PartsFailed
from pipelines.engine.runner import Runner
from tests.pipelines.stages.alone import extracted, processed
from tests.pipelines.stages.breaking import Substring as BreakingSubstring

STEP = Step(0, parse_rules(["substring: {length: 100}"])[0], ())
ROUNDS = 6


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts of passages, some of which are in several, whole or in part, and two that are nothing else."""
    folder = tmp_path_factory.mktemp("raw")
    rng = random.Random(6)
    letters = "abcdefghé 学"
    pool = ["".join(rng.choices(letters, k=300)) for _ in range(8)]
    texts = [pool[0], pool[0]]
    for _ in range(118):
        text = "".join(rng.choices(letters, k=rng.randrange(150)))
        for _ in range(rng.randrange(3)):
            old = rng.choice(pool)
            text += old[rng.randrange(150) :] + "".join(rng.choices(letters, k=rng.randrange(150)))
        texts.append(text)
    rng.shuffle(texts)
    for number in range(6):
        rows = [{"text": text, "url": f"https://example.org/{n}/{number}"} for n, text in enumerate(texts[number::6])]
        (folder / f"{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def documents(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> StepFolder:
    return extracted(
        source_entry("c4", str(raw), "{split_bytes: 10000}"), tmp_path_factory.mktemp("documents") / "extracted"
    )


def rows_of(step: StepFolder, kind: str) -> pa.Table:
    """All rows of `data`, or of files in `meta`."""
    paths = [step.data(n) if kind == "data" else step.meta(kind, n) for n in range(len(step.parts()))]
    return pa.Table.from_batches([batch for path in paths for batch in read_part(path)])


def bytes_of(step: StepFolder) -> dict[str, bytes]:
    """What was decided, and what came of it, by part."""
    kinds = [(kind, Path(step.path) / "meta" / kind) for kind in ("dedup", "decisions", "scores")]
    found = {f"{kind}/{path.name}": path.read_bytes() for kind, folder in kinds for path in folder.glob("*.parquet")}
    return found | {path.name: path.read_bytes() for path in (Path(step.path) / "data").iterdir()}


@pytest.fixture(scope="module")
def alone(documents: StepFolder, tmp_path_factory: pytest.TempPathFactory) -> StepFolder:
    """By one worker."""
    step = processed(STEP, documents, tmp_path_factory.mktemp("alone") / "substring")
    assert len(bytes_of(step)) == 4 * len(step.parts()) > 20
    return step


def test_all_that_goes_is_counted(documents: StepFolder, alone: StepFolder) -> None:
    manifest, decisions, scores = alone.manifest(), rows_of(alone, "dedup"), rows_of(alone, "scores")
    gone = sum(decisions.column("end").to_pylist()) - sum(decisions.column("start").to_pylist())
    assert sum(scores.column("substring.bytes").to_pylist()) == gone > 10_000
    assert sum(scores.column("substring.spans").to_pylist()) == decisions.num_rows > 100
    count = documents.manifest()["documents"]["out"]
    bare = manifest["dropped"]["substring"]["nothing_left"]
    assert manifest["documents"] == {"in": count, "out": count - bare}
    before, after = (
        dict(zip(table.column("id").to_pylist(), table.column("text").to_pylist(), strict=True))
        for table in (rows_of(documents, "data"), rows_of(alone, "data"))
    )
    blank = sum(len(text.encode()) for id, text in before.items() if id not in after)
    sizes = [sum(len(text.encode()) for text in texts.values()) for texts in (before, after)]
    assert manifest["text_bytes"] == {"in": sizes[0], "out": sizes[1]}
    assert sizes[0] - gone <= sizes[1] + blank
    assert sizes[0] - sizes[1] <= gone + 120
    windows = [text[n : n + 100] for text in after.values() for n in range(len(text) - 99)]
    assert len({*windows}) == len(windows)


@pytest.mark.parametrize("workers", [2, 0], ids=["two workers", "the cluster's graph"])
def test_equal_bytes_by_any_number_of_workers(
    documents: StepFolder, alone: StepFolder, tmp_path: Path, workers: int
) -> None:
    step = processed(STEP, documents, tmp_path / "substring", Runner("local", workers, quiet=True))
    assert bytes_of(step) == bytes_of(alone)


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_equal_bytes_on_spark(documents: StepFolder, alone: StepFolder, tmp_path: Path, spark: Runner) -> None:
    step = processed(STEP, documents, tmp_path / "substring", spark)
    assert bytes_of(step) == bytes_of(alone)


def test_equal_bytes_when_every_turn_broke(documents: StepFolder, alone: StepFolder, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    step = Step(0, NamedRule("substring", BreakingSubstring(length=100, marks=str(marks))), ())
    for number in range(ROUNDS):
        with pytest.raises(PartsFailed, match="broken"):
            processed(step, documents, tmp_path / "substring")
        assert (marks / str(number)).exists()
    assert bytes_of(processed(step, documents, tmp_path / "substring")) == bytes_of(alone)


def test_other_parts_keep_the_same_text(raw: Path, documents: StepFolder, alone: StepFolder, tmp_path: Path) -> None:
    one = tmp_path / "raw"
    one.mkdir()
    lines = [line for path in sorted(raw.iterdir()) for line in path.read_text("utf-8").splitlines(keepends=True)]
    (one / "all.jsonl").write_text("".join(sorted(lines)), encoding="utf-8")
    few = extracted(source_entry("c4", str(one), "{}"), tmp_path / "few")
    assert len(documents.parts()) > len(few.parts()) == 1
    step = processed(STEP, few, tmp_path / "substring")
    assert step.manifest()["dataset_digest"] == alone.manifest()["dataset_digest"]


def test_a_report_decides_the_same_and_drops_nothing(documents: StepFolder, alone: StepFolder, tmp_path: Path) -> None:
    command = ["dedupe", documents.path, str(tmp_path / "report"), "--workers", "1"]
    done = CliRunner().invoke(app, [*command, "--rule", "substring: {length: 100, action: report}"])
    assert done.exit_code == 0, done.output
    report = StepFolder(str(tmp_path / "report"))
    assert rows_of(report, "dedup") == rows_of(alone, "dedup")
    assert report.manifest()["dataset_digest"] == documents.manifest()["dataset_digest"]
