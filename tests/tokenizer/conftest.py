"""A small model with the LLaMA settings, trained once, and smaller ones with other settings."""

import argparse
import io
import random
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from tokenizer.encode import Encoder
from tokenizer.train import SETTINGS, train


def training_lines() -> list[str]:
    """Code of the standard library, and made-up words of several scripts."""
    rng = random.Random(1)
    syllables = ["ka", "lo", "mi", "ter", "ing", "the", "and", "é", "ß", "ко", "ра", "ни", "про"]
    syllables += ["の", "中", "国", "かな", "ع", "م"]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(400)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    lines = []
    for _ in range(2000):
        line = " ".join(rng.choices(words, weights, k=rng.randint(1, 12)))
        lines.append(" " * rng.choice([0, 0, 0, 2, 4]) + line + rng.choice(["", ".", " 1984", "\t#", "😀"]))
    return lines + Path(argparse.__file__).read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("model") / "tokenizer.model")
    train(training_lines(), path, vocab_size=2000)
    return path


@pytest.fixture(scope="session")
def encoder(model_path: str) -> Encoder:
    return Encoder(model_path)


def trained(**changes: Any) -> bytes:
    """A model of 310 pieces with the LLaMA settings but for `changes`."""
    model = io.BytesIO()
    lines = ["the thing in the north", "ab  cd  the the 12", "return self.thing", "ababab cdcdcd"] * 30
    options = {**SETTINGS, "vocab_size": 310, "hard_vocab_limit": False, "minloglevel": 2, **changes}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, **options)
    return model.getvalue()
