"""Speed of a source and its cleaner beside its peers, on raw files of your own.

    python -m benchmarks.sources wikipedia PATH [--repeat 5]

(From the root of the checkout, and with -m.) Each source has a module of its own, `benchmarks/source_NAME.py`, whose
docstring says what is measured and how.
"""

import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    names = sorted(path.stem.removeprefix("source_") for path in Path(__file__).parent.glob("source_*.py"))
    if len(sys.argv) < 3 or sys.argv[1] not in names:
        sys.exit(f"usage: python -m benchmarks.sources {{{','.join(names)}}} PATH [OPTIONS]")
    import_module(f"benchmarks.source_{sys.argv[1]}").main(sys.argv[2:])


if __name__ == "__main__":
    main()
