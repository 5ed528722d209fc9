"""Parts of made-up documents, and token folders of them."""

import random
from pathlib import Path

from corpus.parts import write_part
from corpus.schema import SCHEMA, Document, Origin, document_batch
from tokenizer.index import write_index
from tokenizer.tokenize import TokenizeTask, TokenPart, tokenize_parts

STEP = "cd" * 32
HELD = 5


def texts(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    words = ["the", "thing", "in", "north", "return", "self", "ka", "lo", "mi", "中国", "1984", "\n", "", "é"]
    return ["", *(" ".join(rng.choices(words, k=rng.randint(1, 60))) for _ in range(count - 1))]


def write_parts(folder: Path, sizes: list[int]) -> list[TokenPart]:
    parts = []
    for number, size in enumerate(sizes):
        documents = [
            Document(f"books:test:{number}/{row}", text, Origin("f", record=row))
            for row, text in enumerate(texts(number, size) if size else [])
        ]
        path = str(folder / f"part-{number:05d}.parquet")
        parts.append(
            TokenPart(number, path, write_part(path, SCHEMA, iter([document_batch(documents, "books")])), size)
        )
    return parts


def run(parts: list[TokenPart], output: str, model: str, groups: list[list[int]]) -> None:
    for shard, group in enumerate(groups):
        tokenize_parts(TokenizeTask(shard, tuple(parts[n] for n in group), output, model, STEP, heldout=HELD))
    write_index(output, len(groups))
