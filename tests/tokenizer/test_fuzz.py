"""Our ids against SentencePiece's: 200,000 made-up texts, all real text there is, many models. `pytest -s` prints the
numbers."""

import random
import struct
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece

from tests.tokenizer.conftest import trained
from tokenizer import bpe
from tokenizer.encode import Encoder
from tokenizer.fuzz import fuzz_texts
from tokenizer.huggingface import different_texts, write_tokenizer
from tokenizer.model import SPACE, read_model
from tokenizer.train import train

BATCH_CHARACTERS = 1 << 22


def differences(name: str, path: str, texts: Sequence[str]) -> int:
    """How many texts get other ids than SentencePiece gives; long batches, so that the cache is full of other words."""
    encoder = Encoder(path)
    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    different = size = first = 0
    while first < len(texts):
        last, held = first, 0
        while last < len(texts) and held < BATCH_CHARACTERS:
            held += len(texts[last])
            last += 1
        batch = texts[first:last]
        ids, offsets = encoder.encode_batch(pa.array(batch, pa.large_string()), False, False)
        rows: list[list[int]] = processor.encode(batch, num_threads=1)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        expected = np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum()))
        if not np.array_equal(np.diff(offsets), lengths) or not np.array_equal(ids, expected):
            different += sum(ids[a:b].tolist() != row for (a, b), row in zip(pairwise(offsets), rows, strict=True))
        size += sum(len(text.encode()) for text in batch)
        first = last
    print(f"{name}: {different} of {len(texts):,} texts ({size:,} bytes) differ; {encoder.reason or 'our kernel'}")
    return different


def real_texts(folder: Path) -> list[str]:
    """Every file of the sample data that is text as it lies there, in pieces of at most 100,000 characters."""
    texts = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            if path.suffix not in (".txt", ".html", ".htm", ".arc", ".warc"):
                continue
            text = data.decode("utf-8", errors="replace")
        texts += [text[start : start + 100_000] for start in range(0, len(text), 100_000)]
    return texts


def written(folder: Path, data: bytes) -> str:
    path = folder / "m.model"
    path.write_bytes(data)
    return str(path)


def test_the_texts_are_the_same_each_time(model_path: str) -> None:
    model = read_model(model_path)
    texts = fuzz_texts(model, 3000, seed=1)
    assert texts == fuzz_texts(model, 3000, seed=1) != fuzz_texts(model, 3000, seed=2)
    assert "" in texts
    assert all(any(what in text for text in texts) for what in ("<s>", "\0", SPACE, "\r\n", "    "))
    assert sum(text.startswith(" ") for text in texts) > 100


@pytest.mark.slow
def test_the_settings_of_llama(tmp_path: Path, shared_data: Path) -> None:
    real = real_texts(shared_data)
    size = sum(map(len, real))
    assert size > 30_000_000
    path = str(tmp_path / "m.model")
    lines = (line[:1000] for text in real[::10] for line in text.splitlines())
    train(lines, path, vocab_size=8000)
    assert Encoder(path).exact_kernel
    assert differences("made-up", path, fuzz_texts(read_model(path), 200_000, seed=11)) == 0
    assert differences("real", path, real) == 0


@pytest.mark.parametrize(
    ("changes", "exact"),
    [
        ({}, True),  # 310 pieces
        ({"add_dummy_prefix": False}, True),
        ({"byte_fallback": False, "vocab_size": 60}, False),
        ({"user_defined_symbols": ["<mask>", "th"]}, False),
    ],
)
def test_other_models(tmp_path: Path, changes: dict[str, Any], exact: bool) -> None:
    path = written(tmp_path, trained(**changes))
    assert Encoder(path).exact_kernel == exact
    assert differences(str(changes), path, fuzz_texts(read_model(path), 10_000, seed=12)) == 0


def test_models_of_made_up_pieces_and_scores(tmp_path: Path) -> None:
    """Trained models join frequent pieces first; SentencePiece's rule, and ours, holds for any scores."""
    rng = random.Random(13)
    for number in range(60):
        pieces = rng.choice([["a"], ["a", "b"], ["a", "b", "é", SPACE]])
        while len(pieces) < 14:
            pair = rng.choice(pieces) + rng.choice(pieces)
            if pair not in pieces:
                pieces.append(pair)
        scores = [float(-i) for i in range(len(pieces))]
        rng.shuffle(scores)
        path = written(tmp_path, made_up([*zip(pieces, scores, strict=True), *unused(pieces)]))
        characters = [*{c for piece in pieces for c in piece}, " ", "中"]
        texts = ["".join(rng.choices(characters, k=rng.randint(0, 50))) for _ in range(100)]
        texts += ["".join(rng.choices(pieces, k=rng.randint(0, 90))) for _ in range(100)]
        assert differences(f"made-up model {number}", path, texts) == 0
        write_tokenizer(path, str(tmp_path))
        assert different_texts(str(tmp_path), texts) == []


def unused(pieces: list[str]) -> list[tuple[str, float]]:
    """U+2581, where it is not among them: every model has it."""
    return [] if SPACE in pieces else [(SPACE, -100.0)]


def made_up(scored: Sequence[tuple[str, float]]) -> bytes:
    """A BPE model of three special pieces, 256 bytes and these pieces; the prefix is not added."""

    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, *length(len(data))]) + data

    def length(n: int) -> list[int]:
        return [n] if n < 128 else [n & 127 | 128, n >> 7]

    def piece(text: str, score: float, kind: int) -> bytes:
        return field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + bytes([3 << 3, kind]))

    special = [piece("<unk>", 0, 2), piece("<s>", 0, 3), piece("</s>", 0, 3)]
    special += [piece(f"<0x{byte:02X}>", 0, 6) for byte in range(256)]
    trainer = bytes([3 << 3, 2, 0x98, 0x02, 1])  # model_type BPE, byte_fallback (35)
    normalizer = bytes([3 << 3, 0, 4 << 3, 0, 5 << 3, 1])  # dummy prefix, extra whitespace, escape
    return b"".join(
        [*special, *(piece(text, score, 1) for text, score in scored), field(2, trainer), field(3, normalizer)]
    )


def test_every_character_comes_back(encoder: Encoder, model_path: str) -> None:
    characters = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    texts = ["".join(characters[start : start + 1000]) for start in range(0, len(characters), 1000)]
    assert differences("every character", model_path, texts) == 0
    ids, offsets = encoder.encode_batch(pa.array(texts, pa.large_string()), False, False)
    processor = sentencepiece.SentencePieceProcessor(model_file=model_path)
    back = [processor.decode(ids[a:b].tolist()) for a, b in pairwise(offsets)]
    # The one character that SentencePiece loses: it is how it writes a space.
    assert "".join(back) == "".join(texts).replace(SPACE, " ")


def test_the_work_grows_with_the_length_of_a_word(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts merges looked up and heap entries of `_merge_long` for a word without a cut, ten times as long."""
    count = 0

    def counted(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            nonlocal count
            count += 1
            return function(*arguments)

        return call

    for name in ("_merge", "_push", "_pop"):
        monkeypatch.setattr(bpe, name, counted(getattr(bpe, name)))
    work = []
    for size in (2000, 20_000):
        text = np.frombuffer("".join(random.Random(size).choices("theinaors", k=size)).encode(), np.uint8)
        scratch = bpe.new_scratch(size)
        scratch.symbols[:size] = encoder._tables.character[text]
        count = 0
        assert bpe._merge_long.py_func(encoder._tables, scratch, size) < size
        work.append(count / size)
    assert work[1] < 1.1 * work[0] < 10
