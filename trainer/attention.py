"""Causal self-attention: the one place that knows which kernel computes it, for training and for generation.

    sdpa   PyTorch's scaled_dot_product_attention; runs everywhere
    flex   PyTorch's flex_attention; trains on a GPU, and skips what lies between documents
    flash  the package flash-attn; a GPU, bfloat16, and the same

Shapes: b sequences, t tokens, h heads, k numbers a head. Queries, keys, values and the result are (b, t, h, k); under
tensor parallelism h counts the heads of this process. The model asks its backend for a mask once a batch and gives it
to every layer; what a mask is, only the backend knows.
"""

import importlib.util
from collections.abc import Callable, Set
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from corpus.errors import UserError

BLOCK = 128
"""Tokens to a side of a block that flex skips or computes: PyTorch's own default."""

aten = torch.ops.aten


class Backend(Protocol):
    """One way to compute attention.

    Attributes:
        name: as `parallel.attention` takes it.
        saved: PyTorch's operators of the forward pass, whose results selective activation checkpointing keeps.
    """

    @property
    def name(self) -> str: ...
    @property
    def saved(self) -> Set[Any]: ...
    def mask(self, tokens: Tensor, document_start: int | None) -> Any:
        """Which earlier tokens each of `tokens` (b, t) int64 sees: all of the window or, with the id that begins each
        document, those of its own document."""
        ...

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Any) -> Tensor:
        """softmax(q kᵀ / sqrt(k) where the mask allows) v. A single query without a mask sees every key."""
        ...


def documents(tokens: Tensor, document_start: int) -> Tensor:
    """The number, in its window, of the document that each of `tokens` (b, t) belongs to: int64, never falling."""
    return (tokens == document_start).cumsum(-1)


class Sdpa:
    """PyTorch picks the kernel; with documents the mask is dense, bool (b, 1, t, t)."""

    name = "sdpa"
    saved = frozenset(
        {
            aten._scaled_dot_product_flash_attention.default,
            aten._scaled_dot_product_efficient_attention.default,
            aten._scaled_dot_product_cudnn_attention.default,
            aten._scaled_dot_product_flash_attention_for_cpu.default,
        }
    )

    def mask(self, tokens: Tensor, document_start: int | None) -> Tensor | None:
        if document_start is None:
            return None
        document = documents(tokens, document_start)
        return (document[:, None, :, None] == document[:, None, None, :]).tril()

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        causal = mask is None and q.shape[1] > 1
        out = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask, is_causal=causal
        )
        return out.transpose(1, 2)


class Flex:
    """A mask is a list of blocks to compute and a function for those that are cut; the rest is never looked at."""

    name = "flex"
    saved = frozenset({torch.ops.higher_order.flex_attention})

    def __init__(self, compiled: bool = True) -> None:
        """`compiled`: as a kernel of its own where the block around it is not compiled, else by the dense formula."""
        attend: Callable[..., Any] = flex_attention
        self._attend = torch.compile(attend) if compiled else attend

    def mask(self, tokens: Tensor, document_start: int | None) -> BlockMask:
        if document_start is None:
            return block_mask(torch.zeros_like(tokens))  # the window is one document
        return block_mask(documents(tokens, document_start))

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: BlockMask | None) -> Tensor:
        out: Tensor = self._attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), block_mask=mask)
        return out.transpose(1, 2)


