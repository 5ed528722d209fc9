"""benchmarks/train.py does what it is to do on a GPU, on a CPU with a tiny model."""

import importlib.util
import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.nn.attention import flex_attention as pytorch_flex

from trainer import attention
from trainer.config import parse
from trainer.flops import flops_per_token
from trainer.gpus import find
from trainer.parallel import processes
from trainer.plan.memory import usable

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "train.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_training", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_model_that_computes_something_else_is_not_timed(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer.convert import huggingface

    monkeypatch.setattr(huggingface, "to_halves", lambda weight, heads: weight * 3)
    variant = benchmark.Variant(recompute="none", micro_batch=2, precision="float32")
    with processes("cpu") as device, pytest.raises(RuntimeError, match="transformers, eager computes something else"):
        benchmark.compare(benchmark.SHAPES["smoke"], variant, device, (False,))


@pytest.mark.parametrize(("gpu", "layers"), [("H200", 32), ("H100", 17), ("A100-40GB", 7)])
def test_as_many_layers_as_the_plan_says_fit(benchmark: ModuleType, gpu: str, layers: int) -> None:
    memory = usable(find(gpu))
    fitted = benchmark.fitted(benchmark.SHAPES["7B"], memory)
    assert fitted.model == benchmark.SHAPES["7B"].model | {"layers": layers}
    assert benchmark.planned(fitted, benchmark.Variant()) <= memory
    more = fitted._replace(model=fitted.model | {"layers": layers + 1})
    assert layers == 32 or benchmark.planned(more, benchmark.Variant()) > memory


def test_the_rate_of_a_row(benchmark: ModuleType) -> None:
    shape = benchmark.SHAPES["smoke"]
    variant = benchmark.Variant(compile=False, micro_batch=2)
    with processes("cpu") as device:
        row = benchmark.measure(benchmark.ours, shape, variant, device, 1e12)
    assert row["step_s"] == pytest.approx(shape.step / 2 * row["micro_batch_s"] + row["update_s"])
    assert row["tokens_per_s"] == pytest.approx(shape.step * shape.seq_len / row["step_s"])
    flops = flops_per_token(parse({"model": {"size": "tiny"}}).model, shape.vocab_size, shape.seq_len)
    assert row["mfu"] == pytest.approx(row["tokens_per_s"] * flops / 1e12)


def filled(benchmark: ModuleType, output: Path, rates: list[tuple[str, bool, float]]) -> Any:
    """A table with rows of (attention, documents masked, MFU)."""
    table = benchmark.Table(benchmark.SHAPES["7B"], CPU, output)
    for name, masked, mfu in rates:
        variant = benchmark.Variant(name, document_mask=masked)
        table.rows.append({"contender": "ours", **variant._asdict(), "tokens_per_s": 2e4 * mfu, "mfu": mfu})
    return table


@pytest.mark.parametrize(
    ("mfu", "expected"),
    [
        (0.41, "MFU 41.0%. The floor of 45% is not reached, the goal of 60% is not reached."),
        (0.523, "MFU 52.3%. The floor of 45% is reached, the goal of 60% is not reached."),
        (0.61, "MFU 61.0%. The floor of 45% is reached, the goal of 60% is reached."),
    ],
)
def test_the_verdict_is_of_the_best_row_over_the_whole_window(
    benchmark: ModuleType, tmp_path: Path, mfu: float, expected: str
) -> None:
    table = filled(benchmark, tmp_path, [("sdpa", False, 0.4), ("flex", False, mfu), ("flex", True, 0.99)])
    assert table.verdict().startswith(
        f"Best of the 7B: ours, flex, compiled, recompute selective, 4 windows, {expected} KempnerForge publishes 54.5%"
    )


def test_what_takes_too_long_is_cut(benchmark: ModuleType) -> None:
    with pytest.raises(benchmark.OutOfTime), benchmark.at_most(1):
        time.sleep(60)
    assert not issubclass(benchmark.OutOfTime, Exception)  # which a compiler would catch


def test_a_run_that_is_cut_off_leaves_what_it_had(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = iter([{"tokens_per_s": 10.0, "mfu": 0.5}, {"failed": "out of memory"}])

    def measure(*_: object) -> dict[str, Any]:
        row = next(done, None)
        if row is None:
            raise benchmark.OutOfTime
        return row

    monkeypatch.setattr(benchmark, "measure", measure)
    with processes("cpu") as device:
        benchmark.on_a_gpu("7B", tmp_path, device, ())
    result = json.loads((tmp_path / "train.json").read_text())
    ends = [row.get("failed", row.get("tokens_per_s")) for row in result["rows"]]
    assert ends == [10.0, "out of memory", "not measured: time was over"]
    assert [row["attention"] for row in result["rows"]] == ["sdpa", "flex", "flash"]
    assert "MFU 50.0%. The floor of 45% is reached" in (tmp_path / "train.md").read_text()
    assert "time is over: the other rows are not measured" in capsys.readouterr().out


@pytest.mark.slow
def test_smoke(benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """flex as if this were a GPU, by PyTorch's formula in place of its kernel."""
    monkeypatch.setattr(attention, "_flex_needs", lambda device, head_dim: [])
    monkeypatch.setattr(pytorch_flex, "_validate_device", lambda *tensors: None)
    benchmark.main(["--smoke", str(tmp_path)])
    rows = json.loads((tmp_path / "train.json").read_text())["rows"]
    assert {row["attention"] for row in rows if "failed" in row} == {"flash"}
    assert {row["failed"].partition(",")[0] for row in rows if "failed" in row} == {
        "parallel.attention: flash needs a GPU"
    }
    ran = {(row["attention"], row["compile"], row["document_mask"]) for row in rows if "tokens_per_s" in row}
    backends = ("sdpa", "flex")
    assert ran == {(name, *how) for name in backends for how in [(True, False), (False, False), (True, True)]}
    # The same weights and windows: the first loss is the same, but for what a mask hides.
    for masked in (False, True):
        losses = [row["first_loss"] for row in rows if "first_loss" in row and row["document_mask"] == masked]
        assert losses == pytest.approx([losses[0]] * len(losses), rel=0.01)
    (peer,) = [row for row in rows if row["contender"] == "transformers"]
    assert peer["note"].startswith("ours / it ")
    assert (tmp_path / "train.md").read_text().count("\n| ours, ") == len(rows) - 1
