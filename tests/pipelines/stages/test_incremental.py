"""One snapshot after another, each against the index of those before: the bytes of all at once, older ones first."""

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from corpus.dataset import StepFolder
from corpus.dedup.exact import Exact
from corpus.errors import UserError
from corpus.recipe.load import parse_rules, source_entry
from corpus.steps.identity import Step
from pipelines.engine.runner import Runner
from pipelines.stages.given import Given
from pipelines.stages.process import Process
from tests.pipelines.stages.alone import RUNNER, done, extracted

RULES = ["exact", "exact: {on: url}", "lines: {keep: first, min_chars: 4}", "near: {ngram: 1, threshold: 0.7}"]


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> list[StepFolder]:
    """Random documents of four snapshots, in 1 to 4 parts each: edits of few texts, of few lines, so that documents,
    lines and most of a text come again, in a snapshot and in later ones."""
    folder = tmp_path_factory.mktemp("snapshots")
    rng = random.Random(5)
    lines = [" ".join(f"w{rng.randrange(60)}" for _ in range(rng.randint(0, 8))) for _ in range(60)]
    texts = ["\n".join(rng.choices(lines, k=12)) for _ in range(6)]
    found = []
    for number, parts in enumerate((2, 3, 1, 4)):
        raw = folder / f"raw-{number}"
        raw.mkdir(parents=True)
        for file in range(parts):
            rows = [
                {"text": f"own {number} {file}", "url": f"https://example.org/{number}/{file}", "id": f"own {file}"}
            ]
            for n in range(rng.randint(1, 40)):
                text = rng.choice(texts).split("\n")
                for _ in range(rng.choice([0, 0, 1, 3])):
                    text[rng.randrange(len(text))] = rng.choice(lines)
                texts.append("\n".join(text))
                url = f"https://example.org/{rng.randrange(100)}" if rng.random() < 0.9 else None
                rows.append({"text": texts[-1], "url": url, "id": f"{number}-{file}-{n}"})
            path = raw / f"{file}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        found.append(
            extracted(source_entry("documents", str(raw), "{split_bytes: 3000}"), folder / f"extracted-{number}")
        )
    assert min(len(step.parts()) for step in found) > 1
    return found


def deduped(
    inputs: Sequence[StepFolder], folder: Path, rule: str, runner: Runner = RUNNER, **folders: Path
) -> list[StepFolder]:
    """The step of a dedup over all inputs together, in a folder for each."""
    (named,) = parse_rules([rule], {name: str(path) for name, path in folders.items()})
    names = tuple(f"source-{n}" for n in range(len(inputs)))
    homes = tuple(str(folder / name) for name in names)
    stage = Process(Step(0, named, ()), names, tuple(map(Given, inputs)), homes, across=True)
    done(stage, folder / ".work", runner)
    return [stage.documents(name) for name in names]


def copied(folder: StepFolder, to: Path) -> StepFolder:
    return StepFolder(str(shutil.copytree(folder.path, to / Path(folder.path).name)))


def bytes_of(step: StepFolder) -> dict[str, bytes]:
    """What was decided, and what came of it, by part."""
    folders = [(kind, Path(step.path) / kind) for kind in ("data", "meta/dedup", "meta/decisions")]
    return {f"{kind}/{path.name}": path.read_bytes() for kind, folder in folders for path in folder.glob("*.parquet")}


def index_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_turn(snapshots: list[StepFolder], folder: Path, rule: str, runner: Runner = RUNNER) -> list[StepFolder]:
    """The first snapshot, then two together, then the last against an index that goes on from another."""
    first, second, third, last = [copied(snapshot, folder / "copies") for snapshot in snapshots]
    index = [folder / "index-1", folder / "index-2"]
    steps = deduped([first], folder / "1", rule, runner, index=index[0])
    shutil.rmtree(first.path)  # no older text is read
    steps += deduped([second, third], folder / "2", rule, runner, against=index[0], index=index[1])
    shutil.rmtree(second.path)
    shutil.rmtree(third.path)
    return steps + deduped([last], folder / "3", rule, runner, against=index[1])


@pytest.mark.parametrize("rule", RULES)
def test_one_after_another_is_all_at_once(snapshots: list[StepFolder], tmp_path: Path, rule: str) -> None:
    together = deduped(snapshots, tmp_path / "together", rule)
    apart = in_turn(snapshots, tmp_path / "apart", rule)
    assert [bytes_of(step) for step in apart] == [bytes_of(step) for step in together]
    assert all(any(name.startswith("meta/dedup/") for name in bytes_of(step)) for step in apart)


@pytest.fixture(scope="module")
def alone(snapshots: list[StepFolder], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """All files of runs in turn, by one worker."""
    folder = tmp_path_factory.mktemp("alone")
    in_turn(snapshots, folder, RULES[-1])
    return files(folder)


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for name in ("1", "2", "3", "index-1", "index-2") for path in (folder / name).rglob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.is_file()}


