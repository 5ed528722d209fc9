"""`corpus warm-up`, and the line that says that kernels are compiled, as a user sees them."""

import json
import os
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

import corpus
import tokenizer
from corpus import compiling


def kernels() -> set[str]:
    """The full names of all functions of `corpus` and `tokenizer` that numba compiles."""
    found = set()
    for package in (corpus, tokenizer):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            jitted = [value for value in vars(import_module(module.name)).values() if isinstance(value, Dispatcher)]
            found |= {f"{kernel.__module__}.{kernel.__qualname__}" for kernel in jitted}
    return found


def run(cache: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command in a process of its own, with its own folder of compiled kernels."""
    done = subprocess.run(
        [sys.executable, "-c", "from corpus.cli import main; main()", *arguments],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_every_kernel_is_compiled_once(tmp_path: Path) -> None:
    first = run(tmp_path, "warm-up")
    assert "kernels compiled in" in first.stdout
    kept = {path.name.partition("-")[0] for path in tmp_path.glob("*.kernel")}
    assert kept == kernels()
    assert "corpus.text.unicode.decode" in kept
    again = run(tmp_path, "warm-up")
    assert again.stdout == "nothing to do: every kernel is compiled\n"
    assert first.stderr == again.stderr == ""


def test_a_command_says_once_that_kernels_are_compiled(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for number in range(4):
        row = {"text": f"text {number}", "url": f"https://example.org/{number}"}
        (raw / f"{number}.jsonl").write_text(json.dumps(row), encoding="utf-8")

    def extract(output: str) -> str:
        return run(tmp_path / "cache", "extract", "c4", str(raw), str(tmp_path / output), "--workers", "2").stderr

    assert extract("first").count(compiling.LINE) == 1
    assert compiling.LINE not in extract("second")