def block_mask(document: Tensor) -> BlockMask:
    """The blocks that a token of `document` (b, t), as `documents` gives it, sees of its own document up to itself.

    Numbers never fall within a window, so those of a block's first and last token say what PyTorch's create_block_mask
    would find in the (b, t, t) mask, which is not made: keys that stand before the queries are seen where their last
    document is the queries' first or a later one, and all of them by all queries where both blocks are one document.
    """
    tokens = document.shape[1]
    count = -(-tokens // BLOCK)
    # What fills the last block is a document of its own, so that this block never counts as whole.
    document = F.pad(document, (0, count * BLOCK - tokens), value=tokens + 1).int()
    first, last = document[:, ::BLOCK], document[:, BLOCK - 1 :: BLOCK]
    every = torch.ones((count, count), dtype=torch.bool, device=document.device)  # (queries, keys)
    seen = (last[:, None, None, :] >= first[:, None, :, None]) & every.tril()
    whole = (first[:, None, None, :] == last[:, None, :, None]) & every.tril(-1)

    def allowed(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (document[b, query] == document[b, key])

    def listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
        """How many of each row, and their numbers, in front of the others'."""
        return blocks.sum(-1).int(), blocks.int().argsort(dim=-1, descending=True, stable=True).int()

    return BlockMask.from_kv_blocks(
        *listed(seen & ~whole), *listed(whole), BLOCK_SIZE=BLOCK, mask_mod=allowed, seq_lengths=(tokens, tokens)
    )


class Flash:
    """Dao's kernels. With documents a batch is one row of tokens, cut where a document or a window begins."""

    name = "flash"

    def __init__(self) -> None:
        """Raises ImportError or AttributeError where the package is not installed, or not for this PyTorch."""
        package = importlib.import_module("flash_attn")
        self._whole, self._cut = package.flash_attn_func, package.flash_attn_varlen_func
        operators = ("_flash_attn_forward", "_flash_attn_varlen_forward")
        self.saved = frozenset(getattr(torch.ops.flash_attn, name).default for name in operators)

    def mask(self, tokens: Tensor, document_start: int | None) -> Tensor | None:
        """Where each piece begins in the row, and the row's end: int32. Waits for the GPU."""
        if document_start is None:
            return None
        begins = tokens == document_start
        begins[:, 0] = True
        return F.pad(begins.flatten().nonzero().flatten(), (0, 1), value=tokens.numel()).int()

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        out: Tensor
        if mask is None:
            out = self._whole(q, k, v, causal=True)  # aligned at the last key, so it fits a single query too
            return out
        longest = q.shape[1]  # at most: more is only room
        out = self._cut(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), mask, mask, longest, longest, causal=True)
        return out.view_as(q)


def choose(
    name: Literal["auto", "sdpa", "flex", "flash"], device: torch.device, precision: str, head_dim: int, *,
    document_mask: bool,
) -> Backend:  # fmt: skip
    """The backend that a run trains with, for the setting `parallel.attention`.

    auto: flex where attention is cut between documents and flex can train, else sdpa.

    Raises:
        UserError: it cannot train here; says what it needs.
    """
    if name == "auto":
        name = "flex" if document_mask and not _flex_needs(device, head_dim) else "sdpa"
    if name == "sdpa":
        return Sdpa()
    needs = _flex_needs(device, head_dim) if name == "flex" else _flash_needs(device, precision, head_dim)
    if needs:
        raise UserError(f"parallel.attention: {name} needs {', '.join(needs)}; take sdpa")
    return Flex() if name == "flex" else Flash()


def _flex_needs(device: torch.device, head_dim: int) -> list[str]:
    """What is missing for training with flex."""
    needs = []
    if device.type != "cuda":
        needs.append("a GPU (PyTorch has no backward pass of it on a CPU)")
    elif importlib.util.find_spec("triton") is None:
        needs.append("the package triton")
    if head_dim < 16:
        needs.append(f"heads of 16 numbers or more (these have {head_dim})")
    return needs


def _flash_needs(device: torch.device, precision: str, head_dim: int) -> list[str]:
    """What is missing for training with flash."""
    needs = []
    if device.type != "cuda":
        needs.append("a GPU")
    elif (capability := torch.cuda.get_device_capability(device)) < (8, 0):
        needs.append(f"a GPU of compute capability 8.0 or higher (this one has {'.'.join(map(str, capability))})")
    if precision != "bfloat16":
        needs.append("parallel.precision=bfloat16")
    if head_dim > 256:
        needs.append(f"heads of 256 numbers or fewer (these have {head_dim})")
    try:
        Flash()
    except (ImportError, AttributeError) as error:
        needs.append(f"the package flash-attn 2.7 or newer, built for this PyTorch ({' '.join(str(error).split())})")
    return needs
