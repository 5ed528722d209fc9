"""A short run of the fuzzer; the script takes more inputs, and real books."""

import random
from pathlib import Path

from tests.fuzz.books import one

BOOK = (
    "Title: A\n\n*** START OF THE PROJECT GUTENBERG EBOOK A ***\n\nProduced by B\n\nIt was a café.\n\n"
    "End of Project Gutenberg's A\n"
)


def test_some_inputs(tmp_path: Path) -> None:
    for number in range(100):
        one(tmp_path, [BOOK.encode("latin-1"), BOOK.encode()], random.Random(number).randrange)
