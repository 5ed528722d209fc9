"""Output projection and cross entropy in one, a chunk of tokens at a time.

Logits of a whole micro-batch are the largest tensor of a training step (8 x 2048 tokens x 32,000 in float32 are
2.1 GB, several times over in the backward pass). Here a chunk's logits live only until its gradient is known, which is
at once: the gradient of a sum of cross entropies needs nothing from later layers but one number to scale by.
"""

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.tensor import DTensor, Partial, Replicate

IGNORE = -100
"""A label that is not counted (PyTorch's convention)."""

CHUNK = 2048
"""Tokens whose logits are held at once: 262 MB in float32 for 32,000 pieces."""


class _LinearCrossEntropy(torch.autograd.Function):
    """Sum of cross entropies of hidden (n, d) times weight (v, d) against labels (n,), as a float32 scalar.

    With a group, `weight` holds this process's rows first .. first + v of the vocabulary; softmax and loss are
    over all of them, and the gradient of `hidden` is this process's part of the sum.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, group: dist.ProcessGroup | None, first: int,
        with_gradient: bool,
    ) -> Tensor:  # fmt: skip
        loss = hidden.new_zeros((), dtype=torch.float32)
        if with_gradient:
            ctx.grad_hidden = torch.empty_like(hidden)
            ctx.grad_weight = torch.zeros_like(weight, dtype=torch.float32)
        for start in range(0, len(hidden), CHUNK):
            part = slice(start, start + CHUNK)
            valid = (labels[part] != IGNORE).float()
            logits = (hidden[part] @ weight.t()).float()
            highest = logits.amax(-1, keepdim=True)
            if group is not None:
                dist.all_reduce(highest, dist.ReduceOp.MAX, group)
            logits -= highest
            row = labels[part, None] - first
            mine = ((row >= 0) & (row < len(weight))).float()
            row = row.clamp(0, len(weight) - 1)
            sums = torch.cat([logits.exp().sum(-1, keepdim=True), logits.gather(-1, row) * mine], dim=-1)
            if group is not None:
                dist.all_reduce(sums, group=group)
            loss += ((sums[:, 0].log() - sums[:, 1]) * valid).sum()
            if with_gradient:
                gradient = logits.exp_().div_(sums[:, :1]).scatter_add_(-1, row, -mine)
                gradient = gradient.mul_(valid[:, None]).to(weight.dtype)
                ctx.grad_hidden[part] = gradient @ weight
                ctx.grad_weight += gradient.t() @ hidden[part]
        ctx.weight_dtype = weight.dtype
        return loss

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        (scale,) = upstream
        grad_hidden = ctx.grad_hidden.mul_(scale)
        grad_weight = ctx.grad_weight.mul_(scale).to(ctx.weight_dtype)
        del ctx.grad_hidden, ctx.grad_weight  # as large as the output matrix: not to be kept until the next step
        return grad_hidden, grad_weight, None, None, None, None


def linear_cross_entropy(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    """Sum over tokens of -log softmax(hidden @ weightᵀ)[label]: a float32 scalar, the same on every tensor rank.

    hidden: (batch, tokens, dim). weight: (vocabulary, dim). labels: (batch, tokens) int64, `IGNORE` is not counted.
    Under tensor parallelism hidden is a DTensor cut along tokens and weight one cut along the vocabulary, whose size
    the number of ranks must divide.
    """
    group, first = None, 0
    if isinstance(weight, DTensor):
        assert isinstance(hidden, DTensor)
        mesh = weight.device_mesh
        hidden = hidden.redistribute(placements=[Replicate()]).to_local(grad_placements=[Partial()])
        weight = weight.to_local()
        group, first = mesh.get_group(), mesh.get_local_rank() * len(weight)
    flat = hidden.flatten(0, 1)
    loss: Tensor = _LinearCrossEntropy.apply(flat, weight, labels.flatten(), group, first, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return loss


def linear_logits(hidden: Tensor, weight: Tensor) -> Tensor:
    """The logits (batch, tokens, vocabulary) in float32, whole on every tensor rank."""
    logits = F.linear(hidden, weight)
    return (logits.full_tensor() if isinstance(logits, DTensor) else logits).float()
