"""The `training:` section of a recipe: typed, frozen, closed to unknown keys. Imports no torch.

Numbers without a comment of their own are LLaMA's (Touvron et al. 2023, sections 2.2 to 2.4 and Table 2).
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from corpus.errors import UserError
from corpus.settings import Settings

SIZES: dict[str, dict[str, int | float]] = {
    # Table 2. norm_eps: params.json of the released weights (1e-5 in the 65B only).
    "7B": {"dim": 4096, "layers": 32, "heads": 32, "ffn_hidden": 11008, "norm_eps": 1e-6},
    "13B": {"dim": 5120, "layers": 40, "heads": 40, "ffn_hidden": 13824, "norm_eps": 1e-6},
    "33B": {"dim": 6656, "layers": 60, "heads": 52, "ffn_hidden": 17920, "norm_eps": 1e-6},
    "65B": {"dim": 8192, "layers": 80, "heads": 64, "ffn_hidden": 22016, "norm_eps": 1e-5},
    # Ours: a first run on a laptop's CPU, and the tests.
    "demo": {"dim": 128, "layers": 2, "heads": 4, "ffn_hidden": 384, "norm_eps": 1e-6},
    "tiny": {"dim": 64, "layers": 2, "heads": 4, "ffn_hidden": 192, "norm_eps": 1e-6},
}

PEAK_LR = {"7B": 3e-4, "13B": 3e-4, "33B": 1.5e-4, "65B": 1.5e-4, "demo": 3e-3, "tiny": 3e-3}
"""Table 2; ours for the two small sizes."""


def ffn_hidden(dim: int, multiple_of: int = 256) -> int:
    """Width of the feed-forward layer: 2/3 of 4·dim, rounded up to `multiple_of` (released code, model.py)."""
    return multiple_of * -(-int(2 * 4 * dim / 3) // multiple_of)


class ModelSettings(Settings):
    """The shape of the model. `size` fills what is not given; vocabulary and window length come from the tokens."""

    size: str = "7B"
    dim: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    ffn_hidden: int = Field(gt=0)
    norm_eps: float = Field(gt=0)

    @model_validator(mode="before")
    @classmethod
    def _fill_from_size(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        size = data.get("size", "7B")
        if not isinstance(size, str) or size not in SIZES:
            raise ValueError(f"unknown size {size!r}; one of {', '.join(SIZES)}")
        filled = SIZES[size] | data
        if isinstance(data.get("dim"), int) and "ffn_hidden" not in data:
            filled["ffn_hidden"] = ffn_hidden(data["dim"])
        return filled

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.dim % (2 * self.heads):
            raise ValueError(f"dim {self.dim} must be a multiple of 2 x heads ({self.heads})")
        return self


Beta = Annotated[float, Field(ge=0, lt=1)]


class OptimiserSettings(Settings):
    """AdamW and its learning rate over the steps."""

    lr: float = Field(gt=0)
    """Peak; Table 2's for the size when not given."""
    betas: tuple[Beta, Beta] = (0.9, 0.95)
    eps: float = Field(default=1e-8, ge=0)
    """Not in the paper; the usual value."""
    weight_decay: float = Field(default=0.1, ge=0)
    decay: Literal["matrices", "all"] = "matrices"
    """Which parameters decay. Not in the paper; "matrices" (embeddings included, norms not) is the usual choice."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    skip_spikes: float | None = Field(default=None, gt=0)
    """Leaves out an update whose loss or gradient norm is so many standard deviations above the mean of the last 128
    steps. Not in the paper: off; OLMo-core's SkipStepOptimizer takes 6."""
    warmup_steps: int = Field(default=2000, ge=0)
    final_fraction: float = Field(default=0.1, ge=0, le=1)
    """Learning rate at the last step, as a share of the peak."""


class ParallelSettings(Settings):
    """How the model is laid over the processes: `tensor` ways of tensor parallelism, the rest is FSDP."""

    tensor: int = Field(default=1, ge=1)
    attention: Literal["auto", "sdpa", "flex", "flash"] = "auto"
    """What computes it (`trainer.attention`)."""
    recompute: Literal["none", "selective", "full"] = "selective"
    """Activation checkpointing: what of each block the backward pass computes again. "selective" is the paper's section
    2.4: outputs of matrix products and of attention are kept, the rest recomputed."""
    compile: bool = True
    async_tensor: bool = False
    """Whether tensor parallelism sends pieces of a product while it computes the rest; needs GPUs and `compile`."""
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    """Of computation; master weights, the reduction of gradients and AdamW's state are always float32."""


class CheckpointSettings(Settings):
    """When a checkpoint is written (the last step always is), and how many are kept."""

    every: int = Field(default=1000, ge=1)
    keep: int = Field(default=2, ge=1)


