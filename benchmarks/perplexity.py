"""Perplexities of texts: our kernels beside KenLM and SentencePiece, in one run on one core.

    python -m benchmarks.perplexity LM SENTENCEPIECE FILE...

LM and SENTENCEPIECE are files as CCNet published them, `en.arpa.bin` and `en.sp.model`. FILEs are UTF-8 text, in
documents of about 4 kB of whole lines; of JSON lines, each row's `text` is a document. Both sides normalise by our
kernel, cut into pieces and score. MB of text in a second of processor time, the best of three runs: with a cache of
words as it is when a model was loaded, and with one that has seen the same texts. Last, on how many documents the
perplexities differ: none, or something is broken.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kenlm
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sentencepiece

from benchmarks.language import documents
from benchmarks.timing import RUNS, best
from corpus.filters.perplexity_model import LanguageModel
from corpus.text.ccnet import normalize_for_lm

ROWS = 64


def by_libraries(encoder: Any, lm: Any, texts: pa.Array) -> list[float]:
    found = []
    for start in range(0, len(texts), ROWS):
        normalized = normalize_for_lm(texts[start : start + ROWS]).to_pylist()
        for pieces in encoder.encode(normalized, out_type=str, num_threads=1):
            line = " ".join(pieces)
            length = len(line.split()) + 1
            found.append(round(10.0 ** (-lm.score(line) / length), 1) if line else np.nan)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lm")
    parser.add_argument("sentencepiece")
    parser.add_argument("paths", type=Path, nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    texts = pa.array([text for each in arguments.paths for text in documents(each) if text.strip()], pa.large_string())
    size = pc.sum(pc.binary_length(texts)).as_py()
    encoder = sentencepiece.SentencePieceProcessor(model_file=arguments.sentencepiece)
    lm = kenlm.Model(arguments.lm)
    warm, *cold = (LanguageModel(arguments.lm, arguments.sentencepiece) for _ in range(1 + RUNS))
    list(warm.perplexities(texts))
    sides: dict[str, Callable[[], list[float]]] = {
        "KenLM and SentencePiece": lambda: by_libraries(encoder, lm, texts),
        "ours, as loaded": lambda: list(cold.pop().perplexities(texts)),
        "ours, words seen before": lambda: list(warm.perplexities(texts)),
    }
    measured = best(*sides.values())
    print(f"{len(texts):,} documents, {size / 1e6:.1f} MB; {warm.reason or 'by our kernels'}")
    print(f"{'':26}{'MB/s':>8}{'ratio':>8}{'differ':>8}")
    (peer, expected), *_ = measured
    for name, (seconds, found) in zip(sides, measured, strict=True):
        differ = len(texts) - int(np.isclose(found, expected, rtol=0, atol=0, equal_nan=True).sum())
        print(f"{name:26}{size / seconds / 1e6:8.1f}{peer / seconds:8.1f}{differ:8}")


if __name__ == "__main__":
    main()
