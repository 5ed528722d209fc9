"""Weights in the layout of the release: consolidated.00.pth, one file for each model-parallel process, and params.json.

The 7B is one file, the 13B two, the 33B four, the 65B eight. Each holds its share of every matrix: rows of those whose
output is cut (wq, wk, wv, w1, w3, output), columns of those whose input is (wo, w2), and columns of the embeddings
(fairscale's ParallelEmbedding, as the released code uses it). Norms are whole in every file.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from corpus.errors import DamagedFile, UserError
from tokenizer.model import read_model
from trainer.config import ffn_hidden
from trainer.convert.weights import Weights, settings_of

PARAMS = "params.json"
WINDOW = 2048
"""Context of the released models (the paper, section 2); params.json does not give it."""

ROWS = ("wq.weight", "wk.weight", "wv.weight", "w1.weight", "w3.weight", "output.weight")
COLUMNS = ("wo.weight", "w2.weight", "tok_embeddings.weight")


def params(weights: Weights) -> dict[str, Any]:
    """params.json. Raises UserError when the feed-forward width is one that it cannot say."""
    s = weights.settings
    multiple_of = 256 if ffn_hidden(s.dim) == s.ffn_hidden else s.ffn_hidden
    if ffn_hidden(s.dim, multiple_of) != s.ffn_hidden:
        raise UserError(
            f"{weights.folder}: model.ffn_hidden is {s.ffn_hidden}; Meta's layout derives the width from dim"
            f" {s.dim}, and gives at least {ffn_hidden(s.dim, 1)}: export to the Hugging Face layout"
        )
    return {
        "dim": s.dim,
        "multiple_of": multiple_of,
        "n_heads": s.heads,
        "n_layers": s.layers,
        "norm_eps": s.norm_eps,
        "vocab_size": weights.vocab_size,
    }


def write(weights: Weights, folder: Path, dtype: torch.dtype, tokenizer: str) -> None:
    """Writes consolidated.00.pth, params.json and tokenizer.model into an empty folder.

    `torch.save` wants all tensors at once, so each goes into a file of its own first and is mapped from there: one
    tensor is in memory, and the disk holds the model twice until this ends.
    """
    body = params(weights)
    stage = folder / "tensors"
    stage.mkdir()
    tensors: dict[str, Tensor] = {}
    for name, shape in weights.shapes.items():
        tensor = weights.read(name).to(dtype).contiguous()
        tensor.view(torch.uint8).numpy().tofile(stage / name)
        mapped = torch.from_file(str(stage / name), shared=False, size=tensor.numel(), dtype=dtype)
        tensors[name] = mapped.view(shape)
    try:
        torch.save(tensors, folder / "consolidated.00.pth")
    except RuntimeError as error:  # what torch's own writer says of a full disk
        raise UserError(f"{folder}: cannot be written: {' '.join(str(error).split())[:200]}") from None
    del tensors, mapped
    shutil.rmtree(stage)
    (folder / PARAMS).write_text(json.dumps(body) + "\n", encoding="utf-8")
    shutil.copyfile(tokenizer, folder / "tokenizer.model")


def read(folder: Path) -> Weights:
    """The weights in a folder of the release, however many files it has. Runs no code from them.

    Raises UserError, DamagedFile.
    """
    path = folder / PARAMS
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        dim = body["dim"]
        settings = settings_of(
            dim=dim,
            layers=body["n_layers"],
            heads=body["n_heads"],
            ffn_hidden=ffn_hidden(dim, body["multiple_of"]),
            norm_eps=body["norm_eps"],
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DamagedFile(f"{path}: not the parameters of a LLaMA model ({error!r})") from None
    for key in ("n_kv_heads", "ffn_dim_multiplier", "rope_theta"):
        if body.get(key) is not None:
            raise UserError(
                f"{path}: {key} is {body[key]}; only LLaMA's first architecture is read, which has no such key"
            )
    files = [_load(file) for file in sorted(folder.glob("consolidated.*.pth"))]
    if not files:
        raise DamagedFile(f"{folder}: consolidated.00.pth is missing")

    def fetch(name: str) -> Tensor:
        if name.endswith(ROWS):
            return torch.cat([file[name] for file in files])
        if name.endswith(COLUMNS):
            return torch.cat([file[name] for file in files], dim=1)
        return files[0][name]

    beside = [f for f in (folder / "tokenizer.model", folder.parent / "tokenizer.model") if f.is_file()]
    if "output.weight" not in files[0]:
        raise DamagedFile(f"{folder}: consolidated.00.pth has no output.weight")
    return Weights(
        folder,
        settings,
        vocab_size=sum(len(file["output.weight"]) for file in files),
        seq_len=WINDOW,
        tokenizer=read_model(str(beside[0])).sha256 if beside else None,
        tokenizer_file=beside[0] if beside else None,
        fetch=fetch,
    )


def _load(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch.load raises whatever the unpickler met
        raise DamagedFile(f"{path}: not a file of tensors ({' '.join(str(error).split())[:200]})") from None
    return tensors
