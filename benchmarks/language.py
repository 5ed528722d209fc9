"""Labels of texts by a fastText model: our kernels beside the fastText library, in one run on one core.

    python -m benchmarks.language MODEL FILE...

MODEL is a path or a name (`lid`). Files are UTF-8 text, in documents of about 4 kB of whole lines; of JSON lines, each
row's `text` is a document. Both sides take the line feeds out first, as the rule `language` does, and round to two
decimals. MB of text in a second of processor time, the best of three runs: with an empty cache of words, and with one
that has seen the same texts. Last, on how many documents label or score differ: none, or something is broken.
"""

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fasttext.FastText import _FastText

from benchmarks.timing import RUNS, best
from corpus import models
from corpus.filters.fasttext_model import Classifier

DOCUMENT_CHARACTERS = 4000
DIGITS = 2


def documents(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8", errors="replace")
    if path.suffix in (".jsonl", ".ndjson"):
        yield from (json.loads(line)["text"] for line in text.splitlines() if line.strip())
        return
    start = 0
    while start < len(text):
        end = text.find("\n", start + DOCUMENT_CHARACTERS) + 1 or len(text)
        yield text[start:end]
        start = end


def by_library(model: Any, texts: pa.Array) -> tuple[list[str], Any]:
    lines = pc.replace_substring(texts, "\n", "").to_pylist()
    found = [model.predict(line + "\n", 1, 0.0, "strict")[0] for line in lines]
    return [label for _, label in found], np.round([probability for probability, _ in found], DIGITS)


def by_kernels(model: Classifier, texts: pa.Array) -> tuple[list[str], Any]:
    numbers, probabilities = model.best(pc.replace_substring(texts, "\n", ""), DIGITS)
    return [f"__label__{model.labels[number]}" for number in numbers[:, 0]], probabilities[:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("paths", type=Path, nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    path = models.locate(arguments.model)
    texts = pa.array([text for each in arguments.paths for text in documents(each) if text.strip()], pa.large_string())
    size = pc.sum(pc.binary_length(texts)).as_py()
    library, warm, cold = _FastText(model_path=path).f, Classifier(path), [Classifier(path) for _ in range(RUNS)]
    by_kernels(warm, texts)
    sides = {
        "fastText": lambda: by_library(library, texts),
        "ours, empty cache": lambda: by_kernels(cold.pop(), texts),
        "ours, words seen before": lambda: by_kernels(warm, texts),
    }
    measured = best(*sides.values())
    print(f"{len(texts):,} documents, {size / 1e6:.1f} MB, {path}; {warm.reason or 'by our kernels'}")
    print(f"{'':26}{'MB/s':>8}{'ratio':>8}{'differ':>8}")
    (peer, (labels, scores)), *_ = measured
    for name, (seconds, (own_labels, own_scores)) in zip(sides, measured, strict=True):
        differ = sum(a != b or x != y for a, b, x, y in zip(labels, own_labels, scores, own_scores, strict=True))
        print(f"{name:26}{size / seconds / 1e6:8.1f}{peer / seconds:8.1f}{differ:8}")
    print(f"the library was asked about {warm.asked / warm.texts:.2%} of the documents")


if __name__ == "__main__":
    main()
