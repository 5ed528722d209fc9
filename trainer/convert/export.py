"""Weights out of and into the trainer, tensor by tensor: a 65B passes through the memory of a laptop.

Everything is written below a temporary name, read back, compared, and only then given its own.
"""

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import torch

from corpus.errors import DamagedFile, UserError
from trainer import checkpoint
from trainer.config import parse
from trainer.convert import huggingface, meta
from trainer.convert.open import open_weights
from trainer.convert.weights import Weights, find_tokenizer, write_safetensors

Layout = Literal["huggingface", "meta"]
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends without an error."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty: give another folder, or remove it")
    temporary = folder.with_name(f".tmp-{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)  # a killed attempt's
    temporary.mkdir(parents=True)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    for path in [*temporary.iterdir(), temporary]:
        checkpoint.sync(path)
    if folder.exists():
        folder.rmdir()
    temporary.rename(folder)
    checkpoint.sync(folder.parent)


def export(source: str, output: str, layout: str, dtype: str, tokenizer: str | None) -> tuple[Weights, Weights]:
    """Writes the model of `source` (anything `open_weights` reads) as a new folder in another layout.

    A checkpoint's files are compared with their digests first, and every tensor that was written is read back and
    compared bit for bit. Returns the weights as they were and as they are now.

    Raises:
        UserError: an unknown layout or type, a tokenizer that is not the model's, `output` in use, a full disk.
        DamagedFile: the source is not whole.
    """
    if layout not in get_args(Layout):
        raise UserError(f"--format {layout} is unknown: known are {', '.join(get_args(Layout))}")
    if dtype not in DTYPES:
        raise UserError(f"--dtype {dtype} is unknown: known are {', '.join(DTYPES)}")
    weights = open_weights(source)
    path = find_tokenizer(weights, tokenizer)
    if (weights.folder / checkpoint.MARKER).exists():
        checkpoint.check_files(weights.folder, checkpoint.read_position(weights.folder))
    target = Path(output)
    with _new_folder(target) as folder:
        write, read = (huggingface.write, huggingface.read) if layout == "huggingface" else (meta.write, meta.read)
        write(weights, folder, DTYPES[dtype], path)
        compare(weights, read(folder), DTYPES[dtype])
    return weights, open_weights(target)


def import_weights(source: str, output: str) -> Weights:
    """Writes a model in a layout from outside as the first checkpoint, of step 0, of a run whose output is `output`.

    A checkpoint of step 0 has no moments: before the first update AdamW's are zero. Weights are written in float32,
    as every checkpoint holds them. Raises UserError, DamagedFile.
    """
    weights = open_weights(source)
    final = checkpoint.folder_of(Path(output), step=0)
    if found := checkpoint.complete(Path(output)):
        raise UserError(f"{found[0]} exists: give another folder, or remove it")
    position = checkpoint.Position(
        step=0,
        updates=0,
        sequence=0,
        fingerprint=None,
        tokenizer=weights.tokenizer,
        vocab_size=weights.vocab_size,
        seq_len=weights.seq_len,
        settings=checkpoint.SavedSettings(**parse({"model": weights.settings.model_dump()}).model_dump()),
    )
    with _new_folder(final) as folder:
        sizes = {f"model.{name}": 4 * math.prod(shape) for name, shape in weights.shapes.items()}
        write_safetensors(folder, sizes, lambda name: weights.read(name.removeprefix("model.")).float())
        checkpoint.mark(folder, position)
        compare(weights, open_weights(folder), torch.float32)
    return open_weights(final)


def compare(weights: Weights, written: Weights, dtype: torch.dtype) -> None:
    """Raises DamagedFile for the first tensor that is not, bit for bit, that of `weights` rounded to `dtype`."""
    if written.shapes != weights.shapes or written.settings.norm_eps != weights.settings.norm_eps:
        raise DamagedFile(f"{written.folder}: not the shape of {weights.folder}")
    for name in weights.shapes:
        one, other = weights.read(name).to(dtype), written.read(name)
        if other.dtype != dtype or not torch.equal(one.view(torch.uint8), other.contiguous().view(torch.uint8)):
            raise DamagedFile(f"{written.folder}: {name} is not what was written; check the disk, and try again")
