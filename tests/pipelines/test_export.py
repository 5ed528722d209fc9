"""Documents for other programs: the same ones, in files of the stated size, opened by the libraries they are for."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import UserError
from corpus.recipe.load import load
from corpus.sources.documents import Documents
from corpus.steps.export import COLUMNS
from pipelines.engine.runner import Runner
from pipelines.export import export_documents
from pipelines.run import run

RUNNER = Runner("local", 1, quiet=True)
RECIPE = """
format: 1
output: {home}/run
sources:
  letters: {{type: documents, input: {home}/letters, split_bytes: 4000, steps: [length: {{min_chars: 20}}]}}
  notes: {{type: documents, input: {home}/notes}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("export")
    for name, count in (("letters", 200), ("notes", 7)):
        (home / name).mkdir()
        rows = [
            {"id": f"{name}-{n}", "text": f"{name} {n} " + "é" * (n % 90), "url": f"https://e.org/{n}", "by": {"n": n}}
            for n in range(count)
        ]
        (home / name / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (home / "recipe.yaml").write_text(RECIPE.format(home=home), encoding="utf-8")
    run(load(str(home / "recipe.yaml")), RUNNER, say=lambda line: None)
    return home


def exported(home: Path, output: Path, format: str, shard_bytes: int = 3000, columns: Any = COLUMNS) -> Path:
    export_documents([str(home / "run")], str(output), format, columns, shard_bytes, RUNNER, lambda line: None)
    return output


def documents(home: Path, source: str) -> list[dict[str, Any]]:
    folder = sorted((home / "run" / source).iterdir())[-1] / "data"
    return [row for part in sorted(folder.iterdir()) for row in pq.read_table(part).to_pylist()]


def rows(folder: Path, format: str) -> Iterator[list[dict[str, Any]]]:
    """Those of each file."""
    for path in sorted(folder.rglob(f"*.{'jsonl.gz' if format == 'dolma' else format}")):
        if format == "parquet":
            yield pq.read_table(path).to_pylist()
        else:
            data = path.read_bytes()
            whole = gzip.decompress(data) if format == "dolma" else pa.input_stream(path, compression="zstd").read()
            yield [json.loads(line) for line in whole.decode().splitlines()]


@pytest.mark.parametrize("format", ["parquet", "jsonl.zst", "dolma"])
def test_every_document_comes_once_and_in_order(home: Path, tmp_path: Path, format: str) -> None:
    output = exported(home, tmp_path / "out", format)
    for source in ("letters", "notes"):
        files = list(rows(output / source, format))
        expected = documents(home, source)
        assert [(r["id"], r["text"]) for some in files for r in some] == [(d["id"], d["text"]) for d in expected]
        for some in files:
            assert sum(len(row["text"].encode()) for row in some) <= 3000
    assert len(list(rows(output / "letters", format))) > 3


@pytest.mark.parametrize("format", ["parquet", "jsonl.zst"])
def test_load_dataset_opens_it_by_its_card(home: Path, tmp_path: Path, format: str) -> None:
    datasets = pytest.importorskip("datasets")
    output = exported(home, tmp_path / "out", format)
    assert datasets.get_dataset_config_names(str(output)) == ["letters", "notes"]
    for source in ("letters", "notes"):
        found = datasets.load_dataset(str(output), source, split="train", cache_dir=str(tmp_path / "cache"))
        expected = documents(home, source)
        assert found.column_names == list(COLUMNS)
        assert found["id"][:] == [document["id"] for document in expected]
        assert json.loads(found[0]["metadata"]) == json.loads(expected[0]["metadata"])


def test_dolma_comes_back_as_documents(home: Path, tmp_path: Path) -> None:
    output = exported(home, tmp_path / "out", "dolma")
    first = next(rows(output / "notes", "dolma"))[0]
    assert set(first) == {"id", "text", "source", "added", "created", "metadata"}
    assert first["metadata"] == {"by": {"n": 0}, "url": "https://e.org/0"}
    source = Documents()
    folder = str(output / "letters")
    splits = source.splits(source.files(folder, ("**",)))
    again = [document for split in splits for document in source.read(folder, split)]
    assert [(d.id, d.text, d.url) for d in again] == [  # type: ignore[union-attr]
        (d["id"], d["text"], d["url"]) for d in documents(home, "letters")
    ]


def test_columns_are_chosen(home: Path, tmp_path: Path) -> None:
    output = exported(home, tmp_path / "out", "parquet", columns=("url", "id"))
    assert list(next(rows(output / "notes", "parquet"))[0]) == ["url", "id"]
    for columns, message in (
        (("id", "txt"), "documents have no column txt; known are text"),
        (("id",), "dolma's rows"),
    ):
        with pytest.raises(UserError, match=message):
            exported(home, tmp_path / "other", "dolma", columns=columns)


def test_a_killed_export_goes_on(home: Path, tmp_path: Path) -> None:
    output = exported(home, tmp_path / "out", "dolma")
    files = sorted(output.rglob("*.gz"))
    before = [file.read_bytes() for file in files]
    files[1].unlink()
    kept = files[0].stat().st_mtime_ns
    exported(home, output, "dolma")
    assert [file.read_bytes() for file in files] == before
    assert files[0].stat().st_mtime_ns == kept


def test_another_folder_is_not_written_into(home: Path, tmp_path: Path) -> None:
    output = exported(home, tmp_path / "out", "dolma")
    with pytest.raises(UserError, match="holds another export"):
        exported(home, output, "dolma", shard_bytes=5000)
    with pytest.raises(UserError, match="is not empty"):
        exported(home, tmp_path, "dolma")
    letters = sorted((home / "run" / "letters").iterdir())
    with pytest.raises(UserError, match="are both of letters"):
        export_documents([str(step) for step in letters], str(tmp_path / "two"), "dolma", COLUMNS, 3000, RUNNER)
    with pytest.raises(UserError, match="known are parquet"):
        exported(home, tmp_path / "three", "parket")


def test_the_command(home: Path, tmp_path: Path) -> None:
    step = sorted((home / "run" / "notes").iterdir())[-1]
    command = [
        "export",
        "documents",
        str(step),
        str(tmp_path / "out"),
        "--format",
        "dolma",
        "--columns",
        "id,text,source",
    ]
    done = CliRunner().invoke(app, [*command, "--workers", "1"], catch_exceptions=False)
    assert "7 documents" in done.output
    assert set(next(rows(tmp_path / "out", "dolma"))[0]) == {"id", "text", "source", "added", "created", "metadata"}
