"""A short run of the fuzzer; the script takes more inputs, and real repositories."""

import random
from pathlib import Path

from tests.fuzz.github import check, mutated


def test_some_inputs(tmp_path: Path) -> None:
    generator = random.Random(1)
    for _ in range(60):
        check(tmp_path, *mutated(["int main(void) { return 0; }\n"], generator.randrange))