@pytest.mark.parametrize("workers", [2, 0], ids=["two workers", "the cluster's graph"])
def test_equal_bytes_by_any_number_of_workers(
    snapshots: list[StepFolder], alone: dict[str, bytes], tmp_path: Path, workers: int
) -> None:
    in_turn(snapshots, tmp_path, RULES[-1], Runner("local", workers, quiet=True))
    assert files(tmp_path) == alone
    assert len([name for name in alone if name.startswith("index-2/parts/")]) > 4


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_equal_bytes_on_spark(
    snapshots: list[StepFolder], alone: dict[str, bytes], tmp_path: Path, spark: Runner
) -> None:
    in_turn(snapshots, tmp_path, RULES[-1], spark)
    assert files(tmp_path) == alone


def test_an_index_is_made_again_from_what_was_decided(snapshots: list[StepFolder], tmp_path: Path) -> None:
    """Whatever of it is missing: parts that are there stay as they are."""
    index, step = tmp_path / "index", tmp_path / "step"
    deduped(snapshots[:2], step, "exact", index=index)
    made = index_bytes(index)
    (index / "index.json").unlink()
    for name in ("part-00001.json", "part-00003.parquet", "part-00003.json"):
        (index / "parts" / name).unlink()
    times = {path: path.stat().st_mtime_ns for path in index.rglob("part-*")}
    deduped(snapshots[:2], step, "exact", index=index)
    assert index_bytes(index) == made
    changed = {path.name for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert changed == {"part-00001.parquet"}


def test_a_step_is_known_by_the_index_that_it_goes_against(snapshots: list[StepFolder], tmp_path: Path) -> None:
    """By what is in it, wherever it is."""
    for number in (0, 1):
        deduped(snapshots[number : number + 1], tmp_path / "first", "exact", index=tmp_path / f"index-{number}")
    shutil.copytree(tmp_path / "index-0", tmp_path / "moved")
    found = [
        deduped(snapshots[2:3], tmp_path / "second", "exact", **against)[0].path
        for against in ({}, *({"against": tmp_path / name} for name in ("index-0", "index-1", "moved")))
    ]
    assert len(set(found[:3])) == 3
    assert found[3] == found[1]


def test_an_index_that_does_not_fit_is_refused_in_a_line(snapshots: list[StepFolder], tmp_path: Path) -> None:
    def refused(rule: str, against: Path = tmp_path / "index") -> str:
        with pytest.raises(UserError) as caught:
            deduped(snapshots[3:], tmp_path / "refused", rule, against=against)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "refused").exists()
        return str(caught.value).replace(str(tmp_path), "")

    deduped(snapshots[:1], tmp_path / "step", "exact", index=tmp_path / "index")
    deduped(snapshots[1:2], tmp_path / "step", "exact", against=tmp_path / "index", index=tmp_path / "second")
    assert refused("exact: {on: url}") == (
        "/index was made with on text, and this step has on url: set the same, or make the index again"
    )
    assert refused("lines: {keep: first}").startswith("/index is an index of exact, and this step is lines: go against")
    assert "there is no index of a dedup in /nothing: give the folder" in refused("exact", tmp_path / "nothing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Exact, "version", 7)
        assert refused("exact").startswith("/index is an index of exact with version 1, and this step is exact with v")
    with pytest.raises(UserError, match=r"index holds the index of step \w{8}, and this one is \w{8}: name another"):
        deduped(snapshots[1:2], tmp_path / "other", "exact", index=tmp_path / "index")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("corpus.dedup.near.MOST_SOURCES", 2)
        deduped(snapshots[:1], tmp_path / "near", "near", index=tmp_path / "near-1")
        deduped(snapshots[1:2], tmp_path / "near", "near", against=tmp_path / "near-1", index=tmp_path / "near-2")
        assert "from source to source 2 times at most, and with this step there are 3" in refused(
            "near", tmp_path / "near-2"
        )
    parts = tmp_path / "index" / "parts"
    shutil.copytree(parts, tmp_path / "whole")
    shutil.copy(parts / "part-00000.parquet", parts / "part-00001.parquet")
    with pytest.raises(Exception, match=r"part-00001.parquet is not what its index was made with: put that back"):
        deduped(snapshots[3:], tmp_path / "other", "exact", against=tmp_path / "index")
    shutil.copy(tmp_path / "whole" / "part-00001.parquet", parts / "part-00001.parquet")
    (tmp_path / "index" / "parts" / "part-00001.parquet").rename(tmp_path / "away")
    assert refused("exact") == "/index/parts/part-00001.parquet is gone: put it back, or make the index again"
    assert refused("exact", tmp_path / "second") == refused("exact")
    shutil.rmtree(tmp_path / "index")
    assert "/second goes on from the index /index, which is gone" in refused("exact", tmp_path / "second")
    shutil.rmtree(tmp_path / "step")
    deduped(snapshots[2:3], tmp_path / "step", "exact", index=tmp_path / "index")
    assert "/second goes on from the index /index, which is another one now" in refused("exact", tmp_path / "second")
