"""The training batches: step t's global batch is the same sequences at every number of processes.

The mixture's order is one long row of windows (`tokenizer`). A run reads it from one end to the other; where it stands
is one integer, the number of the next window, and what it reads is one fingerprint.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from corpus.errors import UserError

Windows = npt.NDArray[np.integer]

AHEAD = 2
"""Batches read before they are asked for."""


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
    def sources(self) -> Sequence[str]: ...
    def batch(self, first: int, count: int) -> Windows:
        """Windows first .. first + count of the mixture: (count, seq_len + 1), the last token only a label."""
        ...

    def heldout(self, source: str, limit: int | None) -> Windows:
        """The first `limit` held-out windows of a source: (n, seq_len + 1)."""
        ...


class Loader:
    """Iterates over this rank's share of the global batches from window `first` on, read ahead by one thread.

    Each item is (batch / ranks, seq_len + 1) int64 on `device`. Rank r of n takes windows r·batch/n .. (r+1)·batch/n
    of each global batch; ranks that share the same sequences (tensor parallel) pass the same r. Ends after `steps`
    items. `position` is the first window that was not handed out.
    """

    def __init__(
        self, tokens: Tokens, batch: int, *, first: int, steps: int, rank: int, ranks: int, device: torch.device
    ) -> None:  # fmt: skip
        if first + steps * batch > tokens.sequences:
            raise UserError(
                f"run.steps: {steps} steps of {batch} sequences from sequence {first} on need"
                f" {first + steps * batch}, the mixture holds {tokens.sequences}; fewer steps or a longer mixture"
            )
        self.position = first
        self._tokens, self._batch, self._steps, self._device = tokens, batch, steps, device
        self._share = batch // ranks
        self._first = first + rank * self._share
        self._ready: queue.Queue[Tensor | BaseException] = queue.Queue(AHEAD)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read_ahead, name="loader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Tensor]:
        for _ in range(self._steps):
            item = self._ready.get()
            if isinstance(item, BaseException):
                raise item
            self.position += self._batch
            yield item.to(self._device, non_blocking=True)

    def _read_ahead(self) -> None:
        for step in range(self._steps):
            item: Tensor | BaseException
            try:
                windows = self._tokens.batch(self._first + step * self._batch, self._share)
                item = torch.from_numpy(windows.astype(np.int64))
                if self._device.type == "cuda":
                    item = item.pin_memory()
            except BaseException as error:  # handed to the training loop, which raises it
                item = error
            while not self._closed.is_set():
                try:
                    self._ready.put(item, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if self._closed.is_set() or isinstance(item, BaseException):
                return
