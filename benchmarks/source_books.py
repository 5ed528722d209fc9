"""Books: from text, HTML and EPUB files to documents, and to the text of the book alone, on one core, in processor
time.

The peers are the least that must be done with each file. Of a text file: to read it and to decode UTF-8. Of HTML, and
of each page of an EPUB: `resiliparse`, which loses the indentation of code in lists, `|` and `10^5`, and knows neither
the order of pages nor their numbers. MB are of the text that comes out of `books`; the best of `RUNS` runs, each side
in turn.
"""

import argparse
import re
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from benchmarks.timing import best
from corpus.clean.gutenberg import strip_book
from corpus.schema import Document
from corpus.sources.books import Books
from corpus.sources.raw import Piece, Split, file_sizes

KINDS = {"text": ("", ".txt"), "HTML": (".htm", ".html"), "EPUB": (".epub",)}


def peer(path: Path) -> None:
    if path.suffix.lower() in KINDS["text"]:
        path.read_bytes().decode("utf-8", "replace")
    elif path.suffix.lower() in KINDS["HTML"]:
        extract_plain_text(HTMLTree.parse_from_bytes(path.read_bytes()), preserve_formatting=True)
    else:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if re.search(r"\.x?html?$", name):
                    extract_plain_text(HTMLTree.parse_from_bytes(archive.read(name)), preserve_formatting=True)


def peers(paths: list[Path]) -> None:
    for path in paths:
        peer(path)


def extract(folder: str, split: Split) -> list[Document]:
    return [record for record in Books().read(folder, split) if isinstance(record, Document)]


def strip(books: list[Document]) -> None:
    for book in books:
        strip_book(book.text)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sources books")
    parser.add_argument("path", help="a folder of books")
    folder = parser.parse_args(arguments).path
    for kind, suffixes in KINDS.items():
        paths = [path for path in file_sizes(folder) if Path(path).suffix.lower() in suffixes]
        split = Split(tuple(Piece(path) for path in paths))
        found = extract(folder, split)
        if not found:
            continue
        sides: list[Callable[[], object]] = [
            partial(peers, [Path(folder, path) for path in paths]),
            partial(extract, folder, split),
            partial(strip, found),
        ]
        seconds = [taken for taken, _ in best(*sides)]
        size = sum(len(book.text.encode()) for book in found) / 1e6
        print(f"{kind}: {len(found)} books of {len(paths)} files, {size:.1f} MB")
        for name, took in zip(("peer", "books", "gutenberg"), seconds, strict=True):
            print(f"  {name:12}{size / took:8.1f} MB/s{seconds[0] / took:8.2f} x peer")
