"""Small language models: SentencePiece's, and binary ones of KenLM as its `build_binary` writes them."""

import _pydecimal
import argparse
import importlib.util
import inspect
import io
import itertools
import os
import random
import struct
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece

from corpus.filters.kenlm_probing import HEADER, SANITY
from corpus.protobuf import fields
from corpus.text.ccnet import normalize_for_lm


def require_kenlm() -> None:
    """Skips a test where KenLM is not installed, or fails it where `CORPUS_TEST_REQUIRE_DATA` is set, as in CI."""
    if importlib.util.find_spec("kenlm") is None:
        message = "kenlm is not installed (the extra `perplexity`)"
        if os.environ.get("CORPUS_TEST_REQUIRE_DATA"):
            pytest.fail(message)
        pytest.skip(message)


def kenlm_model(path: str) -> Any:
    """KenLM's own model of a file, without a bar of progress."""
    require_kenlm()
    import kenlm

    config = kenlm.Config()
    config.show_progress = False
    return kenlm.Model(path, config)


SETTINGS: dict[str, dict[str, object]] = {
    "unigram": {},
    "nfkc": {"normalization_rule_name": "nfkc"},
    "bpe": {"model_type": "bpe"},
    "bytes": {"byte_fallback": True},
    "user-defined": {"user_defined_symbols": ["word1"]},
    "spaces behind": {"treat_whitespace_as_suffix": True},
    "spaces kept": {"remove_extra_whitespaces": False},
    "spaces inside": {"split_by_whitespace": False},
    "rule for a space": {},
    "rule that writes a space": {},
}

Ngrams = dict[tuple[str, ...], tuple[float, float]]
"""By words, the log10 of the probability and of the backoff."""


def prose() -> list[str]:
    """Modules of Python itself, a line each: English and code."""
    modules = (argparse, subprocess, tarfile, random, _pydecimal)
    lines = [line for module in modules for line in inspect.getsource(module).split("\n")]
    return [line for line in normalize_for_lm(pa.array(lines, pa.large_string())).to_pylist() if line]


@cache
def trained(kind: str, folder: Path) -> str:
    """The path of a model trained on `prose`, with some of `SETTINGS`."""
    settings = {"vocab_size": 2000, "model_type": "unigram", **SETTINGS[kind]}
    if "rule" in kind:
        rules = "61 20 62\t78\n" if kind == "rule for a space" else "e4\t61 3000 62\n"  # hexadecimal code points
        (folder / "rules.tsv").write_text(rules)
        settings["normalization_rule_tsv"] = str(folder / "rules.tsv")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(prose()), model_writer=model, hard_vocab_limit=False, minloglevel=2, **settings
    )
    path = folder / kind.replace(" ", "-")
    path.write_bytes(model.getvalue())
    return str(path)


def rescored(data: bytes, score: Callable[[str], float]) -> bytes:
    """A SentencePiece model whose pieces have other scores, by their text."""
    out = bytearray()
    for number, value in fields(data):
        assert isinstance(value, bytes)
        if number == 1:
            piece = dict(fields(value))
            name = piece[1]
            assert isinstance(name, bytes)
            new = struct.pack("<f", score(name.decode())) if piece.get(3, 1) == 1 else bytes(4)
            kind = bytes((3 << 3, int(piece.get(3, 1)))) if 3 in piece else b""
            value = _field(1, name) + bytes((2 << 3 | 5,)) + new + kind
        out += _field(number, value)
    return bytes(out)


def _field(number: int, value: bytes) -> bytes:
    size, length = len(value), bytearray()
    while size >= 0x80:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((number << 3 | 2, *length, size)) + value


