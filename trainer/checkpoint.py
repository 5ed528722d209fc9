"""Sharded checkpoints that load at another number of processes, and are either whole or not there.

    OUTPUT/checkpoints/step-00001000/
      shard-0000N-model-00001-of-00001.safetensors   rank N-1's share: weights and AdamW's two averages, float32
      checkpoint.json                                 written last: step, position in the data, settings, digests

Every rank writes its share into one temporary folder, which rank 0 renames when all is on disk. The tensors are
safetensors, so reading a checkpoint runs nobody's code. All ranks must see the same folder.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist
import xxhash
from pydantic import Field, ValidationError
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load as dcp_load
from torch.distributed.checkpoint.state_dict_saver import save as dcp_save

from corpus.errors import DamagedFile, UserError
from corpus.settings import Settings
from trainer.config import ModelSettings, TrainingSettings
from trainer.loader import Tokens
from trainer.model import Llama
from trainer.optim import set_step

MARKER = "checkpoint.json"
HASHED_AT_ONCE = 1 << 24


class Digest(Settings):
    """Size in bytes and XXH3-64 (hex) of one file."""

    size: int
    xxh3: str


class Position(Settings):
    """Where a run stands: everything that is not a tensor. Written as `checkpoint.json`."""

    format: Literal[1] = 1
    step: int
    """Updates done."""
    sequence: int
    """The next window of the mixture."""
    fingerprint: str | None
    """Of the mixture; None for imported weights, which no mixture of ours made."""
    tokenizer: str | None
    """SHA-256 of the SentencePiece model; None for imported weights that came without one."""
    vocab_size: int
    seq_len: int
    """Tokens of a window."""
    settings: TrainingSettings
    files: dict[str, Digest] = Field(default_factory=dict)


def _tensors(model: Llama, optimiser: torch.optim.AdamW) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        tensors[f"model.{name}"] = parameter.detach()
        tensors[f"exp_avg.{name}"] = optimiser.state[parameter]["exp_avg"]
        tensors[f"exp_avg_sq.{name}"] = optimiser.state[parameter]["exp_avg_sq"]
    return tensors


def _digest(path: Path) -> Digest:
    hasher, size = xxhash.xxh3_64(), 0
    with path.open("rb") as file:
        while block := file.read(HASHED_AT_ONCE):
            hasher.update(block)
            size += len(block)
    return Digest(size=size, xxh3=hasher.hexdigest())


def _share(names: list[str]) -> list[str]:
    """This rank's share of the files to hash; all of them without a process group."""
    if not dist.is_initialized():
        return names
    return names[dist.get_rank() :: dist.get_world_size()]


def _smallest(value: int) -> int:
    """The smallest of all ranks' values."""
    tensor = torch.tensor(value)
    dist.all_reduce(tensor, dist.ReduceOp.MIN)
    return int(tensor)


