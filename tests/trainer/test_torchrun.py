"""The command and the script of docs/training.md, on packed shards of the real format."""

import json
import os
import re
import runpy
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import losses, records

from corpus.storage import commit, write_json
from tokenizer.index import IndexedShard, TokenIndex
from tokenizer.mixture import make_mixture, write_manifest
from tokenizer.reader import TokenReader
from tokenizer.shards import ShardCounts, ShardHeader, ShardWriter
from trainer.config import parse
from trainer.loader import Tokens
from trainer.train import run

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


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("tokens")
    folders = {}
    for seed, source in enumerate(["books", "github"]):
        folder = root / source
        folder.mkdir()
        shard = write_shard(folder / "shard-00000.tok", seed, 60)
        held = write_shard(folder / "heldout-00000.tok", seed + 10, 5)
        write_json(str(folder / "index.json"), asdict(TokenIndex(HEADER, (shard,), (held,), 13)))
        folders[source] = str(folder)
    return write_manifest(make_mixture({"books": 0.5, "github": 0.5}, folders, 64 * 32, 32), str(root))


def test_the_tokenizers_reader_is_what_the_trainer_needs(manifest: str) -> None:
    tokens: Tokens = TokenReader(manifest)
    assert (tokens.sequences, tokens.seq_len, tokens.vocab_size) == (64, 32, 512)
    assert len(bytes.fromhex(tokens.tokenizer)) == 32
    assert tokens.batch(3, 2).shape == (2, 33)
    assert tokens.heldout("books", 4).shape == (4, 33)


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
