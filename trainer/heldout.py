"""Held-out loss per source, and the entropy a model must beat to have learned more than the tokens' frequencies."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from trainer.loader import Tokens, Windows
from trainer.loss import IGNORE
from trainer.model import Llama


def unigram_entropy(labels: npt.NDArray[np.integer]) -> float:
    """Entropy in nats a token of the labels' own frequencies: the lowest loss without looking at the context."""
    counts = np.bincount(labels.ravel())
    shares = counts[counts > 0] / labels.size
    return float(-(shares * np.log(shares)).sum())


@torch.no_grad()
def loss_of(model: Llama, windows: Windows, micro_batch: int, mesh: DeviceMesh) -> float:
    """Mean loss in nats a token over windows (n, seq_len + 1), which every process passes alike.

    The windows are dealt over the dp ranks; where they do not come out even, blank ones fill up, so that all ranks
    go through the model equally often.
    """
    dp = mesh["dp"]
    rank, ranks = dp.get_local_rank(), dp.size()
    device = model.rope.device
    total = torch.zeros(2, dtype=torch.float64, device=device)
    for start in range(0, len(windows), micro_batch * ranks):
        low = start + rank * micro_batch
        block = torch.from_numpy(windows[low : low + micro_batch].astype(np.int64))
        inputs = torch.zeros((micro_batch, windows.shape[1] - 1), dtype=torch.int64)
        labels = torch.full_like(inputs, IGNORE)
        inputs[: len(block)], labels[: len(block)] = block[:, :-1], block[:, 1:]
        loss: Tensor = model(inputs.to(device), labels.to(device))
        total += torch.stack([loss.double(), (labels != IGNORE).sum().to(device).double()])
    dist.all_reduce(total, group=dp.get_group())
    return float(total[0] / total[1])


def read_heldout(tokens: Tokens, limit: int) -> dict[str, Windows]:
    """The first `limit` held-out windows of each source that has any: (n, seq_len + 1)."""
    read = {source: tokens.heldout(source, limit) for source in tokens.sources}
    return {source: windows for source, windows in read.items() if len(windows)}


def heldout(
    model: Llama, sources: Mapping[str, Windows], micro_batch: int, mesh: DeviceMesh
) -> dict[str, dict[str, float]]:
    """Per source: `loss` and `unigram_entropy` in nats a token, and `tokens` they are taken over."""
    return {
        source: {
            "loss": loss_of(model, windows, micro_batch, mesh),
            "unigram_entropy": unigram_entropy(windows[:, 1:]),
            "tokens": windows[:, 1:].size,
        }
        for source, windows in sources.items()
    }


def describe(results: Mapping[str, dict[str, float]]) -> Sequence[str]:
    """One line a source."""
    return [
        f"held out {source}: loss {r['loss']:.4f} (perplexity {math.exp(min(r['loss'], 700)):,.1f}),"
        f" unigram entropy {r['unigram_entropy']:.4f}, {int(r['tokens']):,} tokens"
        for source, r in results.items()
    ]
