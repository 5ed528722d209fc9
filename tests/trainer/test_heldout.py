import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from harness import MemoryTokens, small

from trainer.heldout import heldout, loss_of, read_heldout, unigram_entropy
from trainer.model import Llama
from trainer.parallel import build_mesh, processes


def test_unigram_entropy() -> None:
    assert unigram_entropy(np.arange(8)) == pytest.approx(math.log(8))
    assert unigram_entropy(np.array([[5, 5], [5, 5]])) == 0.0
    assert unigram_entropy(np.array([0, 0, 0, 1])) == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 16])
def test_loss_is_the_mean_over_every_token(micro_batch: int) -> None:
    """Five windows, which no micro-batch but 1 divides."""
    tokens = MemoryTokens()
    with torch.device("meta"):
        model = Llama(small().model, tokens.vocab_size, tokens.seq_len)
    model.materialise("cpu", seed=0)
    windows = torch.from_numpy(tokens.windows[:5])
    with torch.no_grad():
        expected = F.cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
    with processes("cpu") as device:
        found = loss_of(model, tokens.windows[:5], micro_batch, build_mesh(device, 1))
    assert found == pytest.approx(expected.item(), abs=1e-6)


def test_heldout_per_source() -> None:
    tokens = MemoryTokens()
    with torch.device("meta"):
        model = Llama(small().model, tokens.vocab_size, tokens.seq_len)
    model.materialise("cpu", seed=0)
    with processes("cpu") as device:
        results = heldout(model, read_heldout(tokens, limit=4), 2, build_mesh(device, 1))
    assert {source: values["tokens"] for source, values in results.items()} == {"books": 4 * 32, "code": 3 * 32}
    labels = tokens.windows[7:10, 1:]
    assert results["code"]["unigram_entropy"] == pytest.approx(unigram_entropy(labels))
