"""A model's weights on disk, one tensor at a time and under one set of names, whatever layout they are stored in.

The names and the order of rows are the release's, which are `trainer.model.Llama`'s. Our own checkpoints are read
here; `huggingface` and `meta`, beside this file, read and write the two layouts of the world outside, and `open` finds
out which of the three a folder holds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader

from corpus.errors import DamagedFile, UserError
from tokenizer.model import read_model
from trainer.checkpoint import read_position
from trainer.config import SIZES, ModelSettings
from trainer.flops import parameter_count
from trainer.model import Llama, rope_table

SHARD_BYTES = 5_000_000_000
"""Largest safetensors file that is written: the size that Hugging Face's own tools split at."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Weights:
    """A model on disk.

    Attributes:
        folder: where it is.
        settings, vocab_size, seq_len: its shape, and the longest window it is meant for.
        tokenizer: SHA-256 of its SentencePiece model; None when not known.
        tokenizer_file: the SentencePiece model that lies beside the weights, if one does.
        fetch: the stored tensor of a name, in the release's order of rows.
    """

    folder: Path
    settings: ModelSettings
    vocab_size: int
    seq_len: int
    tokenizer: str | None
    tokenizer_file: Path | None
    fetch: Callable[[str], Tensor]

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Shape of every tensor, by name."""
        return shapes(self.settings, self.vocab_size)

    @property
    def parameters(self) -> int:
        return parameter_count(self.settings, self.vocab_size)

    def read(self, name: str) -> Tensor:
        """One tensor on the CPU, in the type it is stored in. Raises DamagedFile when it is missing or misshapen."""
        wanted = self.shapes[name]
        try:
            tensor = self.fetch(name)
        except (OSError, KeyError, SafetensorError, RuntimeError) as error:
            raise DamagedFile(f"{self.folder}: cannot read {name} ({' '.join(str(error).split())})") from None
        if tuple(tensor.shape) != wanted:
            raise DamagedFile(f"{self.folder}: {name} is {tuple(tensor.shape)}, a model of this shape has {wanted}")
        return tensor


def shapes(settings: ModelSettings, vocab_size: int) -> dict[str, Shape]:
    """Shape of each tensor of a model, by the release's name and in its order."""
    with torch.device("meta"):
        model = Llama(settings, vocab_size, seq_len=1)
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def settings_of(**shape: float) -> ModelSettings:
    """The settings of a model of this dim, layers, heads, ffn_hidden and norm_eps, named by its size if it has one.

    Raises UserError when no model of ours has such a shape.
    """
    size = next((name for name, known in SIZES.items() if known == shape), "7B")
    try:
        return ModelSettings.model_validate({"size": size, **shape})
    except ValueError as error:
        raise UserError(f"{shape} is not the shape of a LLaMA model: {' '.join(str(error).split())}") from None


class SafetensorsFiles:
    """Tensors of safetensors files, memory-mapped. A file is opened once, when it is first needed."""

    def __init__(self) -> None:
        self._open: dict[Path, Any] = {}

    def tensor(self, path: Path, name: str) -> Tensor:
        if path not in self._open:
            self._open[path] = safe_open(path, framework="pt")
        tensor: Tensor = self._open[path].get_tensor(name)
        return tensor


def read_checkpoint(folder: Path) -> Weights:
    """The weights in one of our checkpoints, whose files hold slices of them, one set a process that wrote it.

    Only headers are read here. Needs no process group. Raises DamagedFile.
    """
    position = read_position(folder)
    try:
        metadata = HuggingFaceStorageReader(str(folder)).read_metadata()
    except (OSError, SafetensorError) as error:
        raise DamagedFile(f"{folder}: {' '.join(str(error).split())}") from None
    whole = shapes(position.settings.model, position.vocab_size)
    slices: dict[str, list[tuple[Path, tuple[slice, ...]]]] = {name: [] for name in whole}
    for index, stored in metadata.storage_data.items():
        kind, name = index.fqn.split(".", 1)
        if kind == "model" and name in slices:
            place = tuple(slice(o, o + n) for o, n in zip(index.offset, stored.shape, strict=True))
            slices[name].append((Path(stored.relative_path), place))
    files = SafetensorsFiles()

    def fetch(name: str) -> Tensor:
        tensor, filled = torch.empty(whole[name], dtype=torch.float32), 0
        for path, place in slices[name]:
            part = files.tensor(path, f"model.{name}")
            tensor[place] = part
            filled += part.numel()
        if filled != tensor.numel():
            raise KeyError(f"{filled} of its {tensor.numel()} numbers are there")
        return tensor

    return Weights(
        folder, position.settings.model, position.vocab_size, position.seq_len, position.tokenizer, None, fetch
    )


def find_tokenizer(weights: Weights, given: str | None) -> str:
    """Path of the SentencePiece model of these weights: the one given, else the one beside them.

    Raises UserError when there is none, or when it is not the tokenizer the weights were trained with.
    """
    path = given or (str(weights.tokenizer_file) if weights.tokenizer_file else None)
    if path is None:
        raise UserError(f"{weights.folder}: no tokenizer.model beside the weights; give --tokenizer FILE")
    model = read_model(path)
    if weights.tokenizer is not None and model.sha256 != weights.tokenizer:
        raise UserError(
            f"{path}: the tokenizer {model.sha256[:8]}, but {weights.folder} was trained with"
            f" {weights.tokenizer[:8]}; give --tokenizer with that one"
        )
    if len(model.pieces) != weights.vocab_size:
        raise UserError(
            f"{path}: {len(model.pieces)} pieces, but the model in {weights.folder} has {weights.vocab_size}; give"
            " --tokenizer with the one it was trained with"
        )
    return path


def load_model(weights: Weights, device: torch.device | str, dtype: torch.dtype, layers: int | None = None) -> Llama:
    """The model on one device, its weights rounded to `dtype`, for use without gradients; or its first `layers`."""
    settings = weights.settings.model_copy(update={"layers": layers or weights.settings.layers})
    with torch.device("meta"):
        model = Llama(settings, weights.vocab_size, weights.seq_len)
    values = {name: weights.read(name).to(device, dtype) for name, _ in model.named_parameters()}
    model.load_state_dict(values, assign=True)
    model.rope = rope_table(weights.seq_len, settings.dim // settings.heads, device)
    return model.requires_grad_(False).eval()


def write_safetensors(folder: Path, sizes: Mapping[str, int], read: Callable[[str], Tensor]) -> dict[str, str]:
    """Writes tensors into files of up to `SHARD_BYTES`, in their order, and returns the file of each name.

    sizes: bytes of each tensor; one shard at a time is in memory.
    """
    shards: list[list[str]] = [[]]
    room = SHARD_BYTES
    for name, size in sizes.items():
        if size > room and shards[-1]:
            shards.append([])
            room = SHARD_BYTES
        shards[-1].append(name)
        room -= size
    places: dict[str, str] = {}
    for number, names in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        try:
            save_file({name: read(name).contiguous() for name in names}, folder / file, metadata={"format": "pt"})
        except SafetensorError as error:
            raise UserError(f"{folder / file}: cannot be written: {' '.join(str(error).split())}") from None
        places |= dict.fromkeys(names, file)
    return places
