"""The command and the script of docs/training.md, on packed shards of the real format."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import losses, records

from corpus.lock import Refused, lock
from corpus.storage import commit, write_json
from tokenizer.index import IndexedShard, TokenIndex
from tokenizer.mixture import make_mixture, write_manifest
from tokenizer.reader import TokenReader
from tokenizer.shards import ShardCounts, ShardHeader, ShardWriter
from trainer import train as train_module
from trainer.checkpoint import complete, read_position
from trainer.config import override, parse, read_recipe
from trainer.loader import Tokens
from trainer.train import main, run, train

HEADER = ShardHeader(512, "ab" * 32, "cd" * 32, 1, 2)

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

RECIPE = """
training:
  model: {size: tiny}
  optimiser: {warmup_steps: 2}
  parallel: {compile: false, precision: float32}
  run: {batch: 8, micro_batch: 2, steps: 6, device: cpu, log_every: 1}
"""


def write_shard(path: Path, seed: int, documents: int) -> IndexedShard:
    """Documents of 40 tokens that repeat ten."""
    generator = np.random.default_rng(seed)
    tokens = np.tile(generator.integers(3, 512, (documents, 10)), 4).astype(np.uint16).ravel()
    offsets = np.arange(documents + 1, dtype=np.int64) * 40

    def write(sink: object) -> ShardCounts:
        writer = ShardWriter(sink, HEADER)
        writer.write(0, np.arange(documents, dtype=np.uint32), tokens, offsets, 0)
        return writer.close()

    commit(str(path), write)
    return IndexedShard(path.name, len(tokens), documents, 0, "1" * 64)


def write_mixture(root: Path, documents: int, sequences: int) -> str:
    folders = {}
    for seed, source in enumerate(["books", "github"]):
        folder = root / source
        folder.mkdir(parents=True)
        shard = write_shard(folder / "shard-00000.tok", seed, documents)
        held = write_shard(folder / "heldout-00000.tok", seed + 10, 5)
        write_json(str(folder / "index.json"), asdict(TokenIndex(HEADER, (shard,), (held,), 13)))
        folders[source] = str(folder)
    return write_manifest(make_mixture({"books": 0.5, "github": 0.5}, folders, sequences * 32, 32), str(root))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_mixture(tmp_path_factory.mktemp("tokens"), 60, 64)


def test_the_tokenizers_reader_is_what_the_trainer_needs(manifest: str) -> None:
    tokens: Tokens = TokenReader(manifest)
    assert (tokens.sequences, tokens.seq_len, tokens.vocab_size) == (64, 32, 512)
    assert len(bytes.fromhex(tokens.tokenizer)) == 32
    assert tokens.batch(3, 2).shape == (2, 33)
    assert tokens.heldout("books", 4).shape == (4, 33)


def test_a_mixture_of_another_vocabulary_is_refused(
    manifest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    arguments = [str(recipe), f"mixture={manifest}", f"output={tmp_path}"]
    recipe.write_text(RECIPE + "tokenizer: {vocab_size: 1000}\n")
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "the tokenizer has 512 pieces, the recipe's tokenizer.vocab_size is 1000" in line
    for section in ("{vocab_size: 512}", "{model: a.model, vocab_size: 1000}", "null"):
        recipe.write_text(RECIPE + f"tokenizer: {section}\n")
        assert read_recipe(recipe, [])[2] in (512, None)


def test_torchrun_trains_and_goes_on_without_torchrun(manifest: str, tmp_path: Path) -> None:
    recipe, output = tmp_path / "recipe.yaml", tmp_path / "model"
    recipe.write_text(RECIPE)
    command = [
        *TORCHRUN,
        "-m",
        "trainer.train",
        str(recipe),
        f"mixture={manifest}",
        f"output={output}",
        "run.log_every=2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert re.search(r"step 6/6  loss \d\.\d{4}  norm .* tokens/s  MFU unknown", done.stderr)
    (start,) = records(output, "start")
    assert start["world"] == 2
    marker = json.loads((output / "checkpoints" / "step-00000006" / "checkpoint.json").read_text())
    assert (marker["sequence"], marker["fingerprint"]) == (48, TokenReader(manifest).fingerprint)

    settings = parse({"model": {"size": "tiny"}, "parallel": {"compile": False, "precision": "float32"}})
    changes = {"run.batch": 8, "run.device": "cpu", "run.steps": 8, "optimiser.warmup_steps": 2, "run.log_every": 1}
    result = run(settings, manifest, str(output), **changes)
    assert (result["steps"], result["heldout"].keys()) == (8, {"books", "github"})
    assert len(losses(output)) == 3 + 2


def test_a_second_run_on_one_output_is_refused_once_and_writes_nothing(manifest: str, tmp_path: Path) -> None:
    recipe, output = tmp_path / "recipe.yaml", tmp_path / "model"
    recipe.write_text(RECIPE)
    command = ["-m", "trainer.train", str(recipe), f"mixture={manifest}", f"output={output}"]
    with lock(str(output), "training run"):
        before = sorted(output.rglob("*"))
        alone = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=ROOT)
        group = subprocess.run([*TORCHRUN, *command], capture_output=True, text=True, cwd=ROOT)
        assert [path for path in sorted(output.rglob("*")) if path.suffix != ".beat"] == [
            path for path in before if path.suffix != ".beat"
        ]
    assert alone.returncode == 2
    assert alone.stderr.startswith(f"error: {output} is in use: training run on ")
    assert f", process {os.getpid()} (" in alone.stderr
    assert len(alone.stderr.splitlines()) == 1
    assert group.returncode == 1  # torchrun's own
    (line,) = [line for line in group.stderr.splitlines() if "is in use" in line]
    assert line == alone.stderr.strip()


def test_a_run_has_its_output_to_itself_and_leaves_no_lock(
    manifest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = []

    def train_again(*arguments: object) -> dict[str, object]:
        with pytest.raises(Refused) as error:
            run(settings, manifest, str(tmp_path))
        refusals.append(str(error.value))
        return train(*arguments)

    settings = parse({"model": {"size": "tiny"}, "parallel": {"compile": False, "precision": "float32"}})
    settings = override(settings, {"run.batch": 8, "run.steps": 2, "run.device": "cpu", "optimiser.warmup_steps": 1})
    monkeypatch.setattr(train_module, "train", train_again)
    assert run(settings, manifest, str(tmp_path))["steps"] == 2
    assert len(refusals) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.jsonl", "checkpoints"}


@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_the_next_goes_on(tmp_path: Path) -> None:
    manifest = write_mixture(tmp_path / "tokens", 2000, 4000)
    recipe, output = tmp_path / "recipe.yaml", tmp_path / "model"
    recipe.write_text(RECIPE)
    command = [*TORCHRUN, "-m", "trainer.train", str(recipe), f"mixture={manifest}", f"output={output}"]
    command += ["run.steps=500", "checkpoint.every=3"]
    launched = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    while not list(output.glob("checkpoints/step-*")):
        assert launched.poll() is None
        time.sleep(0.05)
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(launched.pid)], capture_output=True, text=True)
    workers = [int(pid) for pid in listed.stdout.split()]
    os.kill(workers[-1], signal.SIGKILL)
    assert launched.wait(120) != 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)

    done = losses(output)
    (newest, *_) = complete(output)
    step = read_position(newest).step
    settings, *_ = read_recipe(recipe, [f"run.steps={step + 2}"])
    run(settings, manifest, str(output))
    (resume,) = records(output, "resume")
    assert (resume["step"], resume["damaged"]) == (step, [])
    assert len(losses(output)) == len(done) + 2
    assert not list(output.glob("checkpoints/.tmp-*"))


def test_the_script_of_the_manual_sees_the_same_batches_in_two_processes(
    manifest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six steps in one process, and three in two and then three in one: the same position, and the same weights."""
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    script = tmp_path / "loop.py"
    script.write_text(page.partition("```python\n# loop.py\n")[2].partition("```")[0], encoding="utf-8")
    monkeypatch.setenv("MIXTURE", str(Path(manifest).resolve()))
    states = []
    for ranks in ((1, 1), (2, 1)):
        folder = tmp_path / f"{ranks[0]}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        for legs, processes in enumerate(ranks, 1):
            if processes == 1:
                runpy.run_path(str(script), run_name="__main__")
            else:
                environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
                done = subprocess.run([*TORCHRUN, str(script)], capture_output=True, text=True, env=environment)
                assert done.returncode == 0, done.stderr
            assert torch.load("state.pt")["loader"]["sequence"] == 24 * legs
        states.append(torch.load("state.pt"))
    one, two = states
    assert one["loader"] == two["loader"]
    assert one["loader"]["fingerprint"] == TokenReader(manifest).fingerprint
    for name, weight in one["model"].items():
        assert torch.allclose(weight, two["model"][name], atol=1e-6), name
