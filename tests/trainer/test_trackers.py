import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from harness import MemoryTokens, records, small

from corpus.errors import UserError
from trainer.parallel import processes
from trainer.trackers import WeightsAndBiases, scalars
from trainer.train import train


def test_event_files_hold_what_metrics_holds(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with processes("cpu") as device:
        train(small(run__steps=6, run__tensorboard=True), MemoryTokens(), tmp_path, device)
    read = events.EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    steps = records(tmp_path, "step")
    for field in ("loss", "grad_norm", "lr", "data_wait"):
        found = [(event.step, event.value) for event in read.Scalars(f"step/{field}")]
        assert found == [(step["step"], pytest.approx(step[field], rel=1e-6)) for step in steps]
    (heldout,) = records(tmp_path, "heldout")
    (event,) = read.Scalars("heldout/books/loss")
    assert (event.step, event.value) == (6, pytest.approx(heldout["sources"]["books"]["loss"], rel=1e-6))


def test_weights_and_biases_gets_the_numbers_of_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    run = SimpleNamespace(log=lambda values, step: calls.append((step, values)), finish=lambda: calls.append("finish"))
    module = SimpleNamespace(init=lambda **options: calls.append(options) or run)
    monkeypatch.setitem(sys.modules, "wandb", module)
    with processes("cpu") as device:
        train(small(run__steps=5, run__wandb="llama"), MemoryTokens(), tmp_path / "model", device)
    begun, *logged, last, end = calls
    assert (begun["project"], begun["id"], begun["resume"]) == ("llama", "model", "allow")
    assert begun["config"]["run"]["steps"] == 5
    assert [step for step, _ in logged] == [1, 2, 3, 4, 5]
    assert logged[0][1]["step/loss"] == records(tmp_path / "model", "step")[0]["loss"]
    assert "heldout/code/unigram_entropy" in last[1]
    assert end == "finish"


def test_a_missing_package_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"pip install '.\[wandb\]'"):
        WeightsAndBiases("llama", tmp_path, {})


def test_scalars_are_the_numbers_alone() -> None:
    record = {"event": "step", "step": 3, "loss": 2.5, "mfu": None, "tokens": 7, "note": "x"}
    assert scalars(record) == {"step/loss": 2.5, "step/tokens": 7}
