"""LLaMA-1, with the parameter names of the released weights.

Shapes: b sequences, t tokens, d = dim, h heads, k = d / h. No bias, no dropout, embeddings untied, every head has its
own keys and values, rotary positions turn neighbouring pairs (2i, 2i+1) as in the release.
"""

import hashlib
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from trainer.attention import Backend, Sdpa
from trainer.config import ModelSettings
from trainer.loss import linear_cross_entropy, linear_logits

ROPE_THETA = 10000.0


class RMSNorm(nn.Module):
    """x / rms(x) in float32, rounded to the type of x, then times the weight: the order of the release."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(dim))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)).type_as(x) * self.weight


def rope_table(tokens: int, head_dim: int, device: torch.device | str) -> Tensor:
    """Cosines and sines (t, k/2, 2) in float32 of position x ROPE_THETA^(-2i/k)."""
    frequencies = ROPE_THETA ** -(torch.arange(0, head_dim, 2, device=device, dtype=torch.float32) / head_dim)
    angles = torch.outer(torch.arange(tokens, device=device, dtype=torch.float32), frequencies)
    return torch.stack([angles.cos(), angles.sin()], dim=-1)


def rotate(x: Tensor, rope: Tensor) -> Tensor:
    """x (b, t, h, k) with each pair (2i, 2i+1) turned by its position's angle, computed in float32."""
    even, odd = x.float().view(*x.shape[:-1], -1, 2).unbind(-1)
    cos, sin = rope[:, None, :, 0], rope[:, None, :, 1]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2).type_as(x)


class Attention(nn.Module):
    """Causal self-attention over the packed window, as far as the mask of the backend allows."""

    def __init__(self, settings: ModelSettings, backend: Backend) -> None:
        super().__init__()
        self.backend = backend
        self.head_dim = settings.dim // settings.heads
        self.wq = nn.Linear(settings.dim, settings.dim, bias=False)
        self.wk = nn.Linear(settings.dim, settings.dim, bias=False)
        self.wv = nn.Linear(settings.dim, settings.dim, bias=False)
        self.wo = nn.Linear(settings.dim, settings.dim, bias=False)

    def forward(self, x: Tensor, rope: Tensor, mask: Any) -> Tensor:
        # -1: under tensor parallelism this process holds only its share of the heads.
        heads = (*x.shape[:2], -1, self.head_dim)
        q, k, v = self.wq(x).view(heads), self.wk(x).view(heads), self.wv(x).view(heads)
        out = self.backend(rotate(q, rope), rotate(k, rope), v, mask)
        return self.wo(out.flatten(-2))


class FeedForward(nn.Module):
    """SwiGLU: w2(silu(w1 x) * w3 x)."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.w1 = nn.Linear(settings.dim, settings.ffn_hidden, bias=False)
        self.w2 = nn.Linear(settings.ffn_hidden, settings.dim, bias=False)
        self.w3 = nn.Linear(settings.dim, settings.ffn_hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class TransformerBlock(nn.Module):
    def __init__(self, settings: ModelSettings, backend: Backend) -> None:
        super().__init__()
        self.attention = Attention(settings, backend)
        self.feed_forward = FeedForward(settings)
        self.attention_norm = RMSNorm(settings.dim, settings.norm_eps)
        self.ffn_norm = RMSNorm(settings.dim, settings.norm_eps)

    def forward(self, x: Tensor, rope: Tensor, mask: Any) -> Tensor:
        x = x + self.attention(self.attention_norm(x), rope, mask)
        return x + self.feed_forward(self.ffn_norm(x))


class Output(nn.Module):
    """The output matrix. With labels it gives the summed loss, so that the logits never exist all at once."""

    def __init__(self, dim: int, vocab_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocab_size, dim))

    def forward(self, hidden: Tensor, labels: Tensor | None) -> Tensor:
        if labels is None:
            return linear_logits(hidden, self.weight)
        return linear_cross_entropy(hidden, self.weight, labels)


class Llama(nn.Module):
    """The model for windows of up to `seq_len` tokens. Build it on the meta device, then `materialise`.

    With `document_start`, the id that begins each document, a token attends to its own document only. Positions go on
    through the window all the same: rotary attention sees only their differences. `backend` computes attention.
    """

    def __init__(
        self, settings: ModelSettings, vocab_size: int, seq_len: int, document_start: int | None = None,
        backend: Backend | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.settings = settings
        self.document_start = document_start
        self.backend = backend or Sdpa()
        self.vocab_size = vocab_size
        self.seq_len = seq_len
        self.tok_embeddings = nn.Embedding(vocab_size, settings.dim)
        self.layers = nn.ModuleList(TransformerBlock(settings, self.backend) for _ in range(settings.layers))
        self.norm = RMSNorm(settings.dim, settings.norm_eps)
        self.output = Output(settings.dim, vocab_size)
        self.rope: Tensor
        self.register_buffer("rope", rope_table(seq_len, settings.dim // settings.heads, "meta"), persistent=False)

    def forward(self, tokens: Tensor, labels: Tensor | None = None) -> Tensor:
        """tokens (b, t) int64, t <= seq_len -> logits (b, t, vocabulary) in float32.

        With labels (b, t) int64: the sum over tokens of the cross entropy, a float32 scalar.
        """
        x = self.tok_embeddings(tokens)
        rope = self.rope[: tokens.shape[1]]
        mask = self.backend.mask(tokens, self.document_start)
        for layer in self.layers:
            x = layer(x, rope, mask)
        return self.output(self.norm(x), labels)

    @torch.no_grad()
    def materialise(
        self, device: torch.device | str, seed: int, init_std: float = 0.02, init_scaled: bool = True
    ) -> None:
        """Gives the (possibly sharded) parameters storage on `device` and their first values.

        N(0, init_std), with `init_scaled` divided by sqrt(2 layers) on the two matrices that write to the residual
        stream; norms are 1. Each parameter's generator is seeded by `seed` and the parameter's name, so the values are
        the same for every number of processes and every layout of them (on GPUs: of the same kind).
        """
        self.to_empty(device=device)
        self.rope.copy_(rope_table(self.seq_len, self.settings.dim // self.settings.heads, device))
        for name, parameter in self.named_parameters():
            if name.endswith("norm.weight"):
                parameter.fill_(1.0)
                continue
            std = init_std
            if init_scaled and name.endswith(("wo.weight", "w2.weight")):
                std /= math.sqrt(2 * self.settings.layers)
            digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
            generator = torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)
            # The whole parameter is drawn and cut: one at a time, 0.7 GB for the largest of the 65B.
            values = torch.empty(parameter.shape, device=device).normal_(0.0, std, generator=generator)
            if isinstance(parameter, DTensor):
                values = distribute_tensor(values, parameter.device_mesh, parameter.placements, src_data_rank=None)
            parameter.copy_(values)
