"""What one GPU holds while it trains, by closed formulas. Imports no torch.

Bytes, with b windows of t tokens in a micro-batch, d = dim, f = ffn_hidden, e bytes a number of computation (bfloat16
2, float32 4), tp = `parallel.tensor`, dp = GPUs / tp, p parameters of a block. Activations are those of the eager model
(`trainer.model` under `trainer.parallel`); a compiled block fuses the element-wise work and should hold less. What
the allocator loses between blocks, and what CUDA and NCCL take, is not in it: `RESERVED`.
"""

from typing import NamedTuple

from trainer.config import TrainingSettings
from trainer.flops import block_parameters, parameter_count
from trainer.gpus import GPU

RESERVED = 0.08
"""Share of a GPU's memory left to CUDA, NCCL and fragmentation. An assumption."""

CHUNK = 2048
"""Tokens whose logits are held at once (`trainer.loss.CHUNK`)."""


class Part(NamedTuple):
    """Bytes of one part of the memory, and how they are counted."""

    name: str
    bytes: int
    formula: str


def usable(gpu: GPU) -> int:
    """Bytes that training may take."""
    return int(gpu.memory * (1 - RESERVED))


def training_memory(settings: TrainingSettings, vocab_size: int, seq_len: int, gpus: int) -> list[Part]:
    """The parts that a GPU holds at the moment it holds most; their sum is the peak.

    `gpus` is a multiple of `parallel.tensor`.
    """
    return [*_states(settings, vocab_size, gpus), *_activations(settings, vocab_size, seq_len, gpus)]


def staged(settings: TrainingSettings, vocab_size: int, gpus: int) -> Part:
    """What a process keeps in the host's memory while a checkpoint is written: weights and both moments."""
    held = _shard(settings, vocab_size, gpus)
    return Part("copy of a checkpoint, in the host's memory", 12 * held, "12 B x parameters / GPUs")


def block_activations(settings: TrainingSettings, seq_len: int, recompute: str) -> int:
    """Bytes that one block keeps for its backward pass.

    Under tensor parallelism what lies between the matrices is cut along the tokens, but the input of a matrix is
    gathered, and the outputs of `wo` and `w2` are partial sums of all tokens: these are not divided.
    """
    e, tp, tokens = _size(settings), settings.parallel.tensor, settings.run.micro_batch * seq_len
    wide, inner = tokens * settings.model.dim, tokens * settings.model.ffn_hidden
    inputs = e * wide // tp
    logsumexp = 4 * tokens * settings.model.heads // tp
    if recompute == "full":
        return inputs
    if recompute == "selective":  # the input, and what the matrix products and attention gave: q k v, attention, w1, w3
        return inputs + e * (4 * wide + 2 * inner) // tp + 2 * e * wide + logsumexp
    # Two norms: their input in float32, the normalised value, 1 / rms, and the output, gathered. q, k, v, attention;
    # w1 x, its silu, w3 x and their product.
    norms = 2 * ((4 + e) * wide // tp + 4 * tokens // tp + e * wide)
    return norms + 4 * e * (wide + inner) // tp + logsumexp


def _states(settings: TrainingSettings, vocab_size: int, gpus: int) -> list[Part]:
    held = _shard(settings, vocab_size, gpus)
    return [
        Part("weights", 4 * held, "4 B x parameters / GPUs"),
        Part("gradients", 4 * held, "4 B x parameters / GPUs"),
        Part("AdamW's moments", 8 * held, "2 x 4 B x parameters / GPUs"),
    ]


def _activations(settings: TrainingSettings, vocab_size: int, seq_len: int, gpus: int) -> list[Part]:
    """At the end of the forward pass, or in the backward pass of the last block, whichever is more."""
    model, policy = settings.model, settings.parallel.recompute
    e, tp, tokens = _size(settings), settings.parallel.tensor, settings.run.micro_batch * seq_len
    wide, inner, output = tokens * model.dim, tokens * model.ffn_hidden, vocab_size * model.dim
    kept = block_activations(settings, seq_len, policy)
    blocks = Part(f"activations of {model.layers} blocks", model.layers * kept, f'recompute "{policy}", eager')

    norm = (4 + e) * wide // tp + e * wide  # of the last norm; the gradient of its output
    loss = norm + (4 + e) * output // tp + 8 * min(CHUNK, tokens) * vocab_size // tp + 2 * e * wide
    again = block_activations(settings, seq_len, "none") - kept
    work = 2 * e * (wide + inner) // tp
    p = block_parameters(model) // tp
    dp = gpus // tp
    # At the start of a block: its weights and the next ones, and the buffer that they come in.
    gathered = (3 if dp > 1 else 2) * e
    start = again + work + gathered * p
    # At its end: weights, the next ones, gradients, what they are reduced in, copies of another type; a norm's float32.
    reduced = 3 * e + (4 if dp > 1 else 0) + (2 * (dp == 1) + 2 * (tp > 1) if e == 2 else 0)
    end = reduced * p + 20 * wide // tp - kept
    if loss > max(start, end):
        return [blocks, Part("the loss", loss, "8 B x chunk x vocabulary, output matrix, its gradient")]
    if end > start:
        return [
            blocks,
            Part("end of a block's backward pass", end, f"{reduced} B x parameters of a block / tensor + ..."),
        ]
    return [
        blocks,
        Part("start of a block's backward pass", again + work, "activations computed again, gradients of activations"),
        Part("gathered weights", gathered * p, f"{gathered} B x parameters of a block / tensor"),
    ]


def _size(settings: TrainingSettings) -> int:
    return 2 if settings.parallel.precision == "bfloat16" else 4


def _shard(settings: TrainingSettings, vocab_size: int, gpus: int) -> int:
    """Parameters that one GPU holds: a share of each matrix, and, as tensor parallelism leaves norms whole, of each
    norm a share of those of its dp ranks."""
    model = settings.model
    norms = (2 * model.layers + 1) * model.dim
    matrices = parameter_count(model, vocab_size) - norms
    return -(-matrices // gpus) + -(-norms * settings.parallel.tensor // gpus)
