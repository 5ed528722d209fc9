"""No module of the trainer imports, in however many steps, one that imports it; nor does a function of it."""

import ast
import graphlib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def imported(path: Path, modules: set[str]) -> set[str]:
    """The modules of the trainer that this one imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & modules


def graph(root: Path) -> dict[str, set[str]]:
    paths = {".".join(path.relative_to(root).with_suffix("").parts): path for path in root.glob("trainer/**/*.py")}
    modules = {name: path for name, path in paths.items() if not name.endswith("__init__")}
    return {name: imported(path, set(modules)) for name, path in modules.items()}


def test_no_circle_of_imports() -> None:
    found = graph(ROOT)
    assert found["trainer.convert.open"] >= {"trainer.convert.huggingface", "trainer.convert.meta"}
    order = list(graphlib.TopologicalSorter(found).static_order())  # raises CycleError
    assert order.index("trainer.attention") < order.index("trainer.model") < order.index("trainer.train")


def test_a_circle_is_seen(tmp_path: Path) -> None:
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "one.py").write_text("from trainer import two")
    (tmp_path / "trainer" / "two.py").write_text("def f():\n    import trainer.one")
    try:
        list(graphlib.TopologicalSorter(graph(tmp_path)).static_order())
    except graphlib.CycleError:
        return
    raise AssertionError("not seen")
