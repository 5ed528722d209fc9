"""What a run reports: one JSON line a log step in metrics.jsonl, and one line on the terminal.

MFU (model FLOPs utilisation) = tokens/s per device x FLOPs per token / the device's peak, with FLOPs per token
6 N + 12 layers·dim·seq_len (`trainer.flops.flops_per_token`) and the peak of dense bfloat16 of `trainer.gpus`.
Recomputation of activations is not counted as useful work. An unknown device has no MFU.
"""

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from corpus.errors import UserError
from trainer.config import TrainingSettings
from trainer.flops import flops_per_token, parameter_count
from trainer.gpus import peak_flops
from trainer.records import METRICS
from trainer.trackers import TensorBoard, Tracker, WeightsAndBiases, scalars


class Metrics:
    """Writes a run's records, on rank 0; on the other ranks it does nothing. Time counts from `start` on."""

    def __init__(
        self, output: Path, settings: TrainingSettings, vocab_size: int, seq_len: int, device: torch.device, world: int,
        steps: int, data: Mapping[str, Any], *, quiet: bool,
    ) -> None:  # fmt: skip
        """`data`: where the run begins in which mixture, for `trainer.records.step_data`."""
        self._quiet = quiet
        self._steps = steps
        self._cuda = device.type == "cuda"
        self._world = world
        self._flops = flops_per_token(settings.model, vocab_size, seq_len)
        device_name = torch.cuda.get_device_name(device) if self._cuda else "CPU"
        self._peak = peak_flops(device_name)
        self._tokens_a_step = settings.run.batch * seq_len
        self.tokens_per_s = math.nan
        if not quiet:
            self._path = output / METRICS
            with self._told():
                output.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("a", encoding="utf-8")
                if _ends_within_a_line(self._path):  # a killed run's last one: what follows starts anew
                    self._file.write("\n")
            self._trackers: list[Tracker] = []
            if settings.run.tensorboard:
                self._trackers.append(TensorBoard(output))
            if settings.run.wandb:
                self._trackers.append(WeightsAndBiases(settings.run.wandb, output, settings.model_dump()))
            peak = f"{self._peak / 1e12:.0f} TFLOP/s" if self._peak else "unknown"
            parameters = parameter_count(settings.model, vocab_size)
            self.say(
                f"{settings.model.size}: {parameters:,} parameters, {self._tokens_a_step:,} tokens a step,"
                f" {world} x {device_name}"
            )
            self.say(
                f"MFU = tokens/s per device x {self._flops:,} FLOPs a token (6 N + 12 layers·dim·seq_len) / peak"
                f" ({peak})"
            )
            self._write(
                event="start", parameters=parameters, flops_per_token=self._flops, device=device_name,
                peak_flops=self._peak, world=world, steps=steps, **data, settings=settings.model_dump(),
            )  # fmt: skip

    def start(self, step: int) -> None:
        """The clock starts, with `step` updates done."""
        self._since, self._since_step = time.perf_counter(), step
        self._begun, self._begun_step = self._since, step
        self._paused = self._waited = 0.0

    def pause(self, seconds: float) -> None:
        """Takes time that was not training (evaluation, checkpoints) out of the rates."""
        self._paused += seconds

    def log(
        self, step: int, tokens: int, loss: float, grad_norm: float, lr: float, *, waited: float, spikes: int
    ) -> None:
        """After update number `step` (from 1) and `tokens` of the mixture; `loss` is the mean since the last call, in
        nats a token.

        `waited`: seconds for data, and `spikes`: updates left out, since the run began.
        """
        now = time.perf_counter()
        seconds = max(now - self._since - self._paused, 1e-9)
        self.tokens_per_s = self._tokens_a_step * (step - self._since_step) / seconds
        waited_share = (waited - self._waited) / seconds
        self._since, self._since_step, self._paused, self._waited = now, step, 0.0, waited
        if self._quiet:
            return
        per_device = self.tokens_per_s / self._world
        mfu = per_device * self._flops / self._peak if self._peak else None
        left = (now - self._begun) / (step - self._begun_step) * (self._steps - step)
        memory = torch.cuda.max_memory_allocated() if self._cuda else None
        self._write(
            event="step", step=step, loss=loss, grad_norm=grad_norm, lr=lr, tokens=tokens,
            tokens_per_s=self.tokens_per_s, tokens_per_s_per_device=per_device, mfu=mfu, peak_memory_bytes=memory,
            data_wait=waited_share, skipped_spikes=spikes,
        )  # fmt: skip
        self.say(
            f"step {step:,}/{self._steps:,}  loss {loss:.4f}  norm {grad_norm:.2f}  lr {lr:.2e}"
            f"  {self.tokens_per_s:,.0f} tokens/s  MFU {'unknown' if mfu is None else f'{mfu:.1%}'}"
            f"  data wait {waited_share:.1%}"
            + (f"  memory {memory / 2**30:.1f} GiB" if memory is not None else "")
            + (f"  spikes left out {spikes}" if spikes else "")
            + f"  left {_hours(left)}"
        )

    def event(self, name: str, **values: Any) -> None:
        """One record that is not a training step."""
        if not self._quiet:
            self._write(event=name, **values)

    def say(self, line: str) -> None:
        """One line for the person watching."""
        if not self._quiet:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        if not self._quiet:
            self._file.close()
            for tracker in self._trackers:
                tracker.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """An OSError inside becomes a UserError."""
        try:
            yield
        except OSError as error:
            raise UserError(
                f"{self._path}: cannot be written: {error.strerror}; mend that and start again, it goes on from the"
                " last checkpoint"
            ) from None

    def _write(self, **record: Any) -> None:
        # JSON has no NaN or infinity.
        finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}
        with self._told():
            self._file.write(json.dumps(finite) + "\n")
            self._file.flush()
        if record["event"] in ("step", "heldout"):
            for tracker in self._trackers:
                tracker.log(scalars(finite), record["step"])


def _ends_within_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read() not in (b"", b"\n")


def _hours(seconds: float) -> str:
    minutes, secs = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}"
