"""English text out of a Python installation: the docstrings of its modules."""

import ast
import re
import sysconfig
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import xxhash

PACKAGES = ("apache_beam", "numba", "numpy", "pip", "pyarrow", "pydantic", "rich", "setuptools")
"""Read beside the standard library: well documented, under Apache, BSD or MIT licences, and all but pip and setuptools
dependencies of this project, so that two installations of it give about the same text."""

_SKIPPED = ("__pycache__", "_vendor", "encodings", "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tests")
_SKIPPED_MODULE = re.compile(r"test_.*|.*_test|.*_pb2.*")
_LEAST_FILE_BYTES = 1000
_PROSE = re.compile(r"[A-Z\"'(`*]?\w")
_WORD = re.compile(r"[A-Za-z]{2,}")


class Block(NamedTuple):
    """A paragraph: prose on one line, or anything else (code, lists, tables) with its lines as they are."""

    text: str
    is_prose: bool


@dataclass(frozen=True)
class Entry:
    """The docstring of a module, class or function, under its name with dots."""

    name: str
    text: str

    def blocks(self) -> list[Block]:
        return [_block(paragraph) for paragraph in re.split(r"\n[ \t]*\n", self.text.strip("\n")) if paragraph.strip()]


@dataclass(frozen=True)
class Module:
    """A module with docstrings, in the order of its file."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Characters of docstrings."""
        return sum(len(entry.text) for entry in self.entries)


def modules() -> Iterator[Module]:
    """Modules of the standard library and of `PACKAGES` that have docstrings, in the order of the hashes of their
    names: the same installation gives the same modules in the same order."""
    files = dict(_files(Path(sysconfig.get_path("stdlib")), ""))
    for package in PACKAGES:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            files.update(_files(Path(folder), f"{package}."))
    for name in sorted(files, key=lambda name: (xxhash.xxh3_64_intdigest(name.encode()), name)):
        entries = tuple(_entries(files[name], name))
        if entries:
            yield Module(name, entries)


def deal(modules: Iterator[Module], quotas: Mapping[str, int]) -> dict[str, list[Module]]:
    """Each module to one taker, so that all fill up at the same pace, until each has its quota of characters."""
    dealt: dict[str, list[Module]] = {taker: [] for taker in quotas}
    given = dict.fromkeys(quotas, 0)
    for module in modules:
        taker = min(quotas, key=lambda taker: given[taker] / quotas[taker])
        if given[taker] >= quotas[taker]:
            break
        dealt[taker].append(module)
        given[taker] += module.size
    return dealt


def _files(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*.py"):
        inside = path.relative_to(folder)
        if _SKIPPED_MODULE.fullmatch(inside.stem) or any(part in _SKIPPED for part in inside.parts):
            continue
        if path.stat().st_size >= _LEAST_FILE_BYTES:
            name = ".".join(inside.with_suffix("").parts)
            yield prefix + name.removesuffix(".__init__"), path


def _entries(path: Path, module: str) -> Iterator[Entry]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in other people's strings
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # templates and the like
            return
    yield from _documented(tree, module)


def _documented(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> Iterator[Entry]:
    text = ast.get_docstring(node)
    if text and text.strip():
        yield Entry(name, text.encode("utf-8", "replace").decode())
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _documented(child, f"{name}.{child.name}")


def _block(paragraph: str) -> Block:
    lines = paragraph.strip("\n").split("\n")
    flush = not any(line[:1].isspace() for line in lines)
    if flush and _PROSE.match(lines[0]) and len(_WORD.findall(paragraph)) >= 4 and ">>>" not in paragraph:
        return Block(" ".join(line.strip() for line in lines), True)
    return Block("\n".join(line.rstrip() for line in lines), False)
