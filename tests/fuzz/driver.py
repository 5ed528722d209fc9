"""What the fuzzers of this folder share: many inputs made by choices, by a generator or coverage-guided.

    python -m tests.fuzz.NAME [--inputs 10000] [--seed 0] [FILE...]

(From the root of the checkout.) With `atheris` installed, the choices come from its coverage-guided engine instead of a
random number generator.
"""

import argparse
import random
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Below = Callable[[int], int]
"""`below(n)` chooses one of n."""

MEMORY_BYTES = 1 << 30
SECONDS = 10
"""Of processor time, for a record."""


def main(module: str, prepare: Callable[[list[Path]], Any], one: Callable[[Path, Any, Below], None]) -> None:
    """`prepare` reads the files of the command line; `one` makes an input with them in a folder and checks it."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    material = prepare(options.files)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            import atheris
        except ImportError:
            for number in range(options.inputs):
                try:
                    _checked(one, folder, material, random.Random(f"{options.seed} {number}").randrange)
                except BaseException:
                    print(f"input {number} of seed {options.seed}", file=sys.stderr)
                    raise
            print(f"{options.inputs} inputs, no failure")
            return

        def from_bytes(data: bytes) -> None:
            provider = atheris.FuzzedDataProvider(data)
            _checked(one, folder, material, lambda count: provider.ConsumeIntInRange(0, count - 1))

        atheris.instrument_all()
        arguments = [sys.argv[0], f"-runs={options.inputs}", f"-seed={options.seed + 1}", "-max_len=65536"]
        atheris.Setup(arguments, from_bytes)
        atheris.Fuzz()


def _checked(one: Callable[[Path, Any, Below], None], folder: Path, material: Any, below: Below) -> None:
    one(folder, material, below)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert used < MEMORY_BYTES, f"{used >> 20} MiB"
