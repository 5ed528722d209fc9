"""Kernels of a small package of its own: when they are compiled, and when not."""

import ctypes
import importlib
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest

from corpus import compiling
from corpus.kernel import _Kept, digest_of, kernel

PACKAGE = {
    "__init__.py": "",
    "limits.py": """\
from typing import NamedTuple
LEAST = 3
MOST = 1000
TABLE = (1, 2)

class Range(NamedTuple):
    first: int
    last: int
""",
    "tables.py": """\
import numpy as np
WEIGHTS = np.array([1, 2, 3])
""",
    "inner.py": """\
from corpus.kernel import kernel
from numba import types
from numba.extending import intrinsic

def shifted(bits):
    @intrinsic
    def shift(context, x):
        def codegen(context, builder, signature, arguments):
            return builder.shl(arguments[0], arguments[0].type(bits))
        return types.int64(types.int64), codegen
    return shift

shift = shifted(4)

@kernel
def innermost(x):
    return x + 100
""",
    "helpers.py": """\
import numba
from corpus.kernel import kernel
from small.inner import innermost, shift

@kernel
def helper(x, times=1):
    return innermost(x) * times

@numba.njit(inline="always")
def inlined(x):
    return x - 1
""",
    "caller.py": """\
import numpy as np
from corpus.kernel import kernel
from corpus.text.hashing import hash_bytes
from small import limits, tables
from small.helpers import helper, inlined, shift
from small.limits import LEAST

WEIGHTS = tables.WEIGHTS

@kernel
def call(x):
    return first(x) + second(x)

@kernel
def first(x):  # defined after its caller, as a module is read from top to bottom
    return min(helper(inlined(x)) + max(x, LEAST), limits.MOST)

@kernel
def second(x):
    return limits.TABLE[x] + WEIGHTS[x] + shift(x)

@kernel
def length(range):
    return range.last - range.first

@kernel
def apart(data):
    return hash_bytes(data, 0, len(data), 0)
""",
}
"""A package as it may stand outside this project, with its helpers in other files."""

Load = Callable[[], ModuleType]

RUN = """
from corpus import compiling
compiling.ask(lambda: print("compiled", end=" "))
from small.caller import call
print(call(1))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "path" / "small"
    folder.mkdir(parents=True)
    for name, text in PACKAGE.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where kernels of this process are kept."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder))
    return folder


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def start(package: Path, cache: Path) -> "subprocess.Popen[str]":
    path = os.pathsep.join([str(package.parent), str(Path(__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([sys.executable, "-c", RUN], env=environment, stdout=subprocess.PIPE, text=True)


def printed(process: "subprocess.Popen[str]") -> str:
    out, _ = process.communicate()
    assert process.returncode == 0
    return out.strip()


def test_an_edited_helper_or_constant_changes_its_callers_in_the_next_process(package: Path, tmp_path: Path) -> None:
    def run() -> str:
        return printed(start(package, tmp_path / "cache"))

    assert run() == "compiled 123"  # 100 + 3 + 2 + 2 + 16
    assert run() == "123"
    edit(package / "inner.py", "x + 100", "x + 200")
    assert run() == "compiled 223"
    assert run() == "223"
    edit(package / "limits.py", "LEAST = 3", "LEAST = 5")
    assert run() == "compiled 225"
    assert run() == "225"


@pytest.fixture
def load(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Imports the package's `caller` anew, from the files as they are."""
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "small"]:
            del sys.modules[name]

    def imported() -> ModuleType:
        forget()
        importlib.invalidate_caches()
        return importlib.import_module("small.caller")

    yield imported
    forget()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("caller.py", "max(x, LEAST)", "min(x, LEAST)"),  # the kernel's own file, in a kernel that it calls
        ("helpers.py", "x - 1", "x - 2"),
        ("helpers.py", 'inline="always"', 'inline="always", fastmath=True'),
        ("helpers.py", "times=1", "times=2"),
        ("inner.py", "x + 100", "x + 101"),
        ("inner.py", "builder.shl", "builder.lshr"),
        ("inner.py", "shifted(4)", "shifted(5)"),
        ("limits.py", "LEAST = 3", "LEAST = 3.0"),
        ("limits.py", "(1, 2)", "(1, 3)"),
        ("limits.py", "1000", "1001"),
        ("tables.py", "[1, 2, 3]", "[1, 2, 4]"),
        ("tables.py", "[1, 2, 3]", "[1, 2, 3], np.int32"),
    ],
)
def test_what_a_kernel_is_made_of(package: Path, load: Load, file: str, old: str, new: str) -> None:
    before, apart = digest_of(load().call), digest_of(load().apart)
    assert digest_of(load().call) == before
    edit(package / file, old, new)
    assert digest_of(load().call) != before
    assert digest_of(load().apart) == apart


def test_fields_of_a_named_tuple_that_change_places(package: Path, load: Load, cache: Path) -> None:
    def length() -> int:
        caller = load()
        return caller.length(caller.limits.Range(first=2, last=5))  # type: ignore[no-any-return]

    assert length() == 3
    edit(package / "limits.py", "    first: int\n    last: int\n", "    last: int\n    first: int\n")
    assert length() == 3


