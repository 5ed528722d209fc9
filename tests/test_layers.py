"""The house has one direction: corpus <- tokenizer <- pipelines, and tokenizer <- trainer (docs/architecture.md)."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
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
BEAM = ("pipelines/engine/",)
BEAM_INSIDE = (*BEAM, "pipelines/stages/", "pipelines/download.py", "pipelines/export.py")
"""Where Beam may be imported, and where inside a function only."""


KNOWN_CIRCLES = [{f"trainer.convert.{name}" for name in ("huggingface", "meta", "weights")}]
"""To be mended: the reader of any layout stands in the module that each layout imports."""


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Top-level names of everything a module imports, anywhere in it."""
    return {name.partition(".")[0] for name in imported(parsed(path), inside=True, types=True)}


def imported(tree: ast.Module, inside: bool, types: bool = False) -> Iterator[str]:
    """Modules that a module imports, and `module.name` of each name from one: a module too, perhaps.

    Args:
        inside: those inside functions too.
        types: those that only type checkers see too.
    """
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and not types and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            todo += node.orelse
        elif inside or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)


def modules(*packages: str) -> dict[str, Path]:
    """Every module by its name, but those of the command line."""
    paths = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    found = {path: path.relative_to(ROOT).with_suffix("").parts for path in paths}
    return {
        ".".join(parts[:-1] if parts[-1] == "__init__" else parts): path
        for path, parts in found.items()
        if parts[:2] != ("corpus", "cli")
    }


def circles(needs: Mapping[str, set[str]]) -> list[set[str]]:
    """Modules that need each other, in groups: those that each can be reached from each."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            new = needs[todo.pop()] - seen
            seen |= new
            todo += new
        return seen

    from_each = {name: reached(name) for name in needs}
    found = [
        {other for other in from_each[name] if name in from_each[other]} for name in needs if name in from_each[name]
    ]
    return [group for place, group in enumerate(found) if group not in found[:place]]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_module_imports_a_higher_package(package: str) -> None:
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths
    wrong = {
        str(path.relative_to(ROOT)): sorted(imports(path) & FORBIDDEN[package])
        for path in paths
        if not str(path.relative_to(ROOT)).startswith(EXEMPT) and imports(path) & FORBIDDEN[package]
    }
    assert wrong == {}


def test_the_check_sees_a_forbidden_import(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("def f():\n    from torch import nn\n")
    assert imports(module) & FORBIDDEN["corpus"] == {"torch"}


def test_only_three_modules_know_the_runner() -> None:
    """Nothing that belongs to one runner stands outside runner.py, partmap.py and exchange.py."""
    paths = [path for path in (ROOT / "pipelines").rglob("*.py") if path.parent.name != "engine"]
    assert len(paths) > 10
    paths += [ROOT / "pipelines" / "engine" / name for name in ("pool.py", "progress.py")]
    for path in paths:
        assert "has_pool" not in path.read_text(encoding="utf-8"), path


def test_only_the_engine_is_built_on_beam() -> None:
    """Stages and the download call it inside of a function: what only looks at a run does without it."""
    for path in modules(*FORBIDDEN).values():
        place = str(path.relative_to(ROOT))
        at_import, anywhere = (
            any(name.partition(".")[0] == "apache_beam" for name in imported(parsed(path), inside))
            for inside in (False, True)
        )
        assert not at_import or place.startswith(BEAM), place
        assert not anywhere or place.startswith(BEAM_INSIDE), place


@pytest.mark.parametrize(
    "names", ["pipelines.graph, pipelines.gc, pipelines.plan.tables", "pipelines.run", "pipelines.plan.calibrate"]
)
def test_who_looks_at_a_run_needs_neither_beam_nor_torch(names: str) -> None:
    code = f"import sys, {names}; sys.exit(', '.join({{'apache_beam', 'torch'}} & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Nor inside of functions, where it would hide."""
    paths = modules(*FORBIDDEN)
    trees = {name: parsed(path) for name, path in paths.items()}
    needs = {name: {other for other in imported(tree, inside=True) if other in paths} for name, tree in trees.items()}
    assert sum(map(len, needs.values())) > 300
    # A package is not what its own modules import: `from trainer.plan import cost` needs `cost`.
    needs = {name: {other for other in some if not name.startswith(f"{other}.")} for name, some in needs.items()}
    assert [circle for circle in circles(needs) if circle not in KNOWN_CIRCLES] == []


def test_the_check_sees_circles(tmp_path: Path) -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "d"}}) == [{"b", "c"}, {"d"}]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    tree = ast.parse(
        "from typing import TYPE_CHECKING\nimport a.b\n"
        "if TYPE_CHECKING:\n    import t\nelse:\n    import e\n"
        "class C:\n    import c\n    def f(self):\n        from d import g\n"
        "try:\n    import h\nexcept ImportError: pass\n"
    )
    at_import = {"typing", "typing.TYPE_CHECKING", "a.b", "e", "c", "h"}
    assert set(imported(tree, inside=False)) == at_import
    assert set(imported(tree, inside=True)) == at_import | {"d", "d.g"}
    assert set(imported(tree, inside=True, types=True)) == at_import | {"d", "d.g", "t"}


def test_parquet_is_opened_in_one_place() -> None:
    """Elsewhere Arrow's threads would hold what Python gave them (`corpus.parts.open_parquet`)."""
    for package in ("corpus", "tokenizer", "pipelines"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path != ROOT / "corpus" / "parts.py":
                text = path.read_text(encoding="utf-8")
                assert not re.search(r"\b(ParquetFile\(|read_table\(|pyarrow\.dataset)", text), path