def sync(path: Path) -> None:
    """Returns when a file, or the list of files in a folder, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _write_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, CheckpointException) as error:
        raise UserError(f"{folder}: cannot write the checkpoint: {' '.join(str(error).split())}") from error


def folder_of(output: Path, step: int) -> Path:
    return output / "checkpoints" / f"step-{step:08d}"


def complete(output: Path) -> list[Path]:
    """Checkpoint folders that carry their marker, newest first."""
    return sorted((marker.parent for marker in (output / "checkpoints").glob(f"step-*/{MARKER}")), reverse=True)


def mark(folder: Path, position: Position, files: dict[str, Digest] | None = None) -> None:
    """Marks a folder whose files are on disk as a whole checkpoint; without digests it takes them."""
    if files is None:
        files = {path.name: _digest(path) for path in folder.iterdir()}
    whole = position.model_copy(update={"files": dict(sorted(files.items()))})
    (folder / MARKER).write_text(whole.model_dump_json(indent=1) + "\n", encoding="utf-8")
    sync(folder / MARKER)
    sync(folder)


def save(output: Path, model: Llama, optimiser: torch.optim.AdamW, position: Position, keep: int) -> Path:
    """Writes one checkpoint and removes those before it but the newest `keep` - 1. Every rank calls it.

    Raises UserError when the disk is full or the folder cannot be written.
    """
    final = folder_of(output, position.step)
    temporary = final.with_name(f".tmp-{final.name}")
    with _write_errors(final):
        if dist.get_rank() == 0:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
        dist.barrier()
        dcp_save(
            _tensors(model, optimiser),
            storage_writer=HuggingFaceStorageWriter(str(temporary), save_distributed=True),
        )
        dist.barrier()
        names = sorted(path.name for path in temporary.iterdir())
        digests: list[dict[str, Any]] = [{} for _ in range(dist.get_world_size())]
        mine = {name: _digest(temporary / name).model_dump() for name in _share(names)}
        dist.all_gather_object(digests, mine)
        if dist.get_rank() == 0:
            mark(temporary, position, {name: Digest(**digest) for share in digests for name, digest in share.items()})
            if final.exists():  # one that was found damaged, and trained past again
                shutil.rmtree(final)
            temporary.rename(final)
            sync(final.parent)
            # A newer one was found damaged when this run began: it does not count, and is replaced when reached.
            for old in [folder for folder in complete(output) if folder <= final][keep:]:
                shutil.rmtree(old)
        dist.barrier()
    return final


def read_position(folder: Path) -> Position:
    """What `checkpoint.json` says. Raises DamagedFile. Needs no process group."""
    try:
        data = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return Position.model_validate(data)
    except (OSError, ValueError, ValidationError) as error:
        raise DamagedFile(f"{folder / MARKER}: {' '.join(str(error).split())}") from None


def check_files(folder: Path, position: Position) -> None:
    """Raises DamagedFile for the first of this rank's share of the files that differs from its digest.

    Without a process group it reads all of them.
    """
    for name in _share(sorted(position.files)):
        try:
            found = _digest(folder / name)
        except OSError as error:
            raise DamagedFile(f"{folder / name}: {error.strerror}") from None
        if found != position.files[name]:
            raise DamagedFile(
                f"{folder / name}: {found.size} bytes, XXH3 {found.xxh3}, but {position.files[name].size} bytes,"
                f" XXH3 {position.files[name].xxh3} were written"
            )


def newest(output: Path) -> tuple[Path, Position, list[str]] | None:
    """The newest checkpoint that is whole on every rank, and one line for each newer one that is not.

    None when there is no checkpoint at all. Raises DamagedFile when there are only damaged ones, and UserError when
    the ranks do not see the same folders. Every rank calls it.
    """
    folders = complete(output)
    latest = int(folders[0].name.removeprefix("step-")) if folders else -1
    if _smallest(latest) != -_smallest(-latest):
        raise UserError(f"{output}: the processes see different checkpoints; put it on a file system they share")
    damaged: list[str] = []
    for folder in folders:
        position = None
        try:
            position = read_position(folder)
            check_files(folder, position)
        except DamagedFile as error:
            damaged.append(str(error))
            position = None
        if _smallest(position is not None) and position is not None:
            return folder, position, damaged
        if position is not None:
            damaged.append(f"{folder}: another process found it damaged")
    if damaged:
        raise DamagedFile(f"{output}: no checkpoint is whole ({damaged[0]}); remove the folder to start anew")
    return None


def load(folder: Path, position: Position, model: Llama, optimiser: torch.optim.AdamW) -> None:
    """Reads weights and averages into `model` and `optimiser`, however these are laid out. Every rank calls it.

    Before the first update AdamW's averages are zero: a checkpoint of step 0 (imported weights) has none of them.
    Raises UserError when the checkpoint is of a model of another shape.
    """
    check_model(folder, position.settings.model, model.settings)
    tensors = _tensors(model, optimiser)
    if position.step == 0:
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}
    dcp_load(tensors, storage_reader=HuggingFaceStorageReader(str(folder)))
    set_step(optimiser, position.step)


def check_model(folder: Path, saved: ModelSettings, wanted: ModelSettings) -> None:
    """Raises UserError that shows both shapes when they differ."""
    old, new = saved.model_dump(exclude={"size"}), wanted.model_dump(exclude={"size"})
    if old != new:
        raise UserError(f"{folder}: holds a model with {old}, the settings ask for {new}; use another output folder")


def check_tokens(folder: Path, saved: Position, tokens: Tokens) -> None:
    """Raises UserError when a checkpoint does not fit the mixture.

    One that was trained fits only the tokens it was trained on, in their order; imported weights fit every mixture of
    their vocabulary.
    """
    if saved.vocab_size != tokens.vocab_size:
        raise UserError(
            f"{folder}: holds a model of {saved.vocab_size} pieces, the mixture's tokenizer has {tokens.vocab_size};"
            " give a mixture of the same tokenizer, or another output folder"
        )
    if saved.fingerprint is not None and saved.fingerprint != tokens.fingerprint:
        raise UserError(
            f"the checkpoint was trained on mixture {saved.fingerprint}, this is mixture {tokens.fingerprint};"
            " give the mixture it was trained on, or another output folder"
        )
    if saved.tokenizer is not None and saved.tokenizer != tokens.tokenizer:
        raise UserError(
            f"{folder}: its weights know the tokenizer {saved.tokenizer[:8]}, the mixture was made with"
            f" {tokens.tokenizer[:8]}; give a mixture of the same tokenizer, or another output folder"
        )
