"""One training run, whatever the number of processes and however the model lies on them."""

from pathlib import Path

import pytest
import torch
from harness import MemoryTokens, copy, losses, records, run_groups, small

from trainer.checkpoint import load, read_position
from trainer.convert.open import open_weights
from trainer.model import Llama
from trainer.optim import build_optimiser
from trainer.parallel import processes
from trainer.train import train


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of finished runs of 20 steps, and of runs that went on from step 10 or 15 in another layout."""
    root = tmp_path_factory.mktemp("runs")
    every = {"checkpoint__every": 5}
    tensor = every | {"parallel__tensor": 2}
    masked = {"run__document_mask": True, "run__steps": 6}
    with processes("cpu") as device:
        train(small(**every), MemoryTokens(), root / "single", device)
        train(small(**masked), MemoryTokens(), root / "masked", device)
    two = [
        {"output": str(root / "dp2"), "changes": every},
        {"output": str(root / "tp2"), "changes": tensor | {"parallel__recompute": "full"}},
        {"output": copy(root / "single", 15, root / "single-to-tp2"), "changes": tensor},
        {"output": str(root / "masked-tp2"), "changes": tensor | masked},
    ]
    four = [
        {"output": str(root / "dp4"), "changes": every | {"run__micro_batch": 2}},
        {"output": str(root / "dp2tp2"), "changes": tensor},
        {"output": copy(root / "single", 15, root / "single-to-dp2tp2"), "changes": tensor},
        {
            "output": str(root / "to-tp4"),
            "resume": [str(root / "dp2tp2"), 10],
            "changes": every | {"parallel__tensor": 4},
        },
        {"output": str(root / "tp4-to-dp2tp2"), "resume": [str(root / "to-tp4"), 15], "changes": tensor},
    ]
    run_groups([(2, two), (4, four)])
    with processes("cpu") as device:
        for finished, step in [("dp2", 10), ("tp2", 15), ("dp2tp2", 15)]:
            output = copy(root / finished, step, root / f"{finished}-to-single")
            train(small(), MemoryTokens(), Path(output), device)
    return root


@pytest.mark.parametrize("layout", ["dp2", "dp4", "tp2", "dp2tp2"])
def test_every_layout_has_the_same_losses(runs: Path, layout: str) -> None:
    single = losses(runs / "single")
    assert len(single) == 20
    assert losses(runs / layout)[0] == pytest.approx(single[0], abs=1e-6)  # the same initialisation
    assert losses(runs / layout) == pytest.approx(single, abs=1e-5)


def test_tensor_parallelism_cuts_attention_between_documents_too(runs: Path) -> None:
    masked = losses(runs / "masked")
    assert losses(runs / "masked-tp2") == pytest.approx(masked, abs=1e-5)
    assert abs(masked[-1] - losses(runs / "single")[5]) > 1e-4


@pytest.mark.parametrize("layout", ["dp2", "dp4", "tp2", "dp2tp2"])
def test_every_layout_has_the_same_gradient_norms_and_heldout_loss(runs: Path, layout: str) -> None:
    for field in ("grad_norm", "lr"):
        expected = [record[field] for record in records(runs / "single", "step")]
        assert [record[field] for record in records(runs / layout, "step")] == pytest.approx(expected, abs=1e-4)
    (single,), (other,) = records(runs / "single", "heldout"), records(runs / layout, "heldout")
    assert other["sources"].keys() == single["sources"].keys() == {"books", "code"}
    for source, values in single["sources"].items():
        assert other["sources"][source] == pytest.approx(values, abs=1e-5)


@pytest.mark.parametrize(
    ("before", "after", "step"),
    [
        ("dp2", "dp2-to-single", 10),
        ("tp2", "tp2-to-single", 15),
        ("dp2tp2", "dp2tp2-to-single", 15),
        ("single", "single-to-tp2", 15),
        ("single", "single-to-dp2tp2", 15),
        ("dp2tp2", "to-tp4", 10),
        ("to-tp4", "tp4-to-dp2tp2", 15),
    ],
)
def test_a_checkpoint_goes_on_in_another_layout(runs: Path, before: str, after: str, step: int) -> None:
    (resume,) = records(runs / after, "resume")
    assert (resume["step"], resume["sequence"]) == (step, 8 * step)
    assert losses(runs / after) == pytest.approx(losses(runs / before)[step - 20 :], abs=1e-6)


@pytest.mark.parametrize("layout", ["single", "dp2", "tp2", "dp2tp2"])
def test_weights_are_put_together_without_the_processes_that_wrote_them(runs: Path, layout: str) -> None:
    folder = runs / layout / "checkpoints" / "step-00000020"
    settings = small()
    with torch.device("meta"):
        model = Llama(settings.model, MemoryTokens.vocab_size, MemoryTokens.seq_len)
    model.materialise("cpu", seed=0)
    optimiser = build_optimiser(model, settings.optimiser)
    with processes("cpu"):
        load(folder, read_position(folder), model, optimiser)
    weights = open_weights(runs / layout)
    assert weights.folder == folder
    for name, parameter in model.named_parameters():
        assert weights.read(name).equal(parameter), name
