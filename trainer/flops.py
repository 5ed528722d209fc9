"""Parameters and floating-point operations of a model, by closed formulas. Imports no torch."""

from trainer.config import ModelSettings


def block_parameters(settings: ModelSettings) -> int:
    """Parameters of one transformer block: four attention matrices, three of the feed-forward layer, two norms."""
    return 4 * settings.dim**2 + 3 * settings.dim * settings.ffn_hidden + 2 * settings.dim


def parameter_count(settings: ModelSettings, vocab_size: int) -> int:
    """Parameters of the model."""
    return 2 * vocab_size * settings.dim + settings.layers * block_parameters(settings) + settings.dim


def flops_per_token(settings: ModelSettings, vocab_size: int, seq_len: int) -> int:
    """Floating-point operations of one token's forward and backward pass: 6 N + 12 layers·dim·seq_len.

    N counts the parameters in matrix products: neither the embedding table nor the norms. The second term is attention
    over the full window, not halved for causality: the convention of PaLM's appendix B, nanoGPT and torchtitan.
    """
    d, layers = settings.dim, settings.layers
    matmul = vocab_size * d + layers * (4 * d**2 + 3 * d * settings.ffn_hidden)
    return 6 * matmul + 12 * layers * d * seq_len
