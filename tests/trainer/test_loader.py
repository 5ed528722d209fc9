import numpy as np
import numpy.typing as npt
import pytest
import torch
from harness import MemoryTokens

from corpus.errors import UserError
from trainer.loader import Loader

CPU = torch.device("cpu")


def global_batches(ranks: int, *, first: int = 0, steps: int = 6) -> list[torch.Tensor]:
    shares = []
    for rank in range(ranks):
        with Loader(MemoryTokens(), 8, first=first, steps=steps, rank=rank, ranks=ranks, device=CPU) as loader:
            shares.append(list(loader))
    return [torch.cat(parts) for parts in zip(*shares, strict=True)]


@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
def test_global_batches_are_the_same_at_every_number_of_ranks(ranks: int) -> None:
    windows = torch.from_numpy(MemoryTokens().windows)
    for step, batch in enumerate(global_batches(ranks)):
        assert batch.dtype == torch.int64
        assert batch.equal(windows[step * 8 : step * 8 + 8])


def test_goes_on_where_it_stood() -> None:
    whole = global_batches(1)
    with Loader(MemoryTokens(), 8, first=0, steps=6, rank=0, ranks=1, device=CPU) as loader:
        batches = iter(loader)
        next(batches), next(batches)
        position = loader.position  # the thread has read further ahead than this
    assert position == 16
    for expected, found in zip(whole[2:], global_batches(2, first=position, steps=4), strict=True):
        assert found.equal(expected)


def test_refuses_to_run_past_the_end() -> None:
    with pytest.raises(UserError, match="need 408, the mixture holds 400"):
        Loader(MemoryTokens(400), 8, first=0, steps=51, rank=0, ranks=1, device=CPU)


def test_a_failure_to_read_reaches_the_training_loop() -> None:
    class Broken(MemoryTokens):
        def batch(self, first: int, count: int) -> npt.NDArray[np.integer]:
            if first >= 16:
                raise UserError("shard-00000.tok: block 3 is damaged")
            return super().batch(first, count)

    with Loader(Broken(), 8, first=0, steps=6, rank=0, ranks=1, device=CPU) as loader:
        batches = iter(loader)
        next(batches), next(batches)
        with pytest.raises(UserError, match="block 3"):
            next(batches)
