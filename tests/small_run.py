"""A small run with every kind of step and duplicates planted across its parts, for tests that compare whole runs."""

import json
import random
from pathlib import Path

PARTS = 8

RECIPE = """\
format: 1
output: {output}
sources:
  commoncrawl:
    input: {raw}/wet
    split_bytes: 20000
    steps:
      - lines: {{min_chars: 20}}
      - length: {{min_chars: 40}}
  c4:
    input: {raw}/c4
    split_bytes: 25000
    steps:
      - length: {{min_chars: 40}}
      - exact: {{index: {output}/index}}
across: [near]
tokenizer: {{vocab_size: 400, held_out: 10}}
mixture:
  shares: {{c4: 0.4, commoncrawl: 0.6}}
  sequence_length: 64
"""


def write_recipe(raw: Path, folder: Path) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(RECIPE.format(raw=raw, output=folder / "run"), encoding="utf-8")
    return path


def make_raw(folder: Path) -> None:
    """8 WET files whose pages share lines, and 8 C4 files.

    Every file has 40 documents of made-up words; a C4 file also has copies of the first documents of the first three
    files, and one page of the web comes again in C4 with a word more.
    """
    words = random.Random(0)
    vocabulary = ["".join(words.choices("abcdefghijklmnopqrstuvwxyz", k=words.randint(2, 9))) for _ in range(2000)]

    def line() -> str:
        return " ".join(words.choices(vocabulary, k=words.randint(5, 20)))

    boilerplate, near = line(), "\n".join(line() for _ in range(6))
    copies: list[str] = []
    (folder / "wet").mkdir(parents=True)
    (folder / "c4").mkdir()
    for number in range(PARTS):
        pages = ["\n".join(line() for _ in range(4)) + (f"\n{boilerplate}" if n % 3 else "") for n in range(40)]
        if number == 1:
            pages.append(near)
        (folder / "wet" / f"{number}.warc.wet").write_bytes(
            b"".join(_conversion(f"{number}-{n}", page) for n, page in enumerate(pages))
        )
        texts = ["\n".join(line() for _ in range(4)) for _ in range(40)]
        copies.append(texts[0])
        texts += copies[:3]
        if number == 5:
            texts.append(f"{near} end")
        rows = [{"text": text, "url": f"https://example.org/{number}/{n}"} for n, text in enumerate(texts)]
        path = folder / "c4" / f"c4-{number}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _conversion(name: str, text: str) -> bytes:
    """One record of a WET file."""
    body = text.encode()
    header = (
        "WARC/1.0\r\nWARC-Type: conversion\r\n"
        f"WARC-Target-URI: https://example.org/{name}\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{name}>\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return header.encode() + body + b"\r\n\r\n"


def files_of(run_folder: Path) -> dict[str, bytes]:
    """Every file of a run that it is the same in every time, by path."""
    paths = [path for path in sorted(run_folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(run_folder)): path.read_bytes()
        for path in paths
        if is_result(path.relative_to(run_folder))
    }


def is_result(path: Path) -> bool:
    """Not the recipe and the report, which name folders, nor what a run notes of itself (`.status`) or removes
    (`.work`)."""
    return path.parts[0] not in {"recipe.yaml", "recipes", "report.html"} and not path.parts[0].startswith(".")
