"""A mixture in memory, small settings, and groups of processes."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from trainer.config import TrainingSettings, override, parse

torch.set_num_threads(1)  # the matrices are tiny, and tests share their cores

SEQ_LEN = 32
VOCAB = 64


class MemoryTokens:
    """Satisfies `trainer.loader.Tokens`: windows of a few repeated phrases, so that there is something to learn."""

    tokenizer = "5e" * 32
    manifest = "no-mixture/manifest.json"
    vocab_size = VOCAB
    seq_len = SEQ_LEN
    bos: int | None = 0
    sources = ("books", "code", "empty")

    def __init__(self, sequences: int = 400, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        phrases = generator.integers(0, VOCAB, (12, 16))
        order = generator.integers(0, 12, (sequences, 3))
        self.windows: npt.NDArray[np.integer] = phrases[order].reshape(sequences, 48)[:, 7 : 7 + SEQ_LEN + 1]
        self.sequences = sequences
        self.fingerprint = hashlib.sha256(self.windows.tobytes()).hexdigest()[:16]

    def batch(self, first: int, count: int) -> npt.NDArray[np.integer]:
        assert first + count <= self.sequences
        return self.windows[first : first + count].astype(np.uint16)

    def heldout(self, source: str, limit: int | None = None) -> npt.NDArray[np.integer]:
        return self.windows[{"books": slice(0, 7), "code": slice(7, 10), "empty": slice(0)}[source]][:limit]


def small(**changes: Any) -> TrainingSettings:
    """Settings of a run of 20 steps of the tiny model; keywords write "run__steps" for "run.steps"."""
    settings = parse(
        {
            "model": {"size": "tiny"},
            "optimiser": {"warmup_steps": 4},
            "parallel": {"compile": False, "precision": "float32"},
            "checkpoint": {"every": 10, "keep": 3},
            "run": {"batch": 8, "micro_batch": 4, "steps": 20, "device": "cpu", "log_every": 1},
        }
    )
    return override(settings, {key.replace("__", "."): value for key, value in changes.items()})


def records(output: Path, event: str) -> list[dict[str, Any]]:
    """The records of one kind in a run's metrics.jsonl."""
    lines = (output / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if (record := json.loads(line))["event"] == event]


def losses(output: Path) -> list[float]:
    return [record["loss"] for record in records(output, "step")]


def copy(finished: Path, step: int, output: Path) -> str:
    """A run's folder that holds only one checkpoint of `finished`."""
    folder = f"step-{step:08d}"
    shutil.copytree(finished / "checkpoints" / folder, output / "checkpoints" / folder)
    return str(output)


def run_groups(groups: list[tuple[int, list[dict[str, Any]]]]) -> None:
    """Runs `worker.py`: each group is a number of processes and the jobs they train one after the other.

    A job has `output`, `changes` (for `small`), and perhaps `resume` (a finished run and the step to go on from) and
    `trouble` (a name in the worker).
    """
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("worker.py")), json.dumps(groups)],
        env=os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
