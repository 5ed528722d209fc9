"""Mutation testing: how many small mistakes put into the code the tests notice.

    python -m benchmarks.mutations                     # every mutation of every module: hours
    python -m benchmarks.mutations --sample 200        # so many of all, drawn with --seed; Ctrl-C ends with what it has
    python -m benchmarks.mutations corpus/dedup/near.py

A mutation turns one operator or condition around, changes a number by one, or leaves a statement out, in a copy of the
project. The tests that mirror the module run first, then those of the folders around it, without slow ones; a mutation
that none of them notices has survived and is printed as a difference. A survivor says that a test is missing, or that
the mutation changes nothing (a bound that is only an estimate, a buffer that is larger than it must be): which of the
two is for a person to say.
"""

import argparse
import ast
import copy
import difflib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

MODULES = (
    "corpus/dedup/*.py",
    "corpus/filters/*.py",
    "corpus/steps/*.py",
    "tokenizer/mixture.py",
    "tokenizer/order.py",
)

AROUND = {
    "corpus/dedup": ("tests/corpus/dedup", "tests/corpus/steps", "tests/pipelines/stages"),
    "corpus/filters": ("tests/corpus/filters", "tests/corpus/test_describe.py", "tests/corpus/steps"),
    "corpus/steps": ("tests/corpus/steps", "tests/corpus/dedup", "tests/pipelines/stages"),
    "tokenizer": ("tests/tokenizer", "tests/pipelines/stages", "tests/pipelines/plan"),
}
"""Tests of a folder's modules beside those of the same name."""

SECONDS = 600
"""For one run of tests; a mutation that makes them longer, as by a loop without end, is noticed."""

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Break: ast.Continue,
    ast.Continue: ast.Break,
}


class Mutation(NamedTuple):
    path: str
    line: int
    what: str
    source: str
    """The whole module with the mistake in it."""


def mutations(path: str) -> Iterator[Mutation]:
    """Every mutation of a module, in the order of its lines."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for number, node in enumerate(ast.walk(tree)):
        for what in _changes(node):
            changed = copy.deepcopy(tree)
            target = next(other for n, other in enumerate(ast.walk(changed)) if n == number)
            _change(target, what)
            yield Mutation(path, getattr(node, "lineno", 0), what, ast.unparse(ast.fix_missing_locations(changed)))


def _changes(node: ast.AST) -> list[str]:
    """Names of what can be changed in `node` itself; texts and types are left alone."""
    match node:
        case ast.Compare(ops=ops):
            return [f"compare {n}" for n, op in enumerate(ops) if type(op) in SWAPPED]
        case ast.BinOp(op=op, left=left, right=right) if type(op) in SWAPPED:
            types = isinstance(op, ast.BitOr) and not (isinstance(left, ast.Call) or isinstance(right, ast.Call))
            return [] if types or _is_text(left) or _is_text(right) else ["operator"]
        case ast.AugAssign() | ast.BoolOp():
            return ["operator"]
        case ast.UnaryOp(op=ast.Not()):
            return ["not"]
        case ast.Constant(value=bool() | int() | float()):
            return ["number"]
        case ast.If() | ast.While() | ast.IfExp():
            return ["condition"]
        case ast.Break() | ast.Continue():
            return ["loop"]
        case ast.Expr(value=ast.Call()):
            return ["left out"]
    return []


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _change(node: ast.AST, what: str) -> None:
    match node:
        case ast.Compare():
            at = int(what.split()[1])
            node.ops[at] = SWAPPED[type(node.ops[at])]()  # type: ignore[assignment,call-overload]
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp():
            node.op = SWAPPED[type(node.op)]()  # type: ignore[assignment]
        case ast.UnaryOp():
            node.op = ast.UAdd()
            node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
        case ast.Constant(value=bool() as value):
            node.value = not value
        case ast.Constant(value=(int() | float()) as value):
            node.value = value + 1
        case ast.If() | ast.While() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.Break() | ast.Continue():
            node.__class__ = SWAPPED[type(node)]  # type: ignore[assignment]
        case ast.Expr():
            node.value = ast.Constant(None)


def noticed(folder: Path, mutation: Mutation) -> bool:
    """Whether tests fail with the mutation in the copy at `folder`."""
    place = Path(mutation.path)
    original = (ROOT / place).read_text(encoding="utf-8")
    (folder / place).write_text(mutation.source, encoding="utf-8")
    mirror = Path("tests") / place.parent / f"test_{place.name}"
    rounds = [(str(mirror),)] if (ROOT / mirror).exists() else []
    try:
        for tests in [*rounds, AROUND[str(place.parent)]]:
            if not passed(folder, tests):
                return True
    finally:
        (folder / place).write_text(original, encoding="utf-8")
    return False


def passed(folder: Path, tests: tuple[str, ...]) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", *tests]
    # Machine code of mistakes stays in the copy; the first folder on the path is the copy's.
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "kernels"), "PYTHONPATH": str(folder)}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="paths from the project's root; all where none is given")
    parser.add_argument("--sample", type=int, help="how many of all mutations are tried")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    paths = options.modules or [
        str(path.relative_to(ROOT)) for pattern in MODULES for path in sorted(ROOT.glob(pattern))
    ]
    every = [mutation for path in paths for mutation in mutations(path)]
    if options.sample is not None and options.sample < len(every):
        tried = random.Random(options.seed).sample(every, options.sample)
    else:
        tried = every
    print(f"{len(tried)} of {len(every)} mutations of {len(paths)} modules", flush=True)
    counts: Counter[tuple[str, bool]] = Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
        for file in filter(None, files.split("\0")):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes((ROOT / file).read_bytes())
        try:
            for tests in {AROUND[str(Path(path).parent)] for path in paths}:
                if not passed(folder, tests):
                    sys.exit(f"{' '.join(tests)}: these fail, or take over {SECONDS} s, without any mutation")
            for mutation in tried:
                counts[str(Path(mutation.path).parent), told(folder, mutation)] += 1
        except KeyboardInterrupt:
            print("\ninterrupted")
    print(f"\n{time.monotonic() - started:.0f} s\n\n| modules | mutations | noticed | share |\n|---|---|---|---|")
    for package in sorted({package for package, _ in counts}):
        killed, all_ = counts[package, True], counts[package, True] + counts[package, False]
        print(f"| `{package}` | {all_} | {killed} | {killed / all_:.0%} |")
    killed = sum(count for (_, seen), count in counts.items() if seen)
    print(f"| all | {counts.total()} | {killed} | {killed / max(1, counts.total()):.0%} |")


def told(folder: Path, mutation: Mutation) -> bool:
    """Whether tests notice a mutation, which is printed if not."""
    if noticed(folder, mutation):
        return True
    print(f"\nsurvived: {mutation.path}:{mutation.line} ({mutation.what})")
    plain = ast.unparse(ast.parse((ROOT / mutation.path).read_text(encoding="utf-8")))
    lines = difflib.unified_diff(plain.splitlines(), mutation.source.splitlines(), n=1, lineterm="")
    print("\n".join(list(lines)[3:]), flush=True)
    return False


if __name__ == "__main__":
    main()
