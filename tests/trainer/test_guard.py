import math
import statistics

import pytest
import torch

from trainer import guard
from trainer.guard import WINDOW, Guard

CPU = torch.device("cpu")


def judge(judging: Guard, step: int, loss: float, norm: float = 1.0) -> bool:
    return bool(judging.judge(step, torch.tensor(loss), torch.tensor(norm)))


def expected(losses: list[float], sigmas: float, window: int) -> list[bool]:
    """Which losses stand out, by Python's own statistics."""
    out = []
    for n, loss in enumerate(losses):
        before = losses[max(0, n - window) : n]
        out.append(len(before) >= window // 2 and loss > statistics.mean(before) + sigmas * statistics.stdev(before))
    return out


def test_a_spike_is_what_lies_far_above_the_steps_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "WINDOW", 16)
    generator = torch.Generator().manual_seed(0)
    losses = (3 + 0.1 * torch.randn(100, generator=generator)).tolist()
    losses[40] = losses[70] = 5.0
    judging = Guard(CPU, 2.5)
    found = [judge(judging, step, loss) for step, loss in enumerate(losses, start=1)]
    assert found == expected([float(torch.tensor(loss)) for loss in losses], 2.5, 16)
    assert found[40]
    assert found[70]
    assert not any(found[:8])
    assert judging.spikes == sum(found)


def test_a_spike_of_the_gradient_counts_too() -> None:
    judging = Guard(CPU, 6.0)
    for step in range(1, WINDOW + 1):
        assert not judge(judging, step, 3.0 + 0.01 * (step % 3), 1.0 + 0.01 * (step % 2))
    assert judge(judging, WINDOW + 1, 3.0, 9.0)


@pytest.mark.parametrize("sigmas", [None, 6.0])
def test_the_first_step_that_is_not_finite_is_kept(sigmas: float | None) -> None:
    judging = Guard(CPU, sigmas)
    assert judging.first_broken is None
    values = [(3.0, 1.0), (3.0, math.inf), (math.nan, 1.0), (3.0, 1.0)]
    assert [judge(judging, step, *value) for step, value in enumerate(values, start=8)] == [False, True, True, False]
    assert judging.first_broken == 9
    assert judging.spikes == 0


def test_a_run_that_goes_on_judges_as_one_that_never_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "WINDOW", 16)
    losses = (3 + torch.randn(60, generator=torch.Generator().manual_seed(1))).tolist()
    whole = Guard(CPU, 1.0)
    judged = [judge(whole, step, loss) for step, loss in enumerate(losses, start=1)]
    for stop in (5, 37):
        first = Guard(CPU, 1.0)
        before = [judge(first, step, loss) for step, loss in enumerate(losses[:stop], start=1)]
        second = Guard(CPU, 1.0, first.recent())
        after = [judge(second, step, loss) for step, loss in enumerate(losses[stop:], start=stop + 1)]
        assert before + after == judged
    assert Guard(CPU, None).recent() is None
