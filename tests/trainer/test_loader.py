import gc
import os
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from harness import MemoryTokens
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from corpus.errors import UserError
from trainer.loader import Loader

TOKENS = MemoryTokens()
WINDOWS = torch.from_numpy(TOKENS.windows)


def threads() -> int:
    return sum(thread.name == "loader" for thread in threading.enumerate())


@settings(deadline=None, max_examples=30)
@given(
    legs=st.lists(st.tuples(st.sampled_from([1, 2, 4, 8]), st.integers(0, 6)), min_size=3, max_size=3),
    batch=st.sampled_from([8, 16]),
)
def test_the_same_batches_at_every_number_of_ranks_and_after_two_resumes(
    legs: list[tuple[int, int]], batch: int
) -> None:
    """Each leg runs some steps at some number of ranks, and goes on from the state that the leg before left."""
    states = [Loader(TOKENS, batch, rank=0, ranks=1).state_dict()]
    found = []
    for ranks, steps in legs:
        loaders = [Loader(MemoryTokens(), batch, rank=rank, ranks=ranks) for rank in range(ranks)]
        for loader in loaders:
            loader.load_state_dict(states[0])
        shares = [list(islice(loader, steps)) for loader in loaders]
        found += [torch.cat(parts) for parts in zip(*shares, strict=True)]
        states = [loader.state_dict() for loader in loaders]
        assert states == [states[0]] * ranks
    assert len(found) == sum(steps for _, steps in legs)
    for step, global_batch in enumerate(found):
        assert global_batch.dtype == torch.int64
        assert global_batch.equal(WINDOWS[step * batch : (step + 1) * batch])


def test_ends_with_the_last_whole_batch() -> None:
    loader = Loader(MemoryTokens(45), 8, rank=1, ranks=2)
    assert len(list(loader)) == 5
    assert loader.state_dict()["sequence"] == 40
    assert list(loader) == []
    assert threads() == 0


def test_a_plain_torch_loop() -> None:
    loader = Loader(TOKENS, 8, rank=0, ranks=1)
    for step, windows in zip(range(3), DataLoader(loader, batch_size=None)):  # noqa: B905
        assert windows.equal(WINDOWS[step * 8 : step * 8 + 8])
    assert threads() == 0  # the loop was left early
    # The thread had read further ahead than this.
    assert loader.state_dict() == {"sequence": 24, "fingerprint": TOKENS.fingerprint}
    for windows in DataLoader(loader, batch_size=None):
        assert windows.equal(WINDOWS[24:32])
        break


def test_worker_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker of DataLoader sees; a real one takes five seconds to go away."""
    monkeypatch.setattr("trainer.loader.get_worker_info", lambda: object())
    with pytest.raises(UserError, match="give DataLoader num_workers=0"):
        next(iter(DataLoader(Loader(TOKENS, 8), batch_size=None)))


def test_a_second_iteration_takes_over() -> None:
    loader = Loader(TOKENS, 8, rank=0, ranks=1)
    one = iter(loader)
    next(one)
    two = iter(loader)
    assert next(two).equal(WINDOWS[8:16])
    assert threads() == 1
    with pytest.raises(RuntimeError, match="another iteration has begun"):
        next(one)
    loader.load_state_dict({**loader.state_dict(), "sequence": 80})
    assert threads() == 0
    with pytest.raises(RuntimeError, match="this iteration has ended"):
        next(two)
    assert next(iter(loader)).equal(WINDOWS[80:88])


def test_an_iteration_lost_in_a_cycle_is_ended_by_the_garbage_collector() -> None:
    cycle: list[object] = []
    cycle += [cycle, iter(Loader(TOKENS, 8, rank=0, ranks=1))]
    assert threads() == 1
    del cycle
    gc.collect()
    assert threads() == 0


def test_refuses_another_mixture_and_shows_both() -> None:
    state = Loader(TOKENS, 8, rank=0, ranks=1).state_dict()
    other = Loader(MemoryTokens(seed=1), 8, rank=0, ranks=1)
    with pytest.raises(UserError, match=f"{TOKENS.fingerprint}.*{other.state_dict()['fingerprint']}"):
        other.load_state_dict(state)
    with pytest.raises(UserError, match="is sequence 408, the mixture holds 400"):
        Loader(TOKENS, 8, rank=0, ranks=1).load_state_dict({**state, "sequence": 408})


@pytest.mark.parametrize(
    ("batch", "rank", "ranks", "message"),
    [
        (6, 0, 4, "a batch of 6 sequences cannot be cut into 4 equal shares"),
        (0, 0, 1, "a batch of 0"),
        (8, 4, 4, "rank 4 of 4 processes"),
        (8, 0, None, "give both"),
    ],
)
def test_shares_that_do_not_fit(batch: int, rank: int, ranks: int | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Loader(TOKENS, batch, rank=rank, ranks=ranks)


def test_rank_and_ranks_as_torchrun_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a process group is made; test_torchrun.py has one with a group."""
    assert next(iter(Loader(TOKENS, 8))).equal(WINDOWS[:8])
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert next(iter(Loader(TOKENS, 8))).equal(WINDOWS[2:4])


class Broken(MemoryTokens):
    def batch(self, first: int, count: int) -> npt.NDArray[np.integer]:
        if first >= 16:
            raise UserError("shard-00000.tok: block 3 is damaged")
        return super().batch(first, count)


def test_a_failure_to_read_reaches_the_training_loop() -> None:
    loader = Loader(Broken(), 8, rank=0, ranks=1)
    batches = iter(DataLoader(loader, batch_size=None))
    next(batches), next(batches)
    with pytest.raises(UserError, match="block 3"):
        next(batches)
    assert loader.position == 16
    loader.close()
    assert threads() == 0


def test_a_fork_iterates_on_its_own() -> None:
    loader = Loader(TOKENS, 8, rank=0, ranks=1)
    batches = iter(loader)
    next(batches)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with pytest.raises(RuntimeError, match="began in another process"):
                next(batches)
            code = 0 if next(iter(loader)).equal(WINDOWS[8:16]) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert next(batches).equal(WINDOWS[8:16])


def test_an_iteration_that_nobody_ended_does_not_keep_the_interpreter() -> None:
    script = "from harness import MemoryTokens\nfrom trainer.loader import Loader\n"
    script += "batches = iter(Loader(MemoryTokens(), 8))\nnext(batches)\n"
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
