"""The training batches: step t's global batch is the same sequences at every number of processes.

The mixture's order is one long row of windows (`tokenizer`). A run reads it from one end to the other; where it stands
is one integer, the number of the next window, and what it reads is one fingerprint.
"""

import os
import queue
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from corpus.errors import UserError

Windows = npt.NDArray[np.integer]

AHEAD = 2
"""Batches that wait read; one more is being read."""


class Tokens(Protocol):
    """What the trainer needs of a mixture; `tokenizer.reader.TokenReader` gives it. Used by one thread at a time."""

    @property
    def manifest(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def seq_len(self) -> int: ...
    @property
    def sequences(self) -> int: ...
    @property
    def tokenizer(self) -> str:
        """SHA-256 of the SentencePiece model."""
        ...

    @property
    def vocab_size(self) -> int: ...
    @property
    def bos(self) -> int | None: ...
    @property
    def sources(self) -> Sequence[str]: ...
    def batch(self, first: int, count: int) -> Windows:
        """Windows first .. first + count of the mixture: (count, seq_len + 1), the last token only a label."""
        ...

    def heldout(self, source: str, limit: int | None) -> Windows:
        """The first `limit` held-out windows of a source: (n, seq_len + 1)."""
        ...


class Loader(IterableDataset[Tensor]):
    """Iterates over this rank's share of the global batches, from where the last iteration stopped to the end.

    Each item is (batch / ranks, seq_len + 1) int64: rank r of n has windows r·batch/n .. (r+1)·batch/n of a global
    batch. One thread reads ahead. At the end, windows that do not fill a global batch are left.

    It is iterated directly or through `torch.utils.data.DataLoader(loader, batch_size=None)`, in one thread. An
    iteration ends when the loop drops it, on `close`, or when another begins, which goes on with the next batch. What
    the reading raises is raised in the loop. A forked process can iterate on its own, but not go on with an iteration
    of its parent.

    Attributes:
        position: the first window that was not handed out, of all ranks: a multiple of `batch` after where it began.
        waited: seconds that the loop waited for what was not yet read.
    """

    def __init__(
        self,
        tokens: Tokens,
        batch: int,
        *,
        rank: int | None = None,
        ranks: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """A loader that stands at the first window.

        Args:
            batch: windows in a global batch, over all ranks.
            rank, ranks: of the processes that share a batch; those that see the same windows (tensor parallel) give
                the same rank. Without them: of the process group, or as torchrun says, or the only process.
            device: of the items; on a GPU they arrive through pinned memory, while the loop goes on.

        Raises:
            UserError: `batch` is not a multiple of `ranks`, or there is no such rank.
        """
        if rank is None and ranks is None:
            rank, ranks = _rank_and_ranks()
        if rank is None or ranks is None or not 0 <= rank < ranks:
            raise UserError(f"rank {rank} of {ranks} processes: give both, and ranks from 0, or neither")
        if batch < 1 or batch % ranks:
            raise UserError(f"a batch of {batch} sequences cannot be cut into {ranks} equal shares: give a multiple")
        self.position = 0
        self.waited = 0.0
        self._tokens, self._batch, self._device = tokens, batch, torch.device(device)
        self._rank, self._share = rank, batch // ranks
        self._end: weakref.finalize[..., Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Where the loop stands: `sequence`, the next window, and `fingerprint`, of the mixture. For every rank."""
        return {"sequence": self.position, "fingerprint": self._tokens.fingerprint}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes to where `state_dict` stood, saved with any number of processes and any batch; ends an iteration.

        Raises:
            UserError: the state is of other tokens, of the same in another order, or past the end of these.
        """
        if state["fingerprint"] != self._tokens.fingerprint:
            raise UserError(
                f"the saved position is in mixture {state['fingerprint']}, this is mixture"
                f" {self._tokens.fingerprint}: give the mixture that was trained on, or start anew"
            )
        if not 0 <= state["sequence"] <= self._tokens.sequences:
            raise UserError(
                f"the saved position is sequence {state['sequence']}, the mixture holds {self._tokens.sequences}:"
                " give a mixture at least as long as the one that was trained on"
            )
        self.close()
        self.position = state["sequence"]

    def close(self) -> None:
        """Ends the iteration under way, if any, and its thread."""
        if self._end is not None:
            self._end()

    def __iter__(self) -> Iterator[Tensor]:
        if get_worker_info() is not None:
            raise UserError("the loader reads ahead in a thread of its own: give DataLoader num_workers=0")
        self.close()
        steps = (self._tokens.sequences - self.position) // self._batch
        start = self.position + self._rank * self._share
        ready: queue.Queue[Tensor | BaseException] = queue.Queue(AHEAD)
        stop = threading.Event()
        thread = threading.Thread(
            target=_read_ahead,
            args=(self._tokens, range(start, start + steps * self._batch, self._batch), self._share),
            kwargs={"pin": self._device.type == "cuda", "ready": ready, "stop": stop},
            name="loader",
            daemon=True,
        )
        batches = self._batches(steps, ready, stop)
        # Not a `finally` of the generator: at the interpreter's exit that would wait for a thread which is gone.
        self._end = weakref.finalize(batches, _end, thread, ready, stop)
        thread.start()
        return batches

    def _batches(
        self, steps: int, ready: "queue.Queue[Tensor | BaseException]", stop: threading.Event
    ) -> Iterator[Tensor]:
        process = os.getpid()
        for _ in range(steps):
            if os.getpid() != process:
                raise RuntimeError("this iteration began in another process: iterate over the loader anew in this one")
            if stop.is_set():
                raise RuntimeError("this iteration has ended: the loader was closed, or another iteration has begun")
            begun = time.perf_counter()
            item = ready.get()
            self.waited += time.perf_counter() - begun
            if isinstance(item, BaseException):
                raise item
            self.position += self._batch
            yield item.to(self._device, non_blocking=True)


def _read_ahead(
    tokens: Tokens,
    firsts: range,
    share: int,
    *,
    pin: bool,
    ready: "queue.Queue[Tensor | BaseException]",
    stop: threading.Event,
) -> None:
    """Puts the shares that begin at `firsts` into `ready`, or what reading one raised, until `stop`."""
    for first in firsts:
        if stop.is_set():
            return
        item: Tensor | BaseException
        try:
            item = torch.from_numpy(np.asarray(tokens.batch(first, share), np.int64))
            if pin:
                # torch keeps the memory and gives it out again once the copy to the device is done.
                item = item.pin_memory()
        except BaseException as error:  # for the training loop to raise
            item = error
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                break
            except queue.Full:
                continue
        if isinstance(item, BaseException):
            return


def _end(thread: threading.Thread, ready: "queue.Queue[Tensor | BaseException]", stop: threading.Event) -> None:
    stop.set()
    # The garbage collector may run in that very thread, which may hold the queue's lock: it sees `stop` in time.
    while thread is not threading.current_thread() and thread.is_alive():
        with suppress(queue.Empty):
            ready.get_nowait()
        thread.join(0.01)


def _rank_and_ranks() -> tuple[int, int]:
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
