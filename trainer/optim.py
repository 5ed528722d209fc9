"""AdamW over two groups of parameters, and the learning rate as a pure function of the step."""

import math

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from trainer.config import OptimiserSettings


def learning_rate(step: int, steps: int, settings: OptimiserSettings) -> float:
    """The learning rate of step 0 <= step < steps.

    It rises linearly to the peak at the last warm-up step, then falls along a half cosine to
    `final_fraction` of the peak at the last step. Nothing of it needs to be in a checkpoint.
    """
    done = step + 1
    if done <= settings.warmup_steps:
        return settings.lr * done / settings.warmup_steps
    progress = (done - settings.warmup_steps) / (steps - settings.warmup_steps)
    low = settings.lr * settings.final_fraction
    return low + (settings.lr - low) * (1 + math.cos(math.pi * progress)) / 2


def build_optimiser(model: nn.Module, settings: OptimiserSettings) -> torch.optim.AdamW:
    """AdamW whose state exists from the start (zeros), so that a checkpoint can be read into it."""
    parameters = list(model.parameters())
    decayed = [p for p in parameters if settings.decay == "all" or p.dim() >= 2]
    chosen = {id(p) for p in decayed}
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if id(p) not in chosen], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=settings.lr, betas=settings.betas, eps=settings.eps, fused=True,
    )  # fmt: skip
    for p in parameters:
        optimiser.state[p] = {
            "step": torch.zeros((), dtype=torch.float32, device=p.device),
            "exp_avg": torch.zeros_like(p),
            "exp_avg_sq": torch.zeros_like(p),
        }
    return optimiser


def update(optimiser: torch.optim.AdamW, leave_out: Tensor) -> None:
    """One update, and no gradients after it. Where the device's scalar `leave_out` is 1.0 it changes nothing."""
    optimiser.found_inf = leave_out  # type: ignore[attr-defined]  # what the fused kernels look at
    optimiser.step()
    optimiser.zero_grad()


def updates_made(optimiser: torch.optim.AdamW) -> int:
    """How many updates AdamW's moments have seen. Waits for the device."""
    return int(next(iter(optimiser.state.values()))["step"])


def set_updates(optimiser: torch.optim.AdamW, updates: int) -> None:
    """Tells AdamW how many updates its moments have seen."""
    for state in optimiser.state.values():
        state["step"].fill_(float(updates))


def clip_gradients(model: nn.Module, limit: float) -> Tensor:
    """Scales the gradients so that their joint norm is at most `limit`; returns the norm before, on the device."""
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), limit, foreach=True)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
