"""Speed of the tokenizer beside SentencePiece and Hugging Face `tokenizers`, on text that none has seen; and of the
tokenize stage.

    python -m benchmarks.tokenizer PATH... [--model tokenizer.model] [--megabytes 24] [--repeat 5]

(From the root of the checkout, and with -m: as a script, this file would hide the package `tokenizer`.)

Takes text files, and of folders those that end as `SUFFIXES`, in documents of about 8 kB cut at line ends. Every second
file is "seen": the model is trained on it when none is given, and it warms our word cache. The others are the unseen
text, which alone is measured. A document of which more than a tenth is lines that came before is left out: other
editions of a file would else be seen.

One process on one core; everything is measured once in each of several rounds, on the same text, and the median is
printed: MB of text in a second of processor time and of wall time, and as a multiple of SentencePiece (its fastest way
of being called) by processor time. Waiting for the disk (fsync) shows in wall time only. The stage is
`tokenize_parts`: from a Parquet part to committed shards, with their checksums, digests and fsync, and it begins with
an empty word cache, as every shard does. Last, how many documents got other ids than from SentencePiece: none, or
something is broken.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import sentencepiece

from corpus.parts import write_part
from corpus.schema import SCHEMA, Document, Origin, batched
from tokenizer.encode import Encoder
from tokenizer.huggingface import write_tokenizer
from tokenizer.tokenize import TokenizeTask, TokenPart, tokenize_parts
from tokenizer.train import train

SUFFIXES = {".md", ".py", ".rst", ".txt"}
DOCUMENT_CHARACTERS = 8000
LINE_CHARACTERS = 30
"""Shorter lines say nothing of where they come from."""


def files(paths: Iterable[Path]) -> list[Path]:
    found = [p for path in paths for p in (path.rglob("*") if path.is_dir() else [path])]
    return sorted({p for p in found if p.is_file() and (p in paths or p.suffix in SUFFIXES)})


def documents(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        text = path.read_text("utf-8", errors="replace")
        start = 0
        while start < len(text):
            end = text.find("\n", start + DOCUMENT_CHARACTERS) + 1 or len(text)
            yield text[start:end]
            start = end


def new(texts: Iterable[str], known: set[str], size: float) -> list[str]:
    """Up to `size` bytes of the documents that are not repeats of `known` lines, which grow by theirs."""
    kept = []
    for text in texts:
        lines = [line for line in text.splitlines() if len(line) >= LINE_CHARACTERS]
        repeated = sum(len(line) for line in lines if line in known)
        known.update(lines)
        if repeated <= sum(map(len, lines)) / 10:
            kept.append(text)
            size -= len(text.encode())
            if size <= 0:
                break
    return kept


@dataclass
class Contestant:
    """Attributes:
    prepare: not measured; gives what is.
    """

    name: str
    prepare: Callable[[], Callable[[], Any]]
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def run(self) -> Any:
        timed = self.prepare()
        wall, cpu = time.perf_counter(), time.process_time()
        result = timed()
        self.cpu.append(time.process_time() - cpu)
        self.wall.append(time.perf_counter() - wall)
        return result


def hugging_face(model: str, folder: str, texts: list[str]) -> Contestant | None:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        print(f"tokenizers left out: {error}")
        return None
    write_tokenizer(model, folder)
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    return Contestant(
        "tokenizers, encode_batch_fast", lambda: lambda: tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    )


def different(expected: list[list[int]], found: Iterable[Any]) -> int:
    return sum(not np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument("--model", help="a SentencePiece model; without it one of 32,000 pieces is trained")
    parser.add_argument("--megabytes", type=float, default=24, help="of unseen, and of seen, text (default: 24)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds (default: 5)")
    arguments = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found, known = files(arguments.paths), set[str]()
    seen = new(documents(islice(found, 0, None, 2)), known, arguments.megabytes * 1e6)
    unseen = new(documents(islice(found, 1, None, 2)), known, arguments.megabytes * 1e6)
    column, warming = pa.array(unseen, pa.large_string()), pa.array(seen, pa.large_string())
    size = sum(len(text.encode()) for text in unseen)

    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or f"{folder}/trained.model"
        if arguments.model is None:
            train(seen, model, max_skipped=1)
        processor = sentencepiece.SentencePieceProcessor(model_file=model)
        part = f"{folder}/part.parquet"
        rows = (Document(f"text:{n}", text, Origin("f", record=n)) for n, text in enumerate(unseen))
        parts = (TokenPart(0, part, write_part(part, SCHEMA, batched(rows, "text")), len(unseen)),)
        hits = 0.0

        def warm() -> Callable[[], Any]:
            encoder = Encoder(model)
            encoder.encode_batch(warming, False, False)
            words, missed = encoder.words, encoder.missed

            def timed() -> Any:
                nonlocal hits
                tokens = encoder.encode_batch(column, False, False)
                hits = 1 - (encoder.missed - missed) / max(1, encoder.words - words)
                return tokens

            return timed

        def cold() -> Callable[[], Any]:
            encoder = Encoder(model)
            return lambda: encoder.encode_batch(column, False, False)

        def stage() -> Callable[[], Any]:
            task = TokenizeTask(0, parts, tempfile.mkdtemp(dir=folder), model, "00" * 32)
            return lambda: tokenize_parts(task)

        listed = Contestant("sentencepiece, a list", lambda: lambda: processor.encode(unseen, num_threads=1))
        arrays = Contestant(
            "sentencepiece, to NumPy", lambda: lambda: [processor.encode(text, out_type="numpy") for text in unseen]
        )
        ours = Contestant("ours", warm)
        ours_cold = Contestant("ours, empty word cache", cold)
        whole = Contestant("tokenize stage", stage)
        contestants = [listed, arrays, hugging_face(model, folder, unseen), ours_cold, ours, whole]
        results: dict[str, Any] = {}
        for _ in range(arguments.repeat):
            for contestant in contestants:
                if contestant:
                    results[contestant.name] = contestant.run()
        encoder = Encoder(model)

    print(f"{len(unseen)} documents, {size / 1e6:.1f} MB, unseen; {encoder.vocab_size} pieces; ", end="")
    print(f"our kernel: {'in use' if encoder.exact_kernel else encoder.reason}; {hits:.1%} of words in its warm cache")
    best = min(median(listed.cpu), median(arrays.cpu))
    print(f"{'':32}{'MB/s':>8}{'by wall':>9}{'ratio':>8}")
    for contestant in filter(None, contestants):
        cpu, wall = median(contestant.cpu), median(contestant.wall)
        print(f"{contestant.name:32}{size / cpu / 1e6:8.1f}{size / wall / 1e6:9.1f}{best / cpu:8.1f}")
    for against in (ours, ours_cold):
        cpu = median(a / b for a, b in zip(against.cpu, whole.cpu, strict=True))
        wall = median(a / b for a, b in zip(against.wall, whole.wall, strict=True))
        print(f"stage as a share of {against.name + ':':26}{cpu:6.0%}, {wall:.0%} by wall")
    expected = results[listed.name]
    tokens, offsets = results[ours.name]
    print(f"different documents: {different(expected, (tokens[a:b] for a, b in pairwise(offsets)))} of ours", end="")
    if "tokenizers, encode_batch_fast" in results:
        print(
            f", {different(expected, (e.ids for e in results['tokenizers, encode_batch_fast']))} of tokenizers", end=""
        )
    print()


if __name__ == "__main__":
    main()