def murmur(word: bytes) -> int:
    """MurmurHash64A with seed 0."""
    m, mask = 0xC6A4A7935BD1E995, (1 << 64) - 1
    h = len(word) * m & mask
    for i in range(0, len(word) - 7, 8):
        k = int.from_bytes(word[i : i + 8], "little") * m & mask
        h = (h ^ (k ^ k >> 47) * m & mask) * m & mask
    if len(word) % 8:
        h = (h ^ int.from_bytes(word[len(word) // 8 * 8 :], "little")) * m & mask
    h = (h ^ h >> 47) * m & mask
    return h ^ h >> 47


def random_ngrams(words: Iterable[str], order: int, seed: int) -> Ngrams:
    """Some of each length up to `order`, of these words, <s>, </s> and <unk>; with each, all that it is made of."""
    chance = random.Random(seed)
    words = [*words]
    ngrams: Ngrams = {}
    for word in ("<unk>", "<s>", "</s>", *words):
        ngrams[word,] = (-chance.uniform(0, 6), chance.choice((0.0, 0.0, -chance.random())))
    for _ in range(2, order + 1):
        made = [(first, *rest) for rest in ngrams for first in ("<s>", "<unk>", *words)]
        longer = [ngram for ngram in made if ngram not in ngrams and ngram[:-1] in ngrams and "<s>" not in ngram[1:]]
        longest = max(map(len, ngrams)) + 1
        longer = [ngram for ngram in longer if len(ngram) == longest]
        for ngram in chance.sample(longer, min(len(longer), 5 * len(words))):
            ngrams[ngram] = (-chance.uniform(0, 3), chance.choice((0.0, 0.0, -chance.random(), chance.random())))
    return ngrams


def write_probing(
    path: Path, ngrams: Ngrams, order: int | None = None, factor: float = 1.5, with_words: bool = True
) -> str:
    """As `build_binary` writes a model of hash tables."""
    order = order or max(map(len, ngrams))
    numbers = {word: number for number, (word,) in enumerate(ngram for ngram in ngrams if len(ngram) == 1)}
    assert numbers["<unk>"] == 0
    counts = [sum(len(ngram) == length for ngram in ngrams) for length in range(1, order + 1)]
    slots = [max(count + 1, int(np.float32(factor) * np.float32(count))) for count in counts]
    ends_of_longer = {ngram[1:] for ngram in ngrams}
    begins_of_longer = {ngram[:-1] for ngram in ngrams}

    def weights(ngram: tuple[str, ...]) -> bytes:
        probability, backoff = ngrams[ngram]
        if len(ngram) == order:
            return struct.pack("<f", -abs(probability))
        sign = 1 if ngram in ends_of_longer else -1  # no longer n-gram can be found
        if backoff == 0 and ngram not in begins_of_longer:
            backoff = -0.0
        return struct.pack("<ff", np.copysign(abs(probability), sign), backoff)

    header = HEADER.pack(*SANITY, order, factor, 0, with_words, 0) + struct.pack(f"<{order}Q", *counts)
    parts = [header.ljust(-(-len(header) // 8) * 8, b"\0"), struct.pack("<II", 0, len(numbers))]
    known = [(murmur(word.encode()), struct.pack("<I", number)) for word, number in numbers.items() if number]
    parts.append(_table(known, slots[0], 4))
    parts += [weights((word,)) for word in numbers] + [bytes(8)]
    for length in range(2, order + 1):
        some = [ngram for ngram in ngrams if len(ngram) == length]
        entries = [(_ngram_hash([numbers[word] for word in ngram]), weights(ngram)) for ngram in some]
        parts.append(_table(entries, slots[length - 1], 4 if length == order else 8))
    if with_words:
        parts.append(b"".join(word.encode() + b"\0" for word in numbers))
    path.write_bytes(b"".join(parts))
    return str(path)


def _ngram_hash(numbers: list[int]) -> int:
    h = numbers[-1]
    for number in reversed(numbers[:-1]):
        h = (h * 8978948897894561157 & (1 << 64) - 1) ^ (1 + number) * 17894857484156487943 & (1 << 64) - 1
    return h


def _table(entries: list[tuple[int, bytes]], slots: int, size: int) -> bytes:
    table: list[tuple[int, bytes]] = [(0, bytes(size))] * slots
    for h, value in entries:
        slot = next(slot for slot in itertools.count(h % slots) if not table[slot % slots][0]) % slots
        table[slot] = (h, value)
    return b"".join(struct.pack("<Q", h) + value for h, value in table)


def log_probability(ngrams: Ngrams, words: list[str]) -> float:
    """Of a sentence, added up in float32: the longest n-gram that ends with each word, and the backoff of what it would
    take to be longer."""
    order = max(map(len, ngrams))
    history: tuple[str, ...] = ("<s>",)
    total = np.float32(0)
    for word in [*words, "</s>"]:
        word = word if (word,) in ngrams else "<unk>"
        context = history[-(order - 1) :]
        size = next(
            size for size in range(len(context), -1, -1) if _chain(ngrams, (*context[len(context) - size :], word))
        )
        value = np.float32(ngrams[(*context[len(context) - size :], word)][0])
        for longer in range(size + 1, len(context) + 1):
            value += np.float32(ngrams.get(context[len(context) - longer :], (0, 0))[1])
        total += value
        history = (*history, word)
    return float(total)


def _chain(ngrams: Ngrams, ngram: tuple[str, ...]) -> bool:
    return all(ngram[k:] in ngrams for k in range(len(ngram)))
