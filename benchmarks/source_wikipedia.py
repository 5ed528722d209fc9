"""Wikipedia: from a dump to plain text, in MB of wikitext (UTF-8) in a second of processor time, on one core.

Every step is measured once in each of several rounds, on the same pages, and the median is printed:

- `decompress`: the files alone, through `corpus.sources.compressed`; libbz2 is the floor under everything else where
  the dump is compressed;
- `extract`: raw files to documents (decompression included);
- `wikitext`: documents to plain text;
- `extract + wikitext`: both, and the same without decompression;
- `mwparserfromhell`: parse and `strip_code` of the same documents, as the script of the Hugging Face data set
  `wikipedia` does; of pages over `PEER_CHARACTERS` nothing, since it takes minutes for some.
"""

import argparse
import sys
from collections.abc import Callable
from statistics import median
from typing import Any

import mwparserfromhell

from benchmarks.timing import in_turn
from corpus.clean.wikitext import plain_text
from corpus.schema import Document
from corpus.sources.compressed import decompressed
from corpus.sources.raw import list_files, open_raw
from corpus.sources.wikipedia import Wikipedia
from corpus.text.mediawiki import LANGUAGES

PEER_CHARACTERS = 100_000


def documents(root: str) -> list[Document]:
    source = Wikipedia(languages=(*LANGUAGES, "simple"))
    splits = source.splits(list_files(root))
    return [found for split in splits for found in source.read(root, split) if isinstance(found, Document)]


def decompress(root: str) -> None:
    for raw in list_files(root):
        with open_raw(root, raw.path) as file:
            for _ in decompressed(file):
                pass


def clean(pages: list[Document]) -> None:
    for page in pages:
        plain_text(page.text, page.language or "", page.metadata["title"])


def by_mwparserfromhell(pages: list[Document]) -> None:
    for page in pages:
        if len(page.text) <= PEER_CHARACTERS:
            mwparserfromhell.parse(page.text).strip_code()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sources wikipedia")
    parser.add_argument("path")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args(arguments)
    pages = documents(options.path)
    size = sum(len(page.text.encode()) for page in pages)
    short = sum(len(page.text.encode()) for page in pages if len(page.text) <= PEER_CHARACTERS)
    steps: dict[str, tuple[int, Callable[[], Any]]] = {
        "decompress": (size, lambda: decompress(options.path)),
        "extract": (size, lambda: documents(options.path)),
        "wikitext": (size, lambda: clean(pages)),
        "mwparserfromhell": (short, lambda: by_mwparserfromhell(pages)),
    }
    taken = in_turn(*(run for _, run in steps.values()), runs=options.repeat)
    seconds = {name: median(times) for name, (times, _) in zip(steps, taken, strict=True)}
    took = {name: one / steps[name][0] for name, one in seconds.items()}
    took["extract + wikitext"] = took["extract"] + took["wikitext"]
    took["the same without decompression"] = took["extract + wikitext"] - took["decompress"]
    print(f"{len(pages)} articles, {size / 1e6:.1f} MB of wikitext, one core, median of {options.repeat}")
    for name, per_byte in took.items():
        ratio = took["mwparserfromhell"] / per_byte
        print(f"  {name:32}{1e-6 / per_byte:8.1f} MB/s {ratio:8.1f} x mwparserfromhell")


if __name__ == "__main__":
    main(sys.argv[1:])
