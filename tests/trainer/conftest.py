"""Lets the tests of this folder import `harness`, which their worker processes import as well; a model for several."""

import sys
from pathlib import Path

import pytest
import sentencepiece

sys.path.insert(0, str(Path(__file__).parent))

from harness import small
from wide import TEXT, VOCAB, WINDOW, wide_model

from tokenizer.model import read_model
from trainer import checkpoint
from trainer.convert import weights


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer"
    words = sorted({f"{a}{b}{c}" for a in "bdfglm" for b in "aeiou" for c in ("n", "rt", "st", "")})
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([TEXT, " ".join(words)] * 5), model_prefix=str(path), vocab_size=VOCAB,
        model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        hard_vocab_limit=True, minloglevel=2,
    )  # fmt: skip
    return f"{path}.model"


@pytest.fixture(scope="session")
def run(tokenizer: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run with one checkpoint, of `wide_model`."""
    output = tmp_path_factory.mktemp("run")
    folder = checkpoint.folder_of(output, 7)
    folder.mkdir(parents=True)
    tensors = {f"model.{name}": tensor.detach() for name, tensor in wide_model().named_parameters()}
    weights.write_safetensors(folder, {name: t.nbytes for name, t in tensors.items()}, tensors.__getitem__)
    position = checkpoint.Position(
        step=7, updates=7, sequence=56, fingerprint="0123", tokenizer=read_model(tokenizer).sha256, vocab_size=VOCAB,
        seq_len=WINDOW, settings=checkpoint.SavedSettings(**small().model_dump()),
    )  # fmt: skip
    checkpoint.mark(folder, position)
    return output
