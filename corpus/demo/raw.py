"""All seven sources of the demo, as raw files."""

import os
import shutil
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from corpus.demo import arxiv, books, c4, commoncrawl, github, prose, stackexchange, wikipedia

QUOTAS = {
    "commoncrawl": 1_600_000,
    "c4": 500_000,
    "books": 400_000,
    "arxiv": 200_000,
    "stackexchange": 200_000,
}
"""Characters of docstrings for each source: enough for half a million tokens by the shares of LLaMA-1's Table 1, and
for some held-out documents of each source."""


def installed() -> Iterator[Distribution]:
    """Packages of the installation; not those that setuptools carries, which are on the path once it is imported."""
    return (package for package in distributions() if "_vendor" not in Path(str(package.locate_file(""))).parts)


def make(folder: Path) -> bool:
    """Makes the raw files of every source in a folder of its name below `folder`, unless `folder` is there.

    Returns whether it did. The same Python installation gives the same bytes.

    Raises:
        OSError: the folder cannot be written.
    """
    if folder.exists():
        return False
    making = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(making, ignore_errors=True)
    dealt = prose.deal(prose.modules(), QUOTAS)
    commoncrawl.write(making / "commoncrawl", dealt["commoncrawl"])
    c4.write(making / "c4", dealt["c4"])
    github.write(making / "github", installed())
    wikipedia.write(making / "wikipedia")
    books.write(making / "books", dealt["books"])
    arxiv.write(making / "arxiv", dealt["arxiv"])
    stackexchange.write(making / "stackexchange", dealt["stackexchange"])
    os.replace(making, folder)
    return True
