"""Documents whose id was seen before, at the end of extract."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pytest
from corpus.steps.plan import ExtractTasks, write_extract_plan
from pipelines.extract import extract

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import read_part
from corpus.recipe import source_plan
from corpus.sources.raw import list_files
from corpus.steps.extract import DecideIds, DropDuplicateIds, SignIds, extract_part
from corpus.steps.result import PartResult
from corpus.steps.spill import GroupedPartition, encode_block, gather
from corpus.storage import read_json
from pipelines.engine.runner import Runner

PARTITIONS = 3
SPLIT_BYTES = 3  # each file is a split


def write_raw(folder: Path, files: Iterable[Iterable[str]]) -> None:
    """A C4 file for each list of names; equal names are equal URLs, so equal ids."""
    folder.mkdir()
    for number, names in enumerate(files):
        rows = [{"text": f"{name} in file {number}", "url": f"https://example.org/{name}"} for name in names]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"c4-{number}.json.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))


def extract_parts(raw: Path, output: StepFolder) -> list[PartResult]:
    plan = source_plan("c4", str(raw), "{}")
    files = list_files(plan.input)
    splits = plan.source.plan(files, SPLIT_BYTES)
    path = write_extract_plan(output, files, splits)
    return [extract_part(task) for task in ExtractTasks(plan.source, plan.input, output, "step")(path)]


def decisions(results: list[PartResult], output: StepFolder) -> list[GroupedPartition]:
    """Of each part that has any, as the exchanges of `pipelines.extract` bring them together."""
    signed: dict[int, list[bytes]] = {}
    for result in results:
        for partition, block in gather(SignIds(output, PARTITIONS)(result), PARTITIONS):
            signed.setdefault(partition, []).append(encode_block(block))
    decided: dict[int, list[bytes]] = {}
    for partition, encoded in signed.items():
        for part, block in DecideIds(len(results))(GroupedPartition(partition, tuple(encoded))):
            decided.setdefault(part, []).append(encode_block(block))
    return [GroupedPartition(part, tuple(encoded)) for part, encoded in sorted(decided.items())]


def texts(output: StepFolder, part: int) -> list[str]:
    return pa.Table.from_batches(list(read_part(output.data(part))))["text"].to_pylist()


def test_the_first_document_of_an_id_stays_however_often_a_part_is_done(tmp_path: Path) -> None:
    write_raw(tmp_path / "raw", [["a", "b"], ["b", "c", "d", "c"], ["a", "e", "f"]])
    output = StepFolder(str(tmp_path / "step"))
    decided = decisions(extract_parts(tmp_path / "raw", output), output)
    assert [partition.part for partition in decided] == [1, 2]
    drop = DropDuplicateIds(output)
    first = [drop(partition) for partition in decided]
    sidecars = [read_json(output.sidecar(part)) for part in range(3)]
    assert texts(output, 0) == ["a in file 0", "b in file 0"]
    assert texts(output, 1) == ["c in file 1", "d in file 1"]
    assert texts(output, 2) == ["e in file 2", "f in file 2"]
    assert sidecars[1]["dropped"] == {"extract": {"duplicate_id": 2}}
    assert (sidecars[1]["documents"], sidecars[2]["documents"]) == ({"in": 4, "out": 2}, {"in": 3, "out": 2})

    # The same decisions once more: a bundle that Beam repeats, or spill files from before a kill.
    second = [drop(partition) for partition in decided]
    assert [(a.documents_in, a.documents_out) for a in first] == [(b.documents_in, b.documents_out) for b in second]
    assert [texts(output, part) for part in (1, 2)] == [
        ["c in file 1", "d in file 1"],
        ["e in file 2", "f in file 2"],
    ]
    assert [read_json(output.sidecar(part)) for part in range(3)] == sidecars


def test_a_part_without_its_sidecar_is_not_touched(tmp_path: Path) -> None:
    write_raw(tmp_path / "raw", [["a"], ["a", "b"]])
    output = StepFolder(str(tmp_path / "step"))
    (partition,) = decisions(extract_parts(tmp_path / "raw", output), output)
    Path(output.sidecar(1)).unlink()
    with pytest.raises(UserError, match="run the step again"):
        DropDuplicateIds(output)(partition)
    assert texts(output, 1) == ["a in file 1", "b in file 1"]


def test_a_run_that_was_killed_between_two_parts_drops_no_other_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_raw(tmp_path / "raw", [["a", "b"], ["a", "c", "d"], ["b", "e", "f"]])
    plan = source_plan("c4", str(tmp_path / "raw"), "{}")
    cut = plan.__class__(plan.name, plan.source, plan.input, plan.include, SPLIT_BYTES, plan.steps)
    runner = Runner("local", 1, quiet=True)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.extract.finish_step", killed)
        with pytest.raises(KeyboardInterrupt):
            extract(cut, str(tmp_path / "run"), str(tmp_path / "work"), runner)
    assert list((tmp_path / "work").rglob("*.spill"))  # written before rows were dropped, and used again
    output, _ = extract(cut, str(tmp_path / "run"), str(tmp_path / "work"), runner)
    assert [texts(output, part) for part in range(3)] == [
        ["a in file 0", "b in file 0"],
        ["c in file 1", "d in file 1"],
        ["e in file 2", "f in file 2"],
    ]
    manifest = output.manifest()
    assert (manifest["documents"], manifest["dropped"]) == (
        {"in": 8, "out": 6},
        {"extract": {"duplicate_id": 2}},
    )
