"""What is installed and decides bytes: compared on every worker of a cluster with the machine that submits.

A worker with another version of a rule makes other documents, and nothing else would say so. No Beam here.
"""

import hashlib
import pickle
import socket
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from corpus.errors import UserError
from corpus.registry import RULES, SOURCES

PACKAGES = ("corpus", "tokenizer", "pipelines")
"""Ours, whose code runs on workers."""

LIBRARIES = (
    "apache-beam",
    "fasttext-numpy2-wheel",
    "idna",
    "isal",
    "kenlm",
    "lxml",
    "lxml_html_clean",
    "numba",
    "numpy",
    "protego",
    "py7zr",
    "pyarrow",
    "resiliparse",
    "sentencepiece",
    "trafilatura",
    "xxhash",
)
"""Of others, where a version may give other bytes: readers of raw files and pages, models, kernels, Parquet. Beam is
among them as the two sides speak its protocol."""

SUFFIXES = {".csv", ".json", ".npz", ".py", ".tsv", ".txt"}
"""Of the files that a wheel of ours has; the others are what Python and numba compiled."""

ABSENT = "none"


@dataclass(frozen=True)
class Software:
    """What one machine has.

    Attributes:
        code: SHA-256 of the source files and tables of `PACKAGES`, 12 hex digits: two checkouts of one version differ.
        python: version, to the minor, with that of Unicode which it knows.
        libraries: (name, version or "none"), those of `LIBRARIES` and of packages that bring sources and rules.
        host: for messages; not compared.
    """

    version: str
    code: str
    python: str
    libraries: tuple[tuple[str, str], ...]
    host: str

    def difference(self, other: "Software") -> str:
        """In what `other` differs from this, as "this != other" for each; "" where in nothing."""
        theirs = dict(other.libraries)
        pairs = [
            ("corpus", f"{self.version} (code {self.code})", f"{other.version} (code {other.code})"),
            ("Python", self.python, other.python),
            *((name, mine, theirs.pop(name, ABSENT)) for name, mine in self.libraries),
            *((name, ABSENT, found) for name, found in theirs.items()),
        ]
        return "; ".join(f"{name} {mine} != {found}" for name, mine, found in pairs if mine != found)


@cache
def software() -> Software:
    """Of this process; a tenth of a second the first time."""
    plugins = {
        entry.dist.name for group in (RULES, SOURCES) for entry in entry_points(group=group) if entry.dist is not None
    }
    names = sorted({*LIBRARIES, *plugins})
    return Software(
        _version("corpus"),
        _code(PACKAGES),
        f"{sys.version_info[0]}.{sys.version_info[1]} (Unicode {unicodedata.unidata_version})",
        tuple((name, _version(name)) for name in names),
        socket.gethostname(),
    )


def checked(submitter: Software) -> None:
    """Compares this process with the one that submitted the job.

    Raises:
        UserError: they differ; in what, and what to do.
    """
    here = software()
    difference = submitter.difference(here)
    if difference:
        raise UserError(
            f"the worker on {here.host} does not have what {submitter.host}, which submits, has ({difference}): "
            "install the same in the workers' Python, or build their image again, and run the same command"
        )


@dataclass(frozen=True)
class OnWorkers:
    """A function that workers run: where it is unpickled, the worker is compared with this machine before anything
    else of the function is looked at, which another version may not even be able to read."""

    function: Callable[[Any], Any]

    def __call__(self, task: Any) -> Any:
        return self.function(task)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (tuple(vars(software()).items()), pickle.dumps(self.function))


def _unpickled(submitter: tuple[tuple[str, Any], ...], function: bytes) -> OnWorkers:
    checked(Software(**dict(submitter)))
    return OnWorkers(pickle.loads(function))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ABSENT


def _code(packages: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for path, name in _files(packages):
        data = path.read_bytes()
        digest.update(f"{name} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()[:12]


def _files(packages: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Files of the packages as they are installed, each with its name in the package."""
    for package in packages:
        spec = find_spec(package)
        for root in spec.submodule_search_locations or () if spec else ():
            for path in sorted(Path(root).rglob("*")):
                if path.suffix in SUFFIXES and path.is_file():
                    yield path, f"{package}/{path.relative_to(root).as_posix()}"
