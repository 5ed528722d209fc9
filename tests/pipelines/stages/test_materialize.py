"""The order, materialised: every batch is the one that the order names, on every runner, after any stop."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import DamagedFile, UserError
from corpus.steps.grouping import Group
from corpus.steps.spill import WriteSpill
from pipelines.engine.partmap import PartsFailed
from pipelines.engine.runner import Runner
from pipelines.gc import stale_folders
from pipelines.stages.materialize import materialize
from tests.tokenizer.range_server import serve
from tests.tokenizer.token_folders import flip, write_run
from tokenizer import concatenation
from tokenizer.index import read_index
from tokenizer.materialize import Place, Stretches, layout_of, work_folder
from tokenizer.mixture import read_manifest
from tokenizer.readahead import ReadAhead
from tokenizer.reader import TokenReader
from tokenizer.shards import Shard

POOL = Runner(workers=2, quiet=True)
GRAPH = Runner(workers=0, quiet=True)
SHARD, STRETCH = 5000, 3000
"""Bytes: 147 sequences of 17 tokens in a shard at most, and some stretches of each source."""


def said(line: str) -> None:
    LINES.append(line)


LINES: list[str] = []


def run(manifest: str, runner: Runner = POOL) -> tuple[Path, bool]:
    LINES.clear()
    folder, did = materialize(manifest, runner, SHARD, STRETCH, said)
    return Path(folder), did


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_run(str(tmp_path_factory.mktemp("run")))


@pytest.fixture
def copied(manifest: str, tmp_path: Path) -> str:
    """The manifest of a copy of the run, not yet materialised."""
    home = Path(manifest).parents[1]
    shutil.copytree(home, tmp_path / "run", ignore=shutil.ignore_patterns("materialised"))
    return str(tmp_path / "run" / Path(manifest).relative_to(home))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(manifest: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The manifest of a materialised copy, which tests leave as it is."""
    home = Path(manifest).parents[1]
    copy = tmp_path_factory.mktemp("finished") / "run"
    shutil.copytree(home, copy)
    copied = str(copy / Path(manifest).relative_to(home))
    _, did = run(copied)
    assert did
    return copied


@pytest.fixture(scope="module")
def materialised(finished: str) -> dict[str, bytes]:
    return files(Path(finished).parent / "materialised")


def test_every_batch_is_the_one_of_the_order(copied: str) -> None:
    reader = TokenReader(copied)
    epochs = [float(use.epochs) for use in reader.mixture.usage()]
    assert epochs[2] == pytest.approx(2.5, abs=0.01)  # wiki
    assert 0 < epochs[1] < 1  # c4
    expected = {batch: list_batches(reader, batch) for batch in (1, 7, 64, reader.sequences)}
    held = reader.heldout("books")
    trace = reader.trace(40)
    folder, _ = run(copied)
    again = TokenReader(copied)
    assert again._materialised is not None
    assert len(read_index(str(folder)).shards) > 4
    for batch, batches in expected.items():
        for got, wanted in zip(list_batches(again, batch), batches, strict=True):
            assert got.dtype == np.int64
            assert np.array_equal(got, wanted)
    assert np.array_equal(again.heldout("books"), held)
    assert again.trace(40) == trace
    for first, count in ((-1, 2), (reader.sequences - 1, 2)):
        with pytest.raises(IndexError, match="of a run of"):
            again.batch(first, count)
    # Without the shards of the sources too.
    for shard in Path(copied).parents[1].glob("tokens/*/shard-*.tok"):
        shard.unlink()
    assert np.array_equal(TokenReader(copied).batch(3, 20), expected[reader.sequences][0][3:23])
    assert np.array_equal(TokenReader(copied).heldout("books"), held)


def list_batches(reader: TokenReader, batch: int) -> list[np.ndarray]:
    return [reader.batch(first, min(batch, reader.sequences - first)) for first in range(0, reader.sequences, batch)]


