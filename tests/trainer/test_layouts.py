"""One training run, whatever the number of processes and however the model lies on them."""

import shutil
from pathlib import Path

import pytest
from harness import MemoryTokens, losses, records, run_workers, small

from trainer.parallel import processes
from trainer.train import train

HALF = "step-00000010"


def copy_half(finished: Path, output: Path) -> Path:
    """A run's folder that holds only the checkpoint of step 10 of `finished`."""
    shutil.copytree(finished / "checkpoints" / HALF, output / "checkpoints" / HALF)
    return output


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of finished runs of 20 steps, and of runs that went on from step 10 in another layout."""
    root = tmp_path_factory.mktemp("runs")
    tensor = {"parallel__tensor": 2}
    with processes("cpu") as device:
        train(small(), MemoryTokens(), root / "single", device)
    jobs = [
        {"output": str(root / "dp2"), "changes": {}},
        {"output": str(root / "tp2"), "changes": tensor | {"parallel__recompute": "all"}},
        {"output": str(copy_half(root / "single", root / "single-to-tp2")), "changes": tensor},
    ]
    run_workers(2, jobs)
    jobs = [
        {"output": str(root / "dp2tp2"), "changes": tensor},
        {"output": str(copy_half(root / "dp2", root / "dp2-to-dp2tp2")), "changes": tensor},
    ]
    run_workers(4, jobs)
    for finished in ("dp2", "tp2", "dp2tp2"):
        output = copy_half(root / finished, root / f"{finished}-to-single")
        with processes("cpu") as device:
            train(small(), MemoryTokens(), output, device)
    return root


@pytest.mark.parametrize("layout", ["dp2", "tp2", "dp2tp2"])
def test_every_layout_has_the_same_losses(runs: Path, layout: str) -> None:
    single = losses(runs / "single")
    assert len(single) == 20
    assert losses(runs / layout)[0] == pytest.approx(single[0], abs=1e-6)  # the same initialisation
    assert losses(runs / layout) == pytest.approx(single, abs=1e-5)


@pytest.mark.parametrize("layout", ["dp2", "tp2", "dp2tp2"])
def test_every_layout_has_the_same_gradient_norms_and_heldout_loss(runs: Path, layout: str) -> None:
    for field in ("grad_norm", "lr"):
        expected = [record[field] for record in records(runs / "single", "step")]
        assert [record[field] for record in records(runs / layout, "step")] == pytest.approx(expected, abs=1e-4)
    (single,), (other,) = records(runs / "single", "heldout"), records(runs / layout, "heldout")
    assert other["sources"].keys() == single["sources"].keys() == {"books", "code"}
    for source, values in single["sources"].items():
        assert other["sources"][source] == pytest.approx(values, abs=1e-5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dp2", "dp2-to-single"),
        ("tp2", "tp2-to-single"),
        ("dp2tp2", "dp2tp2-to-single"),
        ("single", "single-to-tp2"),
        ("dp2", "dp2-to-dp2tp2"),
    ],
)
def test_a_checkpoint_goes_on_in_another_layout(runs: Path, before: str, after: str) -> None:
    (resume,) = records(runs / after, "resume")
    assert (resume["step"], resume["sequence"]) == (10, 80)
    assert losses(runs / after) == pytest.approx(losses(runs / before)[10:], abs=1e-6)
