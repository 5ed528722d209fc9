"""A short run of the fuzzer; the script takes more inputs, and real archives."""

import random
from pathlib import Path

from tests.fuzz.commoncrawl import check, mutated

RECORD = b"http://example.org/ 1.2.3.4 20080430204825 text/html 35\nHTTP/1.0 200 OK\n\n<p>Text of a page.</p>"


def test_some_inputs(tmp_path: Path) -> None:
    generator = random.Random(1)
    for _ in range(60):
        check(tmp_path, mutated([RECORD], generator.randrange))
