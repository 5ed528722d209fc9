"""Short commands end with what they mean to end with, however busy the machine is: no thread of a library still asks
for the interpreter when it is gone."""

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from corpus.recipe.load import load
from pipelines.engine.runner import Runner
from pipelines.run import run
from tests.small_run import make_raw, write_recipe

RUNS = 8
"""Of each command; more of them at a time than there are processors, so that a thread may be held up anywhere."""


@pytest.mark.slow
def test_short_commands_on_a_busy_machine(tmp_path: Path) -> None:
    make_raw(tmp_path / "raw")
    recipe = write_recipe(tmp_path / "raw", tmp_path)
    run(load(str(recipe)), Runner("local", 2, quiet=True), say=lambda line: None)
    (step,) = (tmp_path / "run/c4").glob("30-exact-*")
    (tokens,) = (tmp_path / "run/tokens").glob("c4-*")
    commands = [
        ["show", str(step)],
        ["show", str(step), "--dropped", "duplicate"],
        ["trace", str(step), "3"],
        ["trace", str(tokens / "shard-00000.tok"), "1000"],
        ["shards", "info", str(tokens)],
        ["--help"],
        ["run", str(recipe)],
    ]

    def end(command: list[str]) -> tuple[str, int, str]:
        program = "from corpus.cli import main; main()"
        done = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, text=True, check=False)
        return command[0], done.returncode, done.stderr

    with ThreadPoolExecutor(4 * (os.cpu_count() or 1)) as pool:
        ends = Counter(pool.map(end, commands * RUNS))
    assert {(code, error) for _, code, error in ends} == {(0, "")}, ends
