"""Scores over a run's checkpoints: what is evaluated, kept, and drawn."""

import csv
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from benchmark_items import write_items
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import UserError
from trainer.checkpoint import folder_of, read_position
from trainer.evaluation.benchmarks import Row, choose
from trainer.evaluation.history import Point, draw, fill, points


def score(value: float) -> dict[str, Any]:
    return {"score": value, "stderr": None, "items": 1, "shots": 0, "metric": "acc"}


@pytest.fixture
def two(run: Path, tmp_path: Path) -> Path:
    """A run with checkpoints of steps 7 and 14, and the metrics of both, of which step 14 was done twice."""
    output = tmp_path / "run"
    for step in (7, 14):
        folder = folder_of(output, step)
        shutil.copytree(folder_of(run, 7), folder)
        body = json.loads((folder / "checkpoint.json").read_text())
        (folder / "checkpoint.json").write_text(json.dumps({**body, "step": step, "sequence": 8 * step}))
    records = [
        {"event": "start", "step": 0, "sequence": 0, "batch": 8},
        {"event": "heldout", "step": 7, "sources": {"books": {"loss": 3.0}, "code": {"loss": 2.0}}},
        {"event": "heldout", "step": 14, "sources": {"books": {"loss": 9.0}, "code": {"loss": 9.0}}},
        {"event": "start", "step": 7, "sequence": 56, "batch": 8},
        {"event": "heldout", "step": 14, "sources": {"books": {"loss": 1.0}, "code": {"loss": 1.5}}},
    ]
    (output / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return output


def test_only_what_is_missing_is_scored_and_scores_outlive_checkpoints(two: Path) -> None:
    asked = []

    def evaluate(source: str, chosen: list[Row]) -> Iterator[tuple[str, Any]]:
        asked.append((Path(source).name, [row.name for row in chosen]))
        for row in chosen:
            yield row.name, score(read_position(Path(source)).step)

    assert fill(str(two), choose(["piqa"]), None, evaluate) == 2
    shutil.rmtree(folder_of(two, 7))
    assert fill(str(two), choose(["piqa", "siqa"]), None, evaluate) == 1
    assert fill(str(two), choose(["piqa", "siqa"]), None, evaluate) == 0
    assert asked == [("step-00000007", ["piqa"]), ("step-00000014", ["piqa"]), ("step-00000014", ["siqa"])]
    window = 64
    assert [point for point in points(str(two)) if not point.what.startswith("perplexity")] == [
        Point(56 * window, 7, "piqa", 7),
        Point(112 * window, 14, "piqa", 14),
        Point(112 * window, 14, "siqa", 14),
    ]
    with pytest.raises(UserError, match="has scores with --limit None"):
        fill(str(two), choose(["nq/0"]), 5, evaluate)


def test_a_kill_costs_one_score_at_most(two: Path) -> None:
    asked = []

    def evaluate(source: str, chosen: list[Row]) -> Iterator[tuple[str, Any]]:
        for row in chosen:
            asked.append((Path(source).name[-1], row.name))
            if asked == [("7", "piqa"), ("7", "siqa")]:
                raise KeyboardInterrupt
            yield row.name, score(1)

    with pytest.raises(KeyboardInterrupt):
        fill(str(two), choose(["piqa", "siqa"]), None, evaluate)
    fill(str(two), choose(["piqa", "siqa"]), None, evaluate)
    assert asked[2:] == [("7", "siqa"), ("4", "piqa"), ("4", "siqa")]


def test_perplexity_is_that_of_the_last_time_a_step_was_done(two: Path) -> None:
    found = {(p.what, p.step): (p.tokens, p.value) for p in points(str(two))}
    assert found == {
        ("perplexity books", 7): (56 * 64, math.exp(3)),
        ("perplexity code", 7): (56 * 64, math.exp(2)),
        ("perplexity books", 14): (112 * 64, math.exp(1)),
        ("perplexity code", 14): (112 * 64, math.exp(1.5)),
    }


def test_nothing_known_and_an_unknown_kind_of_picture_are_said(two: Path, tmp_path: Path) -> None:
    known = points(str(two))
    with pytest.raises(UserError, match=r"end its name in \.svg"):
        draw(str(tmp_path / "picture.txt"), known)
    (two / "metrics.jsonl").write_text("")
    with pytest.raises(UserError, match="neither scores nor held-out losses"):
        points(str(two))


def test_the_command_scores_all_checkpoints_and_draws_them(two: Path, tokenizer: str, tmp_path: Path) -> None:
    write_items(tmp_path / "items")
    given = ["--task", "boolq", "--task", "nq/0", "--data", str(tmp_path / "items"), "--tokenizer", tokenizer]
    done = CliRunner().invoke(app, ["eval", "--history", str(two), *given, "--device", "cpu"])
    assert done.exception is None, done.output
    assert done.output.strip().endswith("4 curves, 8 points")
    picture = ElementTree.parse(two / "eval" / "history.svg").getroot()
    assert picture.tag.endswith("svg")
    with (two / "eval" / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["what"], int(row["step"])) for row in rows] == [
        (what, step) for what in ("boolq", "nq/0", "perplexity books", "perplexity code") for step in (7, 14)
    ]
    assert rows[0]["value"] == rows[1]["value"]  # the same weights under two names
    again = CliRunner().invoke(app, ["eval", "--history", str(two), "--output", str(tmp_path / "again.png")])
    assert again.exception is None, again.output
    assert (tmp_path / "again.png").read_bytes()[:4] == b"\x89PNG"
    assert len((tmp_path / "again.csv").read_text().splitlines()) == 9