def test_a_module_with_the_name_of_one_of_pythons() -> None:
    made = []
    for number in (1, 2):
        module: dict[str, Any] = {"__name__": "code", "kernel": kernel}
        exec(f"@kernel\ndef plus(x):\n    return x + {number}", module)
        made.append(digest_of(module["plus"]))
    assert made[0] != made[1]


def test_comments_and_other_functions_are_not_part_of_it(package: Path, load: Load) -> None:
    before = digest_of(load().call)
    edit(package / "inner.py", "@kernel", "# a comment\n\n\n@kernel")
    (package / "limits.py").write_text((package / "limits.py").read_text() + "UNUSED = 7\n")
    assert digest_of(load().call) == before


def test_processes_that_need_a_kernel_at_once_wait_for_one_of_them(package: Path, tmp_path: Path) -> None:
    outputs = [printed(process) for process in [start(package, tmp_path / "cache") for _ in range(3)]]
    assert sorted(outputs) == ["123", "123", "compiled 123"]
    assert [*(tmp_path / "cache").glob("*.lock")] == []


@pytest.fixture
def compiles(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], bool]]:
    """Whether a kernel was compiled since it was last asked."""
    said: list[bool] = []

    def asked() -> bool:
        heard = bool(said)
        said.clear()
        compiling.ask(lambda: said.append(True))
        return heard

    asked()
    yield asked
    compiling.ask(lambda: None)


def test_a_thread_keeps_its_lock_when_another_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    held = _Kept(numba.njit(lambda: 1))
    held._wait_for_others("a.kernel")
    lock = tmp_path / "a.kernel.lock"
    other = threading.Thread(target=held.unlock)
    other.start()
    other.join()
    assert lock.exists()
    held.unlock()
    assert not lock.exists()


def test_a_damaged_file_is_made_again(load: Load, cache: Path, compiles: Callable[[], bool]) -> None:
    assert load().call(1) == 123
    (file,) = cache.glob("small.caller.call-*.kernel")
    whole = file.read_bytes()
    for damaged in (b"", whole[:20], whole[1:]):
        file.write_bytes(damaged)
        assert compiles()
        assert load().call(1) == 123
    assert compiles()
    assert load().call(1) == 123
    assert not compiles()


def test_a_folder_that_cannot_be_written(
    load: Load, compiles: Callable[[], bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file" / "folder"))
    for _ in range(2):
        with pytest.warns(UserWarning, match="set NUMBA_CACHE_DIR to a folder that can be written"):
            assert load().call(1) == 123
        assert compiles()


def test_without_a_setting_kernels_stand_beside_the_source(
    load: Load, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert load().call(1) == 123
    assert len([*(package / "__pycache__").glob("small.caller.call-*.kernel")]) == 1
    assert not (tmp_path / "user").exists()


@pytest.mark.parametrize("zipped", [False, True])
def test_where_nothing_can_stand_beside_the_source_kernels_are_the_users(
    load: Load,
    package: Path,
    tmp_path: Path,
    compiles: Callable[[], bool],
    monkeypatch: pytest.MonkeyPatch,
    zipped: bool,
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    if zipped:
        with zipfile.ZipFile(tmp_path / "small.zip", "w") as archive:
            for name, text in PACKAGE.items():
                archive.writestr(f"small/{name}", text)
        monkeypatch.syspath_prepend(str(tmp_path / "small.zip"))
    else:
        (package / "__pycache__").touch()  # a file: a folder without rights would not stop root
    assert load().call(1) == 123
    assert compiles()
    assert len([*(tmp_path / "user" / "corpus" / "kernels").glob("small.caller.call-*.kernel")]) == 1
    assert load().call(1) == 123
    assert not compiles()


def test_bounds_are_checked_by_other_machine_code(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def behind(data: np.ndarray, i: int) -> int:
        return data[i]

    data = np.zeros(3, np.uint8)
    kernel(behind)(data, 2)
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    checked = kernel(behind)
    assert checked(data, 2) == 0
    with pytest.raises(IndexError):
        checked(data, 3)
    assert len([*cache.iterdir()]) == 2


def test_addresses_of_this_process_are_not_kept(cache: Path) -> None:
    absolute = ctypes.CDLL(None).abs
    absolute.argtypes, absolute.restype = [ctypes.c_int], ctypes.c_int

    @kernel
    def distance(x: int, y: int) -> int:
        return absolute(x - y)

    assert distance(3, 5) == 2
    assert [*cache.iterdir()] == []


def test_literals_have_no_machine_code_of_their_own(cache: Path) -> None:
    @kernel
    def plus(x: int, y: int) -> int:
        return x + y

    @kernel
    def sums(x: int) -> int:
        return plus(x, x) + plus(x, 1) + plus(2, 3)

    assert sums(4) == 8 + 5 + 5
    assert len(plus.signatures) == 1  # type: ignore[attr-defined]


def test_a_kernel_that_does_not_compile_holds_up_nobody(cache: Path) -> None:
    @kernel
    def wrong(x: int) -> int:
        return x.nothing  # type: ignore[attr-defined,no-any-return]

    for _ in range(2):
        with pytest.raises(numba.TypingError):
            wrong(1)
    assert [*cache.iterdir()] == []


def test_without_compilation_a_kernel_is_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    assert kernel(edit) is edit
