"""Encoding speed of `tokenizer.encode` and of SentencePiece, side by side in one run, on text neither has seen.

    python benchmarks/encode.py TEXT_FOLDER [--model tokenizer.model]

Takes the text files below a folder, in pieces of about 8 kB cut at line ends; every second file is "seen" (the model
is trained on it when none is given, and it warms the word cache), the others are the unseen text that is measured.
Prints MB/s of one thread by CPU time, the ratio, the share of words found in the cache, and how many of the unseen
pieces got other ids than SentencePiece gives (none, or something is broken).
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import sentencepiece

from tokenizer.encode import Encoder
from tokenizer.train import train

PIECE_CHARACTERS = 8000


def pieces(files: list[Path]) -> Iterator[str]:
    for path in files:
        text = path.read_text("utf-8", errors="replace")
        start = 0
        while start < len(text):
            end = text.find("\n", start + PIECE_CHARACTERS) + 1 or len(text)
            yield text[start:end]
            start = end


def measure(encoder: Encoder, texts: pa.Array) -> tuple[float, float]:
    """(MB/s, share of words found in the cache)."""
    words, missed = encoder.words, encoder.missed
    started = time.process_time()
    encoder.encode_batch(texts, bos=True, eos=True)
    seconds = time.process_time() - started
    size = sum(len(text.as_py().encode()) for text in texts)
    return size / seconds / 1e6, 1 - (encoder.missed - missed) / (encoder.words - words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", help="a SentencePiece model; without it a 32,000-piece one is trained")
    parser.add_argument("--pattern", default="**/*.txt", help="which files below the folder (default: %(default)s)")
    arguments = parser.parse_args()
    files = sorted(path for path in arguments.folder.glob(arguments.pattern) if path.is_file())
    seen, unseen = list(pieces(files[::2])), list(pieces(files[1::2]))

    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or f"{folder}/tokenizer.model"
        if arguments.model is None:
            train(seen, model)
        encoder = Encoder(model)
        processor = sentencepiece.SentencePieceProcessor(model_file=model)
    encoder.encode_batch(pa.array(["compile the kernel"], pa.large_string()), bos=False, eos=False)

    column = pa.array(unseen, pa.large_string())
    size = sum(len(text.encode()) for text in unseen)
    cold, cold_hits = measure(encoder, pa.array(seen, pa.large_string()))
    warm, warm_hits = measure(encoder, column)
    started = time.process_time()
    expected = processor.encode(unseen, num_threads=1)
    plain = size / (time.process_time() - started) / 1e6
    tokens, offsets = encoder.encode_batch(column, bos=False, eos=False)
    different = sum(tokens[offsets[i] : offsets[i + 1]].tolist() != ids for i, ids in enumerate(expected))

    print(
        f"{len(seen)} pieces seen, {len(unseen)} unseen ({size / 1e6:.1f} MB), {encoder.vocab_size} in the vocabulary"
    )
    print(f"exact kernel: {encoder.exact_kernel} {encoder.reason}")
    print(f"{'':24}{'MB/s':>8}{'ratio':>8}{'found in cache':>16}")
    print(f"{'sentencepiece, unseen':24}{plain:8.1f}{1:8.1f}")
    print(f"{'this, cold cache':24}{cold:8.1f}{cold / plain:8.1f}{cold_hits:16.1%}")
    print(f"{'this, unseen':24}{warm:8.1f}{warm / plain:8.1f}{warm_hits:16.1%}")
    print(f"different ids: {different} of {len(unseen)} pieces")


if __name__ == "__main__":
    main()
