"""Documents whose id was seen before, at the end of extract."""

import gzip
import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from corpus.dataset import StepFolder, finish
from corpus.errors import UserError
from corpus.parts import read_part
from corpus.recipe.load import source_entry
from corpus.sources.raw import list_files
from corpus.steps.extract import DecideIds, DropDuplicateIds, ExtractTasks, SignIds, extract_part, write_splits
from corpus.steps.result import PartResult
from corpus.steps.spill import GroupedPartition, encode_block, gather
from corpus.storage import read_json
from tests.pipelines.stages.alone import extracted

PARTITIONS = 3
SPLIT_BYTES = 3  # each file is a split


def write_raw(folder: Path, files: Iterable[Iterable[str]], same_texts: bool = False) -> None:
    """A C4 file for each list of names, which are ids; texts name their file too unless they are the `same`."""
    folder.mkdir()
    for number, names in enumerate(files):
        rows = [{"text": name if same_texts else f"{name} in file {number}", "id": name} for name in names]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"c4-{number}.json.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))


def extract_parts(raw: Path, output: StepFolder) -> list[PartResult]:
    entry = source_entry("c4", str(raw), "{}")
    files = list_files(entry.input)
    splits = entry.source.splits(files, SPLIT_BYTES)
    path = write_splits(output, files, splits)
    tasks = ExtractTasks(entry.name, entry.source, entry.input, output, "step")
    return [extract_part(task) for task in tasks(path)]


def decisions(results: list[PartResult], output: StepFolder, and_text: bool = False) -> list[GroupedPartition]:
    """Of each part that has any, as the exchanges of `pipelines.stages.extract` bring them together."""
    signed: dict[int, list[bytes]] = {}
    for result in results:
        for partition, block in gather(SignIds(output, PARTITIONS, and_text)(result), PARTITIONS):
            signed.setdefault(partition, []).append(encode_block(block))
    decided: dict[int, list[bytes]] = {}
    for partition, encoded in signed.items():
        for part, block in gather(DecideIds(len(results))(GroupedPartition(partition, tuple(encoded))), len(results)):
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


def test_an_id_of_the_datas_own_may_come_with_another_text(tmp_path: Path) -> None:
    """Only what is the same document goes; what shares an id is counted, and stays."""
    (tmp_path / "raw").mkdir()
    for number, rows in enumerate([["a", "b"], ["a", "a other", "b other"], ["b other", "c", "a third"]]):
        lines = [json.dumps({"text": f"text {row}", "url": f"https://example.org/{row[0]}"}) + "\n" for row in rows]
        (tmp_path / "raw" / f"c4-{number}.json.gz").write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
    output = StepFolder(str(tmp_path / "step"))
    decided = decisions(extract_parts(tmp_path / "raw", output), output, and_text=True)
    for _ in range(2):  # a bundle that Beam repeats changes nothing
        results = [DropDuplicateIds(output)(partition) for partition in decided]
        assert [(result.part, result.documents_in, result.documents_out) for result in results] == [
            (1, 3, 2),
            (2, 3, 2),
        ]
        assert texts(output, 0) == ["text a", "text b"]
        assert texts(output, 1) == ["text a other", "text b other"]
        assert texts(output, 2) == ["text c", "text a third"]
        sidecars = [read_json(output.sidecar(part)) for part in range(3)]
        assert [sidecar.get("notes") for sidecar in sidecars] == [
            None,
            {"id_with_other_text": 2},
            {"id_with_other_text": 1},
        ]
        assert [sidecar["dropped"]["extract"] for sidecar in sidecars] == [{}, {"duplicate_id": 1}, {"duplicate_id": 1}]
    bodies = [{key: value for key, value in sidecar.items() if key != "format"} for sidecar in sidecars]
    manifest = finish(output, {"step": "extract", "digest": "step"}, bodies)
    assert (manifest["documents"], manifest["notes"]) == ({"in": 8, "out": 6}, {"id_with_other_text": 3})


def test_a_part_where_every_id_comes_with_another_text_is_left_as_it_is(tmp_path: Path) -> None:
    write_raw(tmp_path / "raw", [["a", "b"], ["a", "b"]])
    output = StepFolder(str(tmp_path / "step"))
    (partition,) = decisions(extract_parts(tmp_path / "raw", output), output, and_text=True)
    before = Path(output.data(1)).read_bytes()
    for _ in range(2):
        DropDuplicateIds(output)(partition)
        assert read_json(output.sidecar(1))["notes"] == {"id_with_other_text": 2}
        assert Path(output.data(1)).read_bytes() == before


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
    write_raw(tmp_path / "raw", [["a", "b"], ["a", "c", "d"], ["b", "e", "f"]], same_texts=True)
    cut = replace(source_entry("c4", str(tmp_path / "raw"), "{}"), split_bytes=SPLIT_BYTES)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.stages.extract.finish_step", killed)
        with pytest.raises(KeyboardInterrupt):
            extracted(cut, tmp_path / "step")
    assert list((tmp_path / "step" / ".work").rglob("*.spill"))  # written before rows were dropped, and used again
    output = extracted(cut, tmp_path / "step")
    assert [texts(output, part) for part in range(3)] == [["a", "b"], ["c", "d"], ["e", "f"]]
    manifest = output.manifest()
    assert (manifest["documents"], manifest["dropped"]) == (
        {"in": 8, "out": 6},
        {"extract": {"duplicate_id": 2}},
    )


def test_pages_of_one_url_stay_with_ids_of_their_own(tmp_path: Path) -> None:
    """Of C4: two texts of one URL, and one text of it twice; a stated id twice is another matter."""
    (tmp_path / "raw").mkdir()
    url = "https://example.org/a"
    files = [
        [{"text": "2019", "url": url}, {"text": "other", "url": "https://example.org/b"}],
        [{"text": "2020", "url": url}, {"text": "2019", "url": url}, {"id": "x", "text": "one"}],
        [{"id": "x", "text": "one"}, {"id": "x", "text": "two"}, {"text": "2020", "url": url}],
    ]
    for number, rows in enumerate(files):
        (tmp_path / "raw" / f"{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split_bytes in (100, 1 << 20):  # whatever the splitting
        entry = replace(source_entry("c4", str(tmp_path / "raw"), "{}"), split_bytes=split_bytes)
        output = extracted(entry, tmp_path / f"step-{split_bytes}")
        batches = [batch for part in output.parts() for batch in read_part(output.data(part.number))]
        found = pa.Table.from_batches(batches).select(["id", "text"]).to_pylist()
        first = "c4:" + hashlib.sha1(url.encode()).hexdigest()
        places = [0, len(json.dumps(files[1][0])) + 1, sum(len(json.dumps(row)) + 1 for row in files[2][:2])]
        assert [(row["id"], row["text"]) for row in found] == [
            (first, "2019"),
            ("c4:" + hashlib.sha1(b"https://example.org/b").hexdigest(), "other"),
            (f"{first}#1.jsonl#{places[0]}", "2020"),
            (f"{first}#1.jsonl#{places[1]}", "2019"),
            ("x", "one"),
            ("x", "two"),
            (f"{first}#2.jsonl#{places[2]}", "2020"),
        ]
        manifest = output.manifest()
        assert manifest["dropped"] == {"extract": {"duplicate_id": 1}}
        assert manifest["notes"] == {"id_with_other_text": 1, "second_id": 3}
        assert manifest["documents"] == {"in": 8, "out": 7}
