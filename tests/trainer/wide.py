"""A small model whose weights are not tiny, and the text its tokenizer is trained on (`tokenizer` of conftest)."""

import torch
from harness import small

from trainer.model import Llama

VOCAB, WINDOW = 512, 64
TEXT = "the quick brown fox jumps over the lazy dog, 3.14 times a day; été, naïve and then some more words "


def wide_model() -> Llama:
    """Random weights that are not tiny, as those of a trained model: a wrong rotation does not show with others."""
    with torch.device("meta"):
        model = Llama(small().model, VOCAB, WINDOW)
    model.materialise("cpu", seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.15)
    return model
