"""A short run of the fuzzer; the script takes more inputs, and real submissions."""

import random
from pathlib import Path

from tests.fuzz.arxiv import check, mutated

SEEDS = [
    b"\\documentclass{article}\\newcommand{\\a}[1][x]{#1}\\begin{document}\\section{One}\\a[b]\\bibliography{x}",
    b"\\section{One} Text of 2001. \\input{a}\n\\centerline{\\bf References}\n\\item{[1]} A. Author, 1995.",
]


def test_some_inputs(tmp_path: Path) -> None:
    generator = random.Random(1)
    for _ in range(100):
        check(tmp_path, *mutated(SEEDS, generator.randrange))
