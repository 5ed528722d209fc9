import pytest
import torch
from harness import small

from trainer.config import OptimiserSettings
from trainer.model import Llama
from trainer.optim import build_optimiser, learning_rate


def test_learning_rate_of_the_7b() -> None:
    """Section 2.3: 2,000 warm-up steps, then a cosine to 10 % of the peak of Table 2 (1T tokens of 4M a step)."""
    settings = OptimiserSettings(lr=3e-4)
    steps = 238_418
    golden = {0: 1.5e-7, 999: 1.5e-4, 1999: 3e-4, 120_208: 1.65e-4, steps - 1: 3e-5}
    assert {step: learning_rate(step, steps, settings) for step in golden} == pytest.approx(golden, rel=1e-9)


def test_learning_rate_never_leaves_its_bounds() -> None:
    settings = OptimiserSettings(lr=1.0, warmup_steps=0, final_fraction=0.25)
    rates = [learning_rate(step, 50, settings) for step in range(50)]
    assert rates == sorted(rates, reverse=True)
    assert (rates[0] < 1.0, rates[-1]) == (True, 0.25)


@pytest.mark.parametrize("decay", ["matrices", "all"])
def test_which_parameters_decay(decay: str) -> None:
    settings = small(optimiser__decay=decay)
    with torch.device("meta"):
        model = Llama(settings.model, 64, 32)
    model.materialise("cpu", seed=0)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    optimiser = build_optimiser(model, settings.optimiser)
    decayed = {names[id(p)] for group in optimiser.param_groups if group["weight_decay"] for p in group["params"]}
    still = {names[id(p)] for group in optimiser.param_groups if not group["weight_decay"] for p in group["params"]}
    assert decayed | still == set(names.values())
    assert still == ({n for n in names.values() if n.endswith("norm.weight")} if decay == "matrices" else set())
