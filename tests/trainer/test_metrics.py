from pathlib import Path

import pytest
import torch
from harness import records, small

from corpus.errors import UserError
from trainer import metrics
from trainer.flops import flops_per_token
from trainer.gpus import peak_flops
from trainer.metrics import Metrics


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("Some GPU of 2031", None),
    ],
)
def test_peaks(name: str, peak: float | None) -> None:
    assert peak_flops(name) == peak


def test_mfu_is_the_stated_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(metrics.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(metrics, "peak_flops", lambda name: 1e9)
    settings = small()
    report = Metrics(tmp_path, settings, 64, 32, torch.device("cpu"), world=2, steps=100, data={}, quiet=False)
    report.start(10)
    now[0] += 5.0
    report.pause(1.0)  # a checkpoint
    report.log(20, 5120, 3.0, 0.5, 1e-3, waited=1.0, spikes=0)
    report.close()
    (step,) = records(tmp_path, "step")
    assert step["data_wait"] == 0.25
    assert step["tokens_per_s"] == 10 * 8 * 32 / 4.0
    assert step["tokens_per_s_per_device"] == 320.0
    assert step["mfu"] == 320.0 * flops_per_token(settings.model, 64, 32) / 1e9


def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/metrics.jsonl: cannot be written: File exists"):
        Metrics(tmp_path / "file", small(), 64, 32, torch.device("cpu"), world=1, steps=2, data={}, quiet=False)


def test_records_are_json_also_when_the_loss_is_not_a_number(tmp_path: Path) -> None:
    report = Metrics(tmp_path, small(), 64, 32, torch.device("cpu"), world=1, steps=2, data={}, quiet=False)
    report.start(0)
    report.log(1, 256, float("nan"), float("inf"), 1e-3, waited=0.0, spikes=0)
    report.close()
    (step,) = records(tmp_path, "step")
    assert step["loss"] is None
    assert step["grad_norm"] is None
