"""All seven sources, from the real raw files to training batches."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.dataset import StepFolder
from corpus.parts import read_part
from corpus.recipe.load import Recipe, load
from corpus.schema import Origin
from corpus.trace import row_of, source_of, trace
from pipelines.engine.runner import Runner
from pipelines.run import RunResult, run
from tests.end_to_end import write_recipe
from tests.independent_counts import COUNTERS, raw_records
from tokenizer.index import read_index
from tokenizer.mixture import read_manifest
from tokenizer.reader import TokenReader
from tokenizer.shards import Shard
from tokenizer.trace import locate, text_of

SOURCES = sorted(COUNTERS)
TRACED = 20
"""Positions traced in each source."""


@dataclass(frozen=True)
class RealRun:
    recipe: Recipe
    result: RunResult

    def steps(self, source: str) -> list[StepFolder]:
        return self.result.graph.finished_documents()[source]


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> RealRun:
    folder = tmp_path_factory.mktemp("real")
    recipe = load(str(write_recipe(shared_data, folder / "run", folder / "recipe.yaml")))
    return RealRun(recipe, run(recipe, Runner("local", 2, quiet=True)))


def documents(folder: StepFolder) -> pa.Table:
    return pa.Table.from_batches([batch for part in folder.parts() for batch in read_part(folder.data(part.number))])


@pytest.mark.parametrize("source", SOURCES)
def test_every_raw_record_is_a_document_or_counted(real: RealRun, shared_data: Path, source: str) -> None:
    manifest = real.steps(source)[0].manifest()
    assert manifest["documents"]["in"] == raw_records(shared_data, source)
    dropped = sum(manifest["dropped"]["extract"].values())
    assert manifest["documents"]["in"] == manifest["documents"]["out"] + dropped


@pytest.mark.parametrize("source", SOURCES)
def test_duckdb_agrees_with_the_manifests(real: RealRun, source: str) -> None:
    before = None
    for step in real.steps(source):
        manifest = step.manifest()
        count, ids, size = duckdb.sql(
            f"select count(*), count(distinct id), coalesce(sum(strlen(text)), 0) from '{step.path}/data/*.parquet'"
        ).fetchall()[0]
        assert (count, count, size) == (manifest["documents"]["out"], ids, manifest["text_bytes"]["out"])
        if before is not None:
            assert manifest["documents"]["in"] == before
            decided = duckdb.sql(f"select count(*) from '{step.path}/meta/decisions/*.parquet'").fetchall()[0][0]
            assert decided == before - count
        before = count


def test_other_readers_open_the_data_folder_as_it_is(
    real: RealRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import datasets
    import pandas
    import polars

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for source in ("commoncrawl", "stackexchange"):
        step = real.steps(source)[-1]
        table = documents(step)
        folder = f"{step.path}/data"
        loaded = datasets.load_dataset("parquet", data_dir=folder, split="train", cache_dir=str(tmp_path))
        texts = {
            "datasets": loaded["text"][:],
            "pandas": pandas.read_parquet(folder)["text"].to_list(),
            "polars": polars.read_parquet(folder)["text"].to_list(),
            "duckdb": [row[0] for row in duckdb.sql(f"select text from '{folder}/*.parquet'").fetchall()],
        }
        for reader, found in texts.items():
            assert sorted(found) == sorted(table["text"].to_pylist()), reader
        assert set(loaded.column_names) == set(table.column_names)


def _in_raw(source: str) -> Callable[[dict[str, object], bytes], bool]:
    """Whether raw bytes are those of a document, by something only its own record has."""

    def check(document: dict[str, object], raw: bytes) -> bool:
        text, identity = str(document["text"]), str(document["id"])
        match source:
            case "commoncrawl":
                address = identity.rpartition(":")[2]
                return address.encode() in raw or address.encode("latin-1", "replace") in raw
            case "c4":
                row = json.loads(raw)
                return bool(row["text"] == text)
            case "github":
                return text == raw.decode("utf-8-sig", "replace").replace("\r\n", "\n") or text.encode() in raw
            case "wikipedia":
                page = identity.rpartition(":")[2].partition("@")[0]
                return f"<id>{page}</id>" in raw.decode("utf-16" if b"\0" in raw else "utf-8", "replace")
            case "books":
                words = text.split()
                return " ".join(words[100:110]).encode("ascii", "replace").split(b"?")[0] in b" ".join(raw.split())
            case "arxiv":
                return len(raw) > 0
            case _:
                question = identity.rpartition(":")[2]
                return raw.startswith(b"<row") and f'Id="{question}"'.encode() in raw

    return check


@pytest.mark.parametrize("source", SOURCES)
def test_every_origin_leads_back_to_its_raw_record(real: RealRun, source: str) -> None:
    step = real.steps(source)[0]
    manifest = step.manifest()
    reader, check = source_of(manifest), _in_raw(source)
    rows = documents(step).select(["id", "text", "origin"]).to_pylist()
    assert rows
    wrong = [row["id"] for row in rows if not check(row, reader.raw(manifest["input"], Origin(**row["origin"])))]
    assert wrong == []


@pytest.mark.parametrize("source", SOURCES)
def test_tokens_are_traced_to_raw_bytes(real: RealRun, source: str) -> None:
    folder = real.result.graph.tokens[source].folder
    shard_path = f"{folder}/{read_index(folder).shards[0].name}"
    shard = Shard(shard_path)
    positions = random.Random(source)
    for _ in range(TRACED):
        found = locate(shard_path, positions.randrange(shard.counts.tokens))
        step = StepFolder(found.step)
        stages = list(trace(step, found.part, found.row))
        document = row_of(step, found.part, found.row)
        assert document["id"][0].as_py() == found.id
        assert stages[0].name == "raw"
        assert stages[0].text
        # The rules, replayed on the one document, give the text that the step holds.
        assert stages[-1].text == document["text"][0].as_py()


def test_a_second_run_does_nothing(real: RealRun) -> None:
    lines: list[str] = []
    again = run(real.recipe, Runner("local", 2, quiet=True), say=lines.append)
    assert again.ran == 0
    assert again.mixture == real.result.mixture
    assert all("was" in line for line in lines)


def test_the_command_line_says_that_there_is_nothing_to_do(real: RealRun) -> None:
    result = CliRunner().invoke(app, ["run", real.recipe.path, "--workers", "2"])
    assert result.exit_code == 0, result.output
    assert "nothing to do" in result.output
    result = CliRunner().invoke(app, ["mix", real.recipe.path, "--workers", "2"])
    assert result.exit_code == 0, result.output
    assert real.result.mixture is not None
    assert result.output.endswith(read_manifest(real.result.mixture).table() + "\n")
    step = real.steps("wikipedia")[1]
    shown = CliRunner().invoke(app, ["show", step.path, "--limit", "1"]).output
    assert "174 in" in shown
    gone = CliRunner().invoke(app, ["show", real.steps("wikipedia")[0].path, "--dropped", "redirect"]).output
    assert "extract.redirect: 105" in gone
    traced = CliRunner().invoke(app, ["trace", step.path, "0", "--chars", "50"]).output
    assert traced.index("=== raw") < traced.index("=== extract") < traced.index("=== wikitext")
    assert "--chars 0 prints all" in traced
    assert "every folder in" in CliRunner().invoke(app, ["gc", real.recipe.output]).output


def test_another_splitting_gives_the_same_datasets(real: RealRun, shared_data: Path, tmp_path: Path) -> None:
    """Nearly every file its own split, on one worker: other parts, the same documents after every step."""
    path = write_recipe(shared_data, tmp_path / "run", tmp_path / "recipe.yaml")
    text = "".join(
        "    split_bytes: 50000\n" if line.lstrip().startswith("split_bytes") else line
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
    )
    path.write_text(text, encoding="utf-8")
    other = run(load(str(path)), Runner("local", 1, quiet=True), until="across", say=lambda line: None)
    for source, steps in other.graph.finished_documents().items():
        manifests = [(a.manifest(), b.manifest()) for a, b in zip(real.steps(source), steps, strict=True)]
        one, two = (len(manifest["parts"]) for manifest in manifests[0])
        assert one < two
        for one, two in manifests:
            for key in ("dataset_digest", "documents", "dropped", "seen", "text_bytes"):
                assert one[key] == two[key], (source, one["step"], key)


def test_the_mixture_gives_batches_and_a_model_trains_on_them(real: RealRun, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the trainer needs torch: pip install '.[train]'")
    assert real.result.mixture is not None
    reader = TokenReader(real.result.mixture)
    batch = reader.batch(1000, 8)
    assert batch.shape == (8, 129)
    assert np.array_equal(batch[3], reader.batch(1003, 1)[0])
    script = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from trainer.config import parse; from trainer.train import run\n"
        "settings = parse({'model': {'size': 'tiny'}, 'optimiser': {'warmup_steps': 5},"
        " 'parallel': {'compile': False, 'precision': 'float32', 'recompute': 'none'},"
        " 'run': {'batch': 8, 'micro_batch': 8, 'steps': 30, 'device': 'cpu', 'log_every': 10}})\n"
        "found = run(settings, sys.argv[1], sys.argv[2])\n"
        "assert found['steps'] == 30 and found['train_loss'] < 7.0, found\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, real.result.mixture, str(tmp_path / "model")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]

    command = ["trace", "--run", str(tmp_path / "model"), "--step", "3", "--chars", "200"]
    table = CliRunner().invoke(app, command).output
    assert f"sequences 16 to 23 of {real.result.mixture}" in table
    traced = reader.trace(18)
    assert f"\n2: {traced.source}, epoch 0, its sequence {traced.sequence}\n" in table
    named = re.findall(r"^ +\d+ to \d+ +(\S+), from its token (\d+) on$", table, re.MULTILINE)
    whole = CliRunner().invoke(app, [*command, "--sequence", "2"]).output
    for span in traced.spans:
        found = locate(span.shard, span.position)
        assert (
            f"token {span.position} of {span.shard}: {found.piece!r}, token {span.offset} of document {found.id}"
            in whole
        )
        assert f"=== tokens {span.start} to {span.stop - 1}\n{text_of(span)[:200]}\n" in whole
        assert (found.id, str(span.offset)) in named
    assert whole.count("=== raw") == whole.count("=== extract") == len(traced.spans)
