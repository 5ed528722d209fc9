"""Weights in the layout of Hugging Face: config.json and safetensors, as `transformers.LlamaForCausalLM` reads them.

Hugging Face turns the first half of each head against the second where the release turns neighbouring pairs, so the
rows of wq and wk stand in another order. A wrong order hardly shows in the loss of untrained weights.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from corpus.errors import DamagedFile, UserError
from tokenizer.huggingface import write_tokenizer
from tokenizer.model import read_model
from trainer.config import ModelSettings
from trainer.convert.weights import SafetensorsFiles, Weights, settings_of, write_safetensors
from trainer.model import ROPE_THETA

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"

TOP = {
    "tok_embeddings.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
BLOCK = {
    "attention.wq.weight": "self_attn.q_proj.weight",
    "attention.wk.weight": "self_attn.k_proj.weight",
    "attention.wv.weight": "self_attn.v_proj.weight",
    "attention.wo.weight": "self_attn.o_proj.weight",
    "feed_forward.w1.weight": "mlp.gate_proj.weight",
    "feed_forward.w2.weight": "mlp.down_proj.weight",
    "feed_forward.w3.weight": "mlp.up_proj.weight",
    "attention_norm.weight": "input_layernorm.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
}
ROTATED = ("attention.wq.weight", "attention.wk.weight")


def rename(name: str) -> str:
    """Hugging Face's name of a tensor."""
    if name in TOP:
        return TOP[name]
    _, layer, matrix = name.split(".", 2)
    return f"model.layers.{layer}.{BLOCK[matrix]}"


def to_halves(weight: Tensor, heads: int) -> Tensor:
    """Rows of each head from neighbouring pairs (0, 1), (2, 3), ... to 0, 2, ... and then 1, 3, ...: (d, d) as well."""
    return weight.view(heads, -1, 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def to_pairs(weight: Tensor, heads: int) -> Tensor:
    """Undoes `to_halves`."""
    return weight.view(heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def config(weights: Weights, dtype: torch.dtype) -> dict[str, Any]:
    """config.json, with the keys that versions 4 and 5 of transformers both read."""
    s = weights.settings
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "hidden_act": "silu",
        "hidden_size": s.dim,
        "intermediate_size": s.ffn_hidden,
        "max_position_embeddings": weights.seq_len,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": s.heads,
        "num_hidden_layers": s.layers,
        "num_key_value_heads": s.heads,
        "rms_norm_eps": s.norm_eps,
        "rope_theta": ROPE_THETA,
        "tie_word_embeddings": False,
        "torch_dtype": str(dtype).removeprefix("torch."),
        "vocab_size": weights.vocab_size,
    }


def write(weights: Weights, folder: Path, dtype: torch.dtype, tokenizer: str) -> None:
    """Writes weights, configuration and tokenizer into an empty folder. One shard at a time is in memory."""
    write_tokenizer(tokenizer, str(folder))
    model = read_model(tokenizer)
    special = {
        "bos_token_id": None if model.bos_id < 0 else model.bos_id,
        "eos_token_id": None if model.eos_id < 0 else model.eos_id,
    }
    names = {rename(name): name for name in weights.shapes}
    sizes = {new: math.prod(weights.shapes[old]) * dtype.itemsize for new, old in names.items()}

    def read(new: str) -> Tensor:
        old = names[new]
        tensor = weights.read(old)
        return (to_halves(tensor, weights.settings.heads) if old.endswith(ROTATED) else tensor).to(dtype)

    places = write_safetensors(folder, sizes, read)
    if len(set(places.values())) == 1:
        (folder / places["lm_head.weight"]).rename(folder / SINGLE)
    else:
        _write(folder / INDEX, {"metadata": {"total_size": sum(sizes.values())}, "weight_map": places})
    _write(folder / CONFIG, config(weights, dtype) | special)
    # LLaMA has no padding piece. Without this transformers says at every call what it pads with.
    padding = model.unk_id if model.byte_fallback else special["eos_token_id"]
    _write(folder / "generation_config.json", special | {"pad_token_id": padding})


def _write(path: Path, body: dict[str, Any]) -> None:
    path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedFile(f"{path}: {error}") from None
    if not isinstance(body, dict):
        raise DamagedFile(f"{path}: not a JSON object")
    return body


def _shape(path: Path, body: dict[str, Any]) -> ModelSettings:
    """Raises UserError for a model that is not LLaMA's architecture of 2023."""
    heads = body.get("num_attention_heads")
    rope = body.get("rope_parameters") or {}
    fixed = {
        "model_type": (body.get("model_type"), "llama"),
        "num_key_value_heads": (body.get("num_key_value_heads") or heads, heads),
        "head_dim": (body.get("head_dim") or 0, (0, body.get("hidden_size", 0) // (heads or 1))),
        "rope_theta": (body.get("rope_theta", rope.get("rope_theta", ROPE_THETA)), ROPE_THETA),
        "rope_scaling": ((body.get("rope_scaling") or rope).get("rope_type", "default"), "default"),
        "hidden_act": (body.get("hidden_act", "silu"), "silu"),
        "attention_bias": (body.get("attention_bias", False), False),
        "mlp_bias": (body.get("mlp_bias", False), False),
        "tie_word_embeddings": (body.get("tie_word_embeddings", False), False),
    }
    for key, (found, wanted) in fixed.items():
        if found not in (wanted if isinstance(wanted, tuple) else (wanted,)):
            raise UserError(
                f"{path}: {key} is {found!r}; only LLaMA's first architecture is read, which has {wanted!r}"
            )
    try:
        return settings_of(
            dim=body["hidden_size"],
            layers=body["num_hidden_layers"],
            heads=body["num_attention_heads"],
            ffn_hidden=body["intermediate_size"],
            norm_eps=body["rms_norm_eps"],
        )
    except KeyError as error:
        raise DamagedFile(f"{path}: {error} is missing") from None


def read(folder: Path) -> Weights:
    """The weights in a Hugging Face folder of safetensors.

    Raises UserError for another architecture or other files than safetensors, DamagedFile.
    """
    body = _read(folder / CONFIG)
    settings = _shape(folder / CONFIG, body)
    if (folder / INDEX).is_file():
        places = _read(folder / INDEX).get("weight_map", {})
    elif (folder / SINGLE).is_file():
        places = {}
    else:
        raise UserError(
            f"{folder}: neither {INDEX} nor {SINGLE} is there; only safetensors are read: load the model in"
            " transformers and save it again"
        )
    files = SafetensorsFiles()

    def fetch(name: str) -> Tensor:
        new = rename(name)
        tensor = files.tensor(folder / (places[new] if places else SINGLE), new)
        return to_pairs(tensor, settings.heads) if name.endswith(ROTATED) else tensor

    tokenizer = folder / "tokenizer.model"
    known = tokenizer.is_file()
    return Weights(
        folder,
        settings,
        vocab_size=body.get("vocab_size", 0),
        seq_len=body.get("max_position_embeddings", 2048),
        tokenizer=read_model(str(tokenizer)).sha256 if known else None,
        tokenizer_file=tokenizer if known else None,
        fetch=fetch,
    )
