"""What a recipe may say, section by section."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from corpus.settings import Settings
from corpus.sources.raw import SPLIT_BYTES


class Top(BaseModel):
    """The keys of a recipe; each section is read by itself."""

    model_config = {"extra": "forbid"}

    format: Literal[1]
    output: str
    sources: dict[str, Any] = {}
    across: list[Any] = []
    tokenizer: Any = None
    mixture: Any = None
    training: Any = None


class SourceSection(Settings):
    """The keys that every source has beside its own settings.

    Attributes:
        type: what kind of source it is, where its name is not that of its kind.
        input: folder of raw files.
        include: shell patterns of paths below `input`.
        split_bytes: of text aimed at for one part.
        steps: rules in order.
    """

    type: str | None = None
    input: str
    include: tuple[str, ...] = ("**",)
    split_bytes: int = Field(default=SPLIT_BYTES, ge=1000)
    steps: tuple[Any, ...] = ()


class TokenizerSection(Settings):
    """`tokenizer:`; either a model that exists, or how to train one.

    Attributes:
        model: path of a SentencePiece model. When null one is trained on the finished documents.
        vocab_size: pieces of a trained model (LLaMA: 32,000).
        sample_bytes: text the model is trained on, at most, sampled by mixture share.
        max_skipped: share of that text in lines over 4,192 bytes, which training leaves out, from which on it is an
            error.
        bos, eos: each document begins, ends with the piece of this name.
        held_out: one document in so many goes to the validation set (docs/format.md).
    """

    model: str | None = None
    vocab_size: int = Field(default=32_000, ge=300)
    sample_bytes: int = Field(default=10 << 30, gt=0)
    max_skipped: float = Field(default=0.1, ge=0, le=1)
    bos: bool = True
    eos: bool = True
    held_out: int = Field(default=1000, ge=2)


class MixtureSection(Settings):
    """`mixture:`; shares and total are given, epochs follow.

    Attributes:
        shares: share of tokens by source, as decimals that add up to 1 (LLaMA-1, Table 1).
        folders: token folders that are there already, imported or of another run, by their name in `shares`.
        tokens: total to draw; null = as many as the scarcest source gives in `max_epochs` epochs.
        sequence_length: tokens in a training sequence (LLaMA-1: 2,048).
        max_epochs: asking for more passes over a source than this is an error.
        seed: of the order.
    """

    shares: dict[str, str | float]
    folders: dict[str, str] = {}  # noqa: RUF012  pydantic copies it
    tokens: int | None = Field(default=None, gt=0)
    sequence_length: int = Field(default=2048, ge=2)
    max_epochs: float = Field(default=4.0, gt=0, allow_inf_nan=False)
    seed: int = 0
