import pytest

from trainer.config import parse
from trainer.gpus import find
from trainer.plan.compare import Costs, loss, tokens_for
from trainer.plan.cost import Hardware

COSTS = Costs(parse({}), 32_000, 2048, Hardware(find("A100-80GB"), mfu=0.5), 1e12)


def test_the_loss_of_chinchilla_itself() -> None:
    """70B parameters, 1.4T tokens: 1.69 + 0.083 + 0.163, by hand from approach 3's constants."""
    assert loss(70e9, 1.4e12) == pytest.approx(1.936, abs=0.0015)


def test_tokens_for_is_the_inverse_of_the_loss() -> None:
    assert tokens_for(7e9, loss(7e9, 2e12)) == pytest.approx(2e12, rel=1e-6)
    assert tokens_for(7e9, 1.69) is None


def test_hours() -> None:
    """6.738e9 parameters: 42.86 GFLOP a trained token, 13.48 a served one, 312 TFLOP/s at 50% and 25%."""
    found = COSTS.choice("7B", 1e12)
    assert found.training == pytest.approx(42.864e9 * 1e12 / (0.5 * 312e12) / 3600, rel=1e-4)
    assert found.serving == pytest.approx(13.4768e9 * 1e12 / (0.25 * 312e12) / 3600, rel=1e-4)


def test_the_smaller_model_is_as_good_and_cheaper_from_the_break_even_on() -> None:
    large = COSTS.choice("13B", 1e12)
    small = COSTS.smaller(large)
    assert small is not None
    assert small.size == "7B"
    assert small.loss == pytest.approx(large.loss, abs=1e-9)
    served = COSTS.break_even(large, small)
    at = Costs(COSTS.settings, 32_000, 2048, COSTS.hardware, served)
    assert at.choice("13B", large.tokens).total == pytest.approx(at.choice("7B", small.tokens).total, rel=1e-9)
    assert COSTS.smaller(small) is None