@pytest.mark.parametrize("runner", [Runner(workers=1, quiet=True), GRAPH], ids=["one worker", "graph"])
def test_the_same_bytes_with_any_runner(copied: str, materialised: dict[str, bytes], runner: Runner) -> None:
    folder, _ = run(copied, runner)
    assert files(folder) == materialised
    assert {name for name in materialised if "/" not in name} == {
        "index.json",
        *(f"shard-{n:05d}.tok" for n in range(len(materialised) // 2)),
    }


def test_a_materialised_shard_is_a_shard(finished: str) -> None:
    folder = Path(finished).parent / "materialised"
    mixture = read_manifest(finished)
    index = read_index(str(folder))
    assert index.header.dataset == mixture.fingerprint
    assert (index.header.bos, index.header.eos, index.heldout_one_in, index.heldout) == (-1, -1, 0, ())
    assert (index.documents, index.tokens) == (mixture.sequences, mixture.sequences * 17)
    for number, entry in enumerate(index.shards):
        shard = Shard(str(folder / entry.name), index.header.tokenizer)
        shard.verify()
        assert np.array_equal(shard.document_offsets, np.arange(entry.documents + 1) * 17)
        assert shard.locate(20) == (1, number, 1, 3)


def test_a_restart_writes_what_is_missing(copied: str, materialised: dict[str, bytes]) -> None:
    folder, _ = run(copied)
    sequences, shards = TokenReader(copied).sequences, len(materialised) // 2
    (line,) = LINES
    assert line.startswith(f"materialize: {sequences:,} sequences into {shards} shards, {shards} missing: ")
    assert line.endswith(f" {sequences * 38:,} bytes to regroup")
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.tok")}
    assert run(copied) == (folder, False)
    (folder / "shard-00001.tok").unlink()
    (folder / "meta" / "shard-00003.json").unlink()
    (folder / "index.json").unlink()
    assert run(copied) == (folder, True)
    assert " 2 missing: " in LINES[0]
    assert files(folder) == materialised
    written = {path.name for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert written == {"shard-00001.tok", "shard-00003.tok"}
    (folder / "shard-00002.tok").unlink()
    assert run(copied, GRAPH) == (folder, True)
    assert files(folder) == materialised


def test_spill_files_of_another_cut_are_not_mixed_in(copied: str, materialised: dict[str, bytes]) -> None:
    """A part that fails leaves the others' spill files for the restart; where they do not fit, nothing is written."""
    source = Path(copied).parents[1] / "tokens" / "wiki" / "shard-00000.tok"
    whole = source.read_bytes()
    flip(source, 4096 + 100)
    with pytest.raises(PartsFailed, match=r"wiki 0-\d+: .*wiki/shard-00000.tok is altered in bytes 4096 to"):
        run(copied)
    source.write_bytes(whole)
    with pytest.raises(UserError, match=r"has come \d times to be written: remove .*/materialised/.work and run"):
        materialize(copied, POOL, SHARD, STRETCH // 2, said)
    shutil.rmtree(Path(copied).parent / "materialised" / ".work")
    folder, _ = materialize(copied, POOL, SHARD, STRETCH // 2, said)
    assert files(Path(folder)) == materialised


def test_spill_files_of_a_run_that_missed_fewer_shards(copied: str, materialised: dict[str, bytes]) -> None:
    folder, _ = run(copied)
    (folder / "shard-00001.tok").unlink()
    work = work_folder(copied)
    layout = layout_of(copied, SHARD)
    for stretch in Stretches(STRETCH)(copied):  # as one that was killed between spilling and writing
        WriteSpill(Place(layout), layout.shards, work)(Group((stretch,)))
    (folder / "shard-00003.tok").unlink()
    with pytest.raises(UserError, match=r"shard-00003.tok was not written, .*: remove it and run mix --materialize"):
        run(copied)
    shutil.rmtree(work)
    assert run(copied) == (folder, True)
    assert files(folder) == materialised


@pytest.mark.slow
@pytest.mark.parametrize(
    "window", [r"part-00003\.spill$", r"/shard-00002\.tok$", r"/meta/shard-00002\.json$", r"materialised/index\.json$"]
)
def test_killed_in_a_window(copied: str, materialised: dict[str, bytes], window: str) -> None:
    """The whole process tree, just before a file gets its name."""
    code = (
        "from pipelines.stages.materialize import materialize; from pipelines.engine.runner import Runner;"
        f"materialize({copied!r}, Runner(workers=2), {SHARD}, {STRETCH})"
    )
    path = [str(Path(__file__).parents[2] / "killing"), str(Path(__file__).parents[3])]
    environment = {**os.environ, "CORPUS_TEST_KILL_WINDOW": window, "PYTHONPATH": os.pathsep.join(path)}
    killed = subprocess.run(
        [sys.executable, "-c", code], env=environment, start_new_session=True, capture_output=True, timeout=300
    )
    assert killed.returncode == -signal.SIGKILL
    home = Path(copied).parent / "materialised"
    assert not (home / "index.json").exists()
    done = {sidecar.stem: sidecar.stat().st_mtime_ns for sidecar in home.glob("meta/*.json")}
    folder, did = run(copied)
    assert did
    assert files(folder) == materialised
    assert {name: (folder / "meta" / f"{name}.json").stat().st_mtime_ns for name in done} == done


def test_damage_of_a_materialised_shard(copied: str) -> None:
    folder, _ = run(copied)
    path = folder / "shard-00001.tok"
    whole = path.read_bytes()
    sequences = layout_of(copied, SHARD).per_shard
    flip(path, 4096 + 1)
    reader = TokenReader(copied)
    assert reader.batch(0, sequences).shape == (sequences, 17)
    with pytest.raises(DamagedFile, match=r"shard-00001.tok is altered in bytes 4096 to .*run the command"):
        reader.batch(sequences - 1, 2)
    path.write_bytes(whole[:-1])
    with pytest.raises(DamagedFile, match=r"shard-00001.tok is cut short"):
        TokenReader(copied).batch(sequences, 2)
    path.unlink()
    with pytest.raises(UserError, match=r"cannot open .*shard-00001.tok"):
        TokenReader(copied).batch(sequences, 2)


def test_what_belongs_to_another_run_is_refused(copied: str, tmp_path: Path) -> None:
    folder, _ = run(copied)
    longer = write_run(str(tmp_path / "other"), sequences=100)
    shutil.copytree(folder, Path(longer).parent / "materialised")
    with pytest.raises(DamagedFile, match=r"materialised holds another run than .*remove it and run mix --materialize"):
        TokenReader(longer)


def test_on_an_object_store(manifest: str, materialised: dict[str, bytes]) -> None:
    """Shards of the sources, the order and what is materialised, all behind URLs; in this process, as memory is."""
    local = TokenReader(manifest)
    far = write_run("memory://materialize/run")
    with pytest.raises(UserError, match=r"memory://.*books is not on a local disk.*`corpus mix RECIPE --materialize`"):
        TokenReader(far)
    folder, _ = materialize(far, GRAPH, SHARD, STRETCH, said)
    store = fsspec.filesystem("memory")
    root = store._strip_protocol(folder)
    assert {path.removeprefix(f"{root}/"): store.cat(path) for path in store.find(root)} == materialised
    reader = TokenReader(far)
    assert isinstance(reader._materialised, ReadAhead)
    for first in range(0, reader.sequences - 50, 50):
        assert np.array_equal(reader.batch(first, 50), local.batch(first, 50))
    for source in reader.sources:
        assert np.array_equal(reader.heldout(source), local.heldout(source))
        assert np.array_equal(reader.heldout(source, 3), local.heldout(source, 3))
    there = [(span.start, span.stop, span.part, span.row, span.offset) for span in local.trace(77).spans]
    assert [(span.start, span.stop, span.part, span.row, span.offset) for span in reader.trace(77).spans] == there


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_over_http(manifest: str, finished: str, ranks: int) -> None:
    expected = TokenReader(manifest).batch(0, 160)
    home = Path(finished).parents[1]
    with serve(home) as served:
        readers = [TokenReader(f"{served.url}/{Path(finished).relative_to(home)}") for _ in range(ranks)]
        assert len(readers[0].heldout("books", 2)) == 2
        assert [name for name, _, _ in served.requests if name.endswith(".tok")] == ["shard-00000.tok"] * 3
        for first in range(0, 160, 40):
            shares = [reader.batch(first + rank * 40 // ranks, 40 // ranks) for rank, reader in enumerate(readers)]
            assert np.array_equal(np.concatenate(shares), expected[first : first + 40])
        asked = [name for name, _, _ in served.requests if name.endswith(".tok")]
        # Both ends of each shard, and its only block, once.
        assert len(asked) - 3 <= ranks * 3 * len(read_index(str(Path(finished).parent / "materialised")).shards)


def test_mix_materialize(tmp_path: Path) -> None:
    """The command: the recipe's run first, and then its sequences."""
    recipe = tmp_path / "recipe.yaml"
    (tmp_path / "raw").mkdir()
    rows = [{"text": f"text number {n} of some", "url": f"https://example.org/{n}"} for n in range(300)]
    (tmp_path / "raw" / "c4.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    head = f"format: 1\noutput: {tmp_path}/mine\nsources:\n  c4: {{input: {tmp_path}/raw}}\n"
    recipe.write_text(f"{head}tokenizer: {{vocab_size: 300}}\n", encoding="utf-8")
    arguments = ["mix", str(recipe), "--materialize", "--workers", "1"]
    refused = CliRunner().invoke(app, arguments)
    assert "has no section `mixture`" in str(refused.exception)
    recipe.write_text(
        f"{head}tokenizer: {{vocab_size: 300}}\nmixture: {{shares: {{c4: 1}}, sequence_length: 16}}\n", encoding="utf-8"
    )
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "bytes to regroup" in result.output
    (folder,) = (tmp_path / "mine").glob("mixture-*/materialised")
    assert f"{folder} done" in result.output
    assert sorted(path.name for path in folder.iterdir()) == ["index.json", "meta", "shard-00000.tok"]
    assert stale_folders(str(tmp_path / "mine")) == []
    again = CliRunner().invoke(app, arguments)
    assert f"{folder} was done: nothing to do" in again.output


def test_few_files_are_open_at_once(finished: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concatenation, "MAX_OPEN", 2)
    reader = TokenReader(finished)
    reader.heldout("books")
    reader.batch(0, reader.sequences)
    gc.collect()
    mapped = [
        line for line in Path("/proc/self/maps").read_text().splitlines() if str(Path(finished).parents[1]) in line
    ]
    assert len(mapped) == 2
