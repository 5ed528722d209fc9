"""benchmarks/train.py does what it is to do on a GPU, on a CPU with a tiny model."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from trainer.parallel import processes


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "train.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_training", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_ways_of_fsdp_compute_the_same(benchmark: ModuleType) -> None:
    shape = benchmark.SHAPES["smoke"]
    done = {}
    with processes("cpu") as device:
        for way in ("as trained", "keep weights", "reduce once"):
            variant = benchmark.Variant("selective", 2, compile=False, precision="float32", fsdp=way)
            of = benchmark.rounds(benchmark.ours(shape, variant, device), shape, variant, device)
            done[way] = [number for _ in range(3) for number in next(of)[2:]]  # losses and norms
    assert done["keep weights"] == pytest.approx(done["as trained"], rel=1e-5)
    assert done["reduce once"] == pytest.approx(done["as trained"], rel=1e-5)
    assert done["as trained"][0] > done["as trained"][-2]  # updates are seen


def test_a_model_that_computes_something_else_is_not_timed(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer.convert import huggingface

    monkeypatch.setattr(huggingface, "to_halves", lambda weight, heads: weight * 3)
    variant = benchmark.Variant("none", 2, precision="float32")
    with processes("cpu") as device, pytest.raises(RuntimeError, match="transformers, eager computes something else"):
        benchmark.compare(benchmark.SHAPES["smoke"], variant, device, (False,))


@pytest.mark.slow
def test_smoke(benchmark: ModuleType, tmp_path: Path) -> None:
    benchmark.main(["--smoke", str(tmp_path)])
    benchmark.main(["--smoke", str(tmp_path), "--step"])
    result = json.loads((tmp_path / "train-smoke.json").read_text())
    assert [row["contender"] for row in result["peers"]] == ["ours, compiled", "transformers, compiled"]
    assert not [row for row in result["variants"] if "failed" in row]
    for row in result["variants"]:
        assert row["step_s"] == pytest.approx(4 / row["micro_batch"] * row["micro_batch_s"] + row["update_s"])
        assert row["tokens_per_s"] == pytest.approx(4 * 64 / row["step_s"])
    ways = {(row["recompute"], row["compile"]) for row in result["variants"]}
    assert len(ways) == 6
    assert (tmp_path / "train-smoke.md").read_text().count("\n| ") == len(result["variants"]) + 1
    (whole,) = json.loads((tmp_path / "train-smoke-step.json").read_text())["variants"]
    assert whole["step_s"] > 0
