"""The house has one direction: corpus <- tokenizer <- pipelines, and tokenizer <- trainer (docs/architecture.md)."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "corpus": {"tokenizer", "pipelines", "trainer", "apache_beam", "torch"},
    "tokenizer": {"pipelines", "trainer", "apache_beam", "torch"},
    "trainer": {"pipelines", "apache_beam"},
    "pipelines": {"trainer", "torch"},
}
EXEMPT = ("corpus/cli/", "pipelines/demo.py")
"""Commands import what they need when they run; the demo trains where torch is installed."""


def imports(path: Path) -> set[str]:
    """Top-level names of everything a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_module_imports_a_higher_package(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    wrong = {
        str(path.relative_to(ROOT)): sorted(imports(path) & FORBIDDEN[package])
        for path in modules
        if not str(path.relative_to(ROOT)).startswith(EXEMPT) and imports(path) & FORBIDDEN[package]
    }
    assert wrong == {}


def test_the_check_sees_a_forbidden_import(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("def f():\n    from torch import nn\n")
    assert imports(module) & FORBIDDEN["corpus"] == {"torch"}


def test_only_three_modules_know_the_runner() -> None:
    """Nothing that belongs to one runner stands outside runner.py, partmap.py and exchange.py."""
    for path in sorted((ROOT / "pipelines").glob("*.py")):
        if path.name not in {"runner.py", "partmap.py", "exchange.py"}:
            assert "has_pool" not in path.read_text(encoding="utf-8"), path


def test_parquet_is_opened_in_one_place() -> None:
    """Elsewhere Arrow's threads would hold what Python gave them (`corpus.parts.open_parquet`)."""
    for package in ("corpus", "tokenizer", "pipelines"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path != ROOT / "corpus" / "parts.py":
                text = path.read_text(encoding="utf-8")
                assert not re.search(r"\b(ParquetFile\(|read_table\(|pyarrow\.dataset)", text), path
