"""Which updates are left out, decided on the device: the host does not wait to find out.

An update is left out when the loss or the gradient is not finite and, where `optimiser.skip_spikes` asks for it, when
either lies far above those of the steps before. The fused AdamW takes a flag for that (a gradient scaler sets the same
one) and then leaves weights, moments and step counts as they are.
"""

import torch
from torch import Tensor

WINDOW = 128
"""Steps that a spike is measured against, of which half must be there: as OLMo-core's SkipStepOptimizer."""

Recent = list[tuple[float, float] | None]
"""Loss and gradient norm of the last `WINDOW` steps, step s at s mod `WINDOW`; None where there is none."""


class Guard:
    """Judges each step's loss and gradient norm. All ranks see the same values, so all judge alike."""

    def __init__(self, device: torch.device, sigmas: float | None, recent: Recent | None = None) -> None:
        """`sigmas`: standard deviations above the mean that make a spike; None = nothing does.

        `recent`: of a checkpoint.
        """
        self._sigmas = sigmas
        none = (float("nan"), float("nan"))
        rows = [none if row is None else row for row in recent or [None] * WINDOW]
        self._recent = torch.tensor(rows, dtype=torch.float32, device=device)
        self._spikes = torch.zeros((), dtype=torch.int64, device=device)
        self._first_broken = torch.zeros((), dtype=torch.int64, device=device)

    def judge(self, step: int, loss: Tensor, norm: Tensor) -> Tensor:
        """1.0 where update number `step` (from 1) is to be left out, else 0.0: a float32 scalar on the device.

        `loss` and `norm` are scalars on the device: of the whole batch, and of the gradient before it is clipped.
        """
        now = torch.stack([loss.float(), norm.float()])
        finite = now.isfinite().all()
        self._first_broken.copy_(torch.where(finite | (self._first_broken > 0), self._first_broken, step))
        if self._sigmas is None:
            return (~finite).float()
        count = self._recent[:, 0].isfinite().sum()
        mean = self._recent.nansum(0) / count
        deviation = ((self._recent - mean).square().nansum(0) / (count - 1)).sqrt()
        spike = finite & (count >= WINDOW // 2) & (now > mean + self._sigmas * deviation).any()
        self._spikes += spike
        # A spike stays in the window: when the loss has risen for good, it soon is one no longer.
        slot = self._recent[step % WINDOW]
        slot.copy_(torch.where(finite, now, slot))
        return (~finite | spike).float()

    @property
    def spikes(self) -> int:
        """Updates left out as spikes so far. Waits for the device."""
        return int(self._spikes)

    @property
    def first_broken(self) -> int | None:
        """The first step whose loss or gradient was not finite. Waits for the device."""
        return int(self._first_broken) or None

    def recent(self) -> Recent | None:
        """What a checkpoint keeps, so that a run that goes on judges as one that never stopped."""
        if self._sigmas is None:
            return None
        rows: list[tuple[float, float]] = self._recent.tolist()
        return [None if row[0] != row[0] else (row[0], row[1]) for row in rows]
