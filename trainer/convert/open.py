"""The front door: which layout a folder's weights are in, then that layout's reader."""

from pathlib import Path

from corpus.errors import UserError
from trainer.checkpoint import MARKER, complete
from trainer.convert import huggingface, meta
from trainer.convert.weights import Weights, read_checkpoint


def open_weights(folder: str | Path) -> Weights:
    """The weights in a folder: a checkpoint, a run's output (its newest checkpoint), or one of the other two layouts.

    Raises UserError when it is none of these, DamagedFile when it is not whole.
    """
    folder = Path(folder)
    if (folder / MARKER).is_file():
        return read_checkpoint(folder)
    if newest := complete(folder):
        return read_checkpoint(newest[0])
    if (folder / huggingface.CONFIG).is_file():
        return huggingface.read(folder)
    if (folder / meta.PARAMS).is_file():
        return meta.read(folder)
    raise UserError(
        f"{folder}: no model is there; give a checkpoint ({MARKER}), a run's output (checkpoints/), a Hugging Face"
        f" folder ({huggingface.CONFIG}) or one of Meta's ({meta.PARAMS})"
    )
