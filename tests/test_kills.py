"""A run whose whole process tree is killed, at any moment, loses nothing that was finished, and ends the same."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpus.recipe.load import load
from pipelines.engine.runner import Runner
from pipelines.run import run
from tests.small_run import files_of, make_raw, write_recipe

WINDOWS = {
    "spill": r"\.spill$",
    "rename": r"/data/part-00002\.parquet$",
    "before the sidecar": r"/meta/parts/part-00001\.json$",
    "decisions": r"/meta/dedup/part-00001\.parquet$",
    "end of decisions": r"/meta/dedup/index\.json$",
    "part of an index": r"/index/parts/part-00003\.json$",
    "end of an index": r"/index/index\.json$",
    "times of a stage": r"/\.status/c4,length[^/]*\.json$",
    "manifest": r"/20-[^/]*/meta/manifest\.json$",
    "tokenizer's sample": r"/\.work/[0-9a-f]{8}/part-00001\.parquet$",
    "between the tokenizer and its report": r"/tokenizer-[^/]*/report\.json$",
    "shard": r"/shard-00000\.tok$",
}
SEEDED_KILLS = 20


@dataclass(frozen=True)
class Reference:
    """A run that was never killed.

    Attributes:
        seconds: it took, from the first folder to the end, in a process of its own.
    """

    raw: Path
    files: dict[str, bytes]
    seconds: float


def start(recipe: Path, window: str = "") -> subprocess.Popen[bytes]:
    environment = {**os.environ, "CORPUS_TEST_KILL_WINDOW": window}
    environment["PYTHONPATH"] = str(Path(__file__).with_name("killing"))
    command = [sys.executable, "-c", "from corpus.cli import main; main()", "run", str(recipe), "--workers", "2"]
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def finished_parts(run_folder: Path) -> dict[Path, int]:
    """When each data file that has its sidecar was written."""
    found = {}
    for sidecar in run_folder.glob("*/*/meta/parts/*.json"):
        data = sidecar.parents[2] / "data" / f"{sidecar.stem}.parquet"
        found[data] = data.stat().st_mtime_ns
    return found


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("reference")
    make_raw(folder / "raw")
    recipe = write_recipe(folder / "raw", folder)
    process = start(recipe)
    while not (folder / "run").exists():
        time.sleep(0.01)
    began = time.monotonic()
    assert process.wait() == 0
    seconds = time.monotonic() - began
    files = files_of(folder / "run")
    assert any(name.startswith("mixture-") for name in files)
    return Reference(folder / "raw", files, seconds)


def killed_then_run_again(reference: Reference, folder: Path, process: subprocess.Popen[bytes], recipe: Path) -> int:
    """Waits for the killed process, runs again in this one, compares; returns how many parts were there already."""
    assert process.wait() == -signal.SIGKILL
    done = finished_parts(folder / "run")
    run(load(str(recipe)), Runner("local", 2, quiet=True), say=lambda line: None)
    for data, written in done.items():
        assert data.stat().st_mtime_ns == written, f"{data} was finished and was written again"
    assert files_of(folder / "run") == reference.files
    return len(done)


@pytest.mark.slow
@pytest.mark.parametrize("window", WINDOWS)
def test_killed_in_a_window(reference: Reference, tmp_path: Path, window: str) -> None:
    recipe = write_recipe(reference.raw, tmp_path)
    killed_then_run_again(reference, tmp_path, start(recipe, WINDOWS[window]), recipe)


@pytest.mark.slow
def test_killed_at_seeded_moments(reference: Reference, tmp_path: Path) -> None:
    moments = random.Random(2)
    reused = 0
    for number in range(SEEDED_KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        recipe = write_recipe(reference.raw, folder)
        process = start(recipe)
        while not (folder / "run").exists():
            time.sleep(0.005)
        time.sleep(moments.random() * 0.9 * reference.seconds)
        if process.poll() is not None:
            continue  # this machine was quicker now than for the reference: nothing was killed
        os.killpg(process.pid, signal.SIGKILL)
        reused += killed_then_run_again(reference, folder, process, recipe)
    assert reused > 0
