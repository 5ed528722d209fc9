"""The order, materialised: every batch is the one that the order names, on every runner, after any stop."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from corpus.errors import DamagedFile, UserError
from pipelines.materialize import materialize
from pipelines.partmap import PartsFailed
from pipelines.runner import Runner
from tests.tokenizer.token_folders import flip, write_run
from tokenizer.index import read_index
from tokenizer.materialize import make_plan
from tokenizer.mixture import read_manifest
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
def materialised(manifest: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    home = Path(manifest).parents[1]
    copy = tmp_path_factory.mktemp("reference") / "run"
    shutil.copytree(home, copy)
    folder, did = run(str(copy / Path(manifest).relative_to(home)))
    assert did
    return files(folder)


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


def test_a_materialised_shard_is_a_shard(copied: str) -> None:
    folder, _ = run(copied)
    mixture = read_manifest(copied)
    index = read_index(str(folder))
    assert index.header.dataset == mixture.fingerprint
    assert (index.header.bos, index.header.eos, index.heldout_one_in, index.heldout) == (-1, -1, 0, ())
    assert (index.documents, index.tokens) == (mixture.sequences, mixture.sequences * 17)
    for number, entry in enumerate(index.shards):
        shard = Shard(str(folder / entry.name), index.header.tokenizer)
        shard.verify()
        assert np.array_equal(shard.document_offsets, np.arange(entry.documents + 1) * 17)
        assert shard.locate(20) == (1, number, 1, 3)
    (line,) = LINES
    assert line == (
        f"materialize: {mixture.sequences:,} sequences into {len(index.shards)} shards, {len(index.shards)} missing: "
        f"{mixture.sequences * 38:,} bytes to regroup"
    )


def test_a_restart_writes_what_is_missing(copied: str, materialised: dict[str, bytes]) -> None:
    folder, _ = run(copied)
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


def test_damage_of_a_materialised_shard(copied: str) -> None:
    folder, _ = run(copied)
    path = folder / "shard-00001.tok"
    whole = path.read_bytes()
    sequences = make_plan(copied, SHARD).per_shard
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
