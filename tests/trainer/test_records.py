import json
from pathlib import Path

import pytest
import torch
from harness import MemoryTokens, records, small

from corpus.errors import UserError
from trainer.metrics import Metrics
from trainer.parallel import processes
from trainer.records import read_records, step_data, steps_with
from trainer.train import train


def write(folder: Path, *starts: tuple[int, int, int, int]) -> str:
    """(step, sequence, batch, steps) of each start."""
    lines = [
        {"event": "start", "mixture": "../m/manifest.json", "fingerprint": "ab", "step": step, "sequence": sequence,
         "batch": batch, "steps": steps}
        for step, sequence, batch, steps in starts
    ]  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"event": "st')
    return str(folder)


def test_the_sequences_of_a_step(tmp_path: Path) -> None:
    # Ten steps of 8, then on from the checkpoint after the sixth with batches of 4.
    folder = write(tmp_path, (0, 0, 8, 10), (6, 48, 4, 20))
    found = {step: step_data(folder, step) for step in (1, 6, 7, 20)}
    assert {step: (data.first, data.count) for step, data in found.items()} == {
        1: (0, 8),
        6: (40, 8),
        7: (48, 4),
        20: (100, 4),
    }
    assert Path(found[1].manifest) == tmp_path.parent / "m" / "manifest.json"
    with pytest.raises(UserError, match="has no step 21: give one from 1 to 20"):
        step_data(folder, 21)
    with pytest.raises(UserError, match=r"metrics\.jsonl does not exist: give the output folder"):
        step_data(str(tmp_path / "absent"), 1)


def test_the_steps_of_sequences(tmp_path: Path) -> None:
    def start(step: int, sequence: int, batch: int, fingerprint: str = "ab") -> dict[str, object]:
        return {"event": "start", "fingerprint": fingerprint, "step": step, "sequence": sequence, "batch": batch}

    def done(step: int) -> dict[str, object]:
        return {"event": "step", "step": step}

    # Eight steps of 8; on from the sixth with batches of 4 as far as the ninth; then on from there on another mixture.
    lines = [start(0, 0, 8), done(1), done(8), start(6, 48, 4), done(9), start(9, 0, 4, "cd"), done(12)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    run = str(tmp_path)
    assert steps_with(run, "ab", [0, 7, 8, 47]) == [1, 2, 6]
    assert steps_with(run, "ab", [48, 51, 52, 59]) == [7, 8, 9]
    assert steps_with(run, "ab", [60, 1000]) == []  # the first pass came to 63, and its weights are not these
    assert steps_with(run, "cd", [0, 11, 12]) == [10, 12]
    assert steps_with(run, "ef", [0]) == []


class Recorded(MemoryTokens):
    """Keeps which sequences were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int]] = []

    def batch(self, first: int, count: int):  # type: ignore[no-untyped-def]
        self.asked.append((first, count))
        return super().batch(first, count)


def test_the_trainer_records_where_it_begins(tmp_path: Path) -> None:
    with processes("cpu") as device:
        for batch, begun, steps in ((8, 0, 4), (4, 4, 6)):
            tokens = Recorded()
            settings = small(run__batch=batch, run__steps=steps, optimiser__warmup_steps=2)
            train(settings, tokens, tmp_path, device)
            done = [step_data(str(tmp_path), step) for step in range(1, steps + 1)]
            trained = tokens.asked[: steps - begun]  # the loader reads further
            assert [(data.first, data.count) for data in done][begun:] == trained
    assert [(d.first, d.count) for d in done] == [*((8 * n, 8) for n in range(4)), (32, 4), (36, 4)]
    assert {record["fingerprint"] for record in records(tmp_path, "start")} == {tokens.fingerprint}


def test_a_line_cut_short_does_not_hide_the_next(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"event": "step", "lo')
    Metrics(tmp_path, small(), 64, 32, torch.device("cpu"), 1, 2, {"step": 5}, quiet=False).close()
    (start,) = read_records(str(tmp_path))
    assert start["step"] == 5