class RunSettings(Settings):
    """The batch, the length of the run, and what is looked at on the way."""

    batch: int = Field(default=2048, ge=1)
    """Sequences a step over all processes: 2048 x 2048 is the paper's 4M tokens."""
    micro_batch: int = Field(default=1, ge=1)
    """Sequences a process holds at once; never changes the result beyond rounding."""
    steps: int | None = Field(default=None, ge=1)
    """None: as many whole batches as the mixture holds."""
    document_mask: bool = False
    """Whether a token attends to its own document only. The paper packs documents and says nothing of a mask: off."""
    seed: int = 0
    """Of the initial weights."""
    init_std: float = Field(default=0.02, gt=0)
    """Of the initial matrices. Not in the paper; 0.02 is OpenLLaMA's and Hugging Face's."""
    init_scaled: bool = True
    """Whether the two matrices a block writes with start at init_std / sqrt(2 layers). Not in the paper; GPT-2's rule
    (Radford et al. 2019, section 2.3)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    log_every: int = Field(default=10, ge=1)
    tensorboard: bool = False
    """Whether the numbers also go to event files in OUTPUT/tensorboard."""
    wandb: str | None = None
    """The Weights & Biases project that they go to as well."""
    eval_every: int | None = Field(default=None, ge=1)
    """Held-out loss every so many steps; it is always taken at the end."""
    eval_sequences: int = Field(default=256, ge=1)
    """At most so many held-out windows a source."""

    @field_validator("seed")
    @classmethod
    def _check_seed(cls, seed: int) -> int:
        if not 0 <= seed < 2**63:
            raise ValueError("must be between 0 and 2^63 - 1")
        return seed


class TrainingSettings(Settings):
    """The `training:` section of a recipe."""

    model: ModelSettings
    optimiser: OptimiserSettings
    parallel: ParallelSettings = ParallelSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    run: RunSettings = RunSettings()

    @model_validator(mode="before")
    @classmethod
    def _fill_lr(cls, data: Any) -> Any:
        """The peak learning rate of the size, where a plain mapping gives none."""
        if not isinstance(data, dict):
            return data
        model, optimiser = ({} if data.get(key) is None else data[key] for key in ("model", "optimiser"))
        if isinstance(optimiser, dict):
            size = model.get("size", "7B") if isinstance(model, dict) else "7B"
            # A size that is unknown is for the model to refuse.
            optimiser = {"lr": PEAK_LR.get(str(size), PEAK_LR["7B"])} | optimiser
        return data | {"model": model, "optimiser": optimiser}


def defaults() -> dict[str, str]:
    """Every setting, "parallel.tensor", and its default as YAML."""
    found = {}
    for section, details in TrainingSettings.model_fields.items():
        assert isinstance(details.annotation, type)
        assert issubclass(details.annotation, Settings)
        for name, field in details.annotation.model_fields.items():
            default = "by model.size" if field.is_required() else json.dumps(field.default).strip('"')
            found[f"{section}.{name}"] = default
    return found


def check(section: Any, where: str = "training") -> list[str]:
    """What is wrong with a recipe's `training:` section, one line a mistake; nothing when it can be parsed.

    `where` stands before each key: "recipe.yaml: training".
    """
    if not isinstance(section, Mapping):
        return [f"{where}: not a map of {', '.join(TrainingSettings.model_fields)}, found {section!r}"]
    try:
        TrainingSettings.model_validate(dict(section))
    except ValidationError as error:
        return [_mistake(details, where) for details in error.errors()]
    return []


def _mistake(error: Any, where: str) -> str:
    """One of pydantic's errors in a line."""
    place = ".".join(map(str, error["loc"]))
    key = f"{where}.{place}" if place else where
    if error["type"] == "extra_forbidden":
        return f"{key}: no such setting; {_nearest(place)}"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}"
    if error["type"] == "model_type":
        return f"{key}: not a map of settings, found {error['input']!r}"
    return f"{key}: {error['msg'].lower()}, found {error['input']!r}"


def _nearest(key: str) -> str:
    """The setting, or section, that is meant by an unknown key."""
    near = difflib.get_close_matches(key, [*TrainingSettings.model_fields, *defaults()], n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"keys are SECTION.NAME, with SECTION one of {', '.join(TrainingSettings.model_fields)}"


def parse(section: Any, where: str = "training") -> TrainingSettings:
    """The typed settings of a plain mapping. Raises UserError with all that `check` finds, in one line."""
    if mistakes := check(section, where):
        raise UserError("; ".join(mistakes))
    return TrainingSettings.model_validate(dict(section))


def override(settings: TrainingSettings, changes: Mapping[str, Any]) -> TrainingSettings:
    """`settings` with dotted keys changed: {"run.batch": 64, "model.size": "13B"}. Raises UserError on a wrong key.

    A new model size brings its own shape and peak learning rate, except for what `changes` sets; a new `model.dim`
    brings its `ffn_hidden`.
    """
    data = settings.model_dump()
    if "model.size" in changes:
        data["model"], data["optimiser"] = {}, {k: v for k, v in data["optimiser"].items() if k != "lr"}
    if "model.dim" in changes:
        data["model"].pop("ffn_hidden", None)
    for key, value in changes.items():
        section, _, field = key.partition(".")
        if not field or section not in data:
            raise UserError(f"{key}: no such setting; {_nearest(key)}")
        data[section][field] = value
    return parse(data)


def read_recipe(path: str | Path, assignments: Sequence[str]) -> tuple[TrainingSettings, dict[str, str], int | None]:
    """The settings of a recipe file under `key=value` overrides, the assignments without a dot, and the vocabulary.

    The vocabulary is `tokenizer.vocab_size`; None where the recipe does not set it, or names a finished model. Values
    are YAML. Nothing else is read, so that a GPU node needs none of the models and raw files the rest of the recipe
    names. Raises UserError when the file cannot be read or an assignment has no "=".
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML(typ="safe")
    try:
        recipe = yaml.load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot read the recipe: {error.strerror}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from None
    if not isinstance(recipe, dict) or not isinstance(recipe.get("training"), dict):
        raise UserError(f"{path}: no `training:` section; add one, at least `training: {{model: {{size: 7B}}}}`")
    changes: dict[str, Any] = {}
    plain: dict[str, str] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise UserError(f"{assignment!r}: not of the form key=value")
        if "." in key:
            try:
                changes[key] = yaml.load(value)
            except YAMLError:
                raise UserError(f"{assignment}: the value is not YAML") from None
        else:
            plain[key] = value
    tokenizer = recipe.get("tokenizer")
    if not isinstance(tokenizer, dict) or tokenizer.get("model"):
        tokenizer = {}
    return override(parse(recipe["training"]), changes), plain, tokenizer.get("vocab_size")
