"""A run whose whole process tree is killed, at any moment, loses nothing that was finished, and ends the same."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpus.recipe import load
from pipelines.run import run
from pipelines.runner import Runner

RECIPE = """\
format: 1
output: {output}
sources:
  c4:
    input: {raw}
    split_bytes: 15000
    steps:
      - lines: {{min_chars: 20}}
      - length: {{min_chars: 40}}
      - exact
across: [near]
tokenizer: {{vocab_size: 400, held_out: 10}}
mixture:
  shares: {{c4: 1}}
  sequence_length: 64
"""
WINDOWS = {
    "spill": r"\.spill$",
    "rename": r"/data/part-00002\.parquet$",
    "before the sidecar": r"/meta/parts/part-00001\.json$",
    "decisions": r"/meta/dedup/part-00001\.parquet$",
    "end of decisions": r"/meta/dedup/index\.json$",
    "manifest": r"/20-[^/]*/meta/manifest\.json$",
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


def make_raw(folder: Path) -> None:
    """C4-like files: 8 of 40 documents of made-up words, some lines and documents in several files."""
    words = random.Random(0)
    vocabulary = ["".join(words.choices("abcdefghijklmnopqrstuvwxyz", k=words.randint(2, 9))) for _ in range(2000)]
    boilerplate = " ".join(words.choices(vocabulary, k=12))
    copies = []
    folder.mkdir()
    for number in range(8):
        rows = []
        for _ in range(40):
            lines = [" ".join(words.choices(vocabulary, k=words.randint(5, 20))) for _ in range(4)]
            if words.random() < 0.3:
                lines.append(boilerplate)
            rows.append({"text": "\n".join(lines), "url": f"https://example.org/{number}/{len(rows)}"})
        copies.append(rows[0]["text"])
        rows += [{"text": text, "url": f"https://copy.org/{number}/{n}"} for n, text in enumerate(copies[:3])]
        path = folder / f"c4-{number}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_recipe(raw: Path, folder: Path) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(RECIPE.format(raw=raw, output=folder / "run"), encoding="utf-8")
    return path


def start(recipe: Path, window: str = "") -> subprocess.Popen[bytes]:
    environment = {**os.environ, "CORPUS_TEST_KILL_WINDOW": window}
    environment["PYTHONPATH"] = str(Path(__file__).with_name("killing"))
    command = [sys.executable, "-c", "from corpus.cli import main; main()", "run", str(recipe), "--workers", "2"]
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def files_of(run_folder: Path) -> dict[str, bytes]:
    """Every file of a run, by path; but the recipe, which names the folder, and what is removed at the end."""
    return {
        str(path.relative_to(run_folder)): path.read_bytes()
        for path in sorted(run_folder.rglob("*"))
        if path.is_file() and path.name != "recipe.yaml" and ".work" not in path.parts
    }


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
    names = [name for name in files if "/20-lines+length-" in name and name.endswith("meta/manifest.json")]
    manifest = json.loads(files[names[0]])
    assert manifest["documents"]["in"] == sum(
        len(path.read_text(encoding="utf-8").splitlines()) for path in (folder / "raw").iterdir()
    )
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
