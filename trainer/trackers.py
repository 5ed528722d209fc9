"""Where the numbers of a run go beside metrics.jsonl: TensorBoard's files, Weights & Biases."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from corpus.errors import UserError


class Tracker(Protocol):
    def log(self, scalars: Mapping[str, float], step: int) -> None: ...
    def close(self) -> None: ...


class TensorBoard:
    """Event files in OUTPUT/tensorboard.

    Raises:
        UserError: the package tensorboard is not installed.
    """

    def __init__(self, output: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UserError(
                "run.tensorboard needs tensorboard: pip install '.[tensorboard]' in the project's folder"
            ) from None
        self._writer = SummaryWriter(output / "tensorboard")  # type: ignore[no-untyped-call]

    def log(self, scalars: Mapping[str, float], step: int) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)  # type: ignore[no-untyped-call]
        self._writer.flush()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        self._writer.close()  # type: ignore[no-untyped-call]


class WeightsAndBiases:
    """A run of a Weights & Biases project, named as the output folder; one that goes on is the same run.

    Raises:
        UserError: the package wandb is not installed.
    """

    def __init__(self, project: str, output: Path, settings: Mapping[str, Any]) -> None:
        try:
            import wandb
        except ImportError:
            raise UserError("run.wandb needs wandb: pip install '.[wandb]' in the project's folder") from None
        name = output.resolve().name
        self._run = wandb.init(
            project=project, name=name, id=name, resume="allow", dir=str(output), config=dict(settings)
        )

    def log(self, scalars: Mapping[str, float], step: int) -> None:
        self._run.log(dict(scalars), step=step)

    def close(self) -> None:
        self._run.finish()


def scalars(record: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of one record of metrics.jsonl: `step/loss`, `heldout/books/loss`."""
    found: dict[str, float] = {}

    def walk(prefix: str, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if isinstance(value, Mapping):
                walk(f"{prefix}/{key}", value)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                found[f"{prefix}/{key}"] = value

    values = {key: value for key, value in record.items() if key not in ("event", "step")}
    walk(record["event"], values.get("sources", values))
    return found
