"""The decorator of every numba kernel, and where the machine code of kernels is kept between processes.

numba's own cache takes the machine code of a kernel for good as long as the kernel's file is unchanged, though the
helpers that it calls and the globals that it reads, from whatever file, are compiled into it. Here it is kept with a
digest of all of these, and made again when one of them has changed.
"""

import gc
import hashlib
import inspect
import pickle
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps
from numba.core.sigutils import normalize_signature

from corpus import compiling

F = TypeVar("F")

_CONFIG: Any = numba.config  # its attributes are made of the environment

LONGEST_WAIT = 120.0
"""Seconds that a process waits for another that compiles the kernel it needs; then it compiles the kernel itself."""

_LIBRARIES = {"llvmlite", "numba", "numpy"}
"""With the standard library, what is not looked into: it changes with its version alone."""


def kernel(function: F) -> F:
    """`numba.njit` for our kernels and their helpers, and for those of other packages. Releases the GIL.

    A kernel is compiled when it is first called with arguments of new types, once on a machine: its machine code is
    kept in one of `folders`, and processes that need it at the same time wait for one of them to make it. It is good
    while all that went into it is the same: the code of the function and of those it calls, the values of the globals
    that these read, and the fields of named tuples. What numba finds by other ways than names in the code is not seen:
    an `overload`, a `jitclass`.

    A literal argument of a call between kernels counts as any value of its type, so that it has no code of its own.
    """
    compiled: Any = numba.njit(nogil=True)(cast(Any, function))
    if _CONFIG.DISABLE_JIT:
        return function
    kept = _Kept(compiled)
    compile_anew = compiled.compile

    def compile_once(signature: Any) -> Any:
        if isinstance(signature, tuple):
            signature = tuple(map(numba.types.unliteral, signature))
        collects = gc.isenabled()
        gc.disable()  # a sixth of the time goes otherwise into looking through numba's objects, which stay
        try:
            return compile_anew(signature)
        finally:
            if collects:
                gc.enable()
            kept.unlock()

    compiled.compile = compile_once
    compiled._cache = kept
    return cast(F, compiled)


def folders(function: Any) -> list[Path]:
    """Where the machine code of a function is looked for; it is kept in the first that can be written.

    $NUMBA_CACHE_DIR alone if it is set; else `__pycache__` beside the source, then a folder of the user's. So what was
    compiled when an image was built is found where nothing can be written.
    """
    if _CONFIG.CACHE_DIR:
        return [Path(_CONFIG.CACHE_DIR)]
    import platformdirs

    source = Path(inspect.getfile(function))
    beside = [source.parent / "__pycache__"] if source.exists() else []  # a notebook has no file, nor has a zip file
    return [*beside, platformdirs.user_cache_path("corpus") / "kernels"]


class _Kept(NullCache):
    """The machine code of one kernel on disk, in the place of `numba.core.caching.FunctionCache`: a dispatcher asks
    before it compiles, and tells afterwards.

    One file for each signature and kind of processor: the digest of what it was made from, then numba's pickle. It
    appears whole, so it is right whichever of several processes wrote it last.
    """

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher = dispatcher
        # Each thread's own: one that comes out of `compile` must not let go of what another one still compiles.
        self._held = threading.local()

    def load_overload(self, signature: Any, target: Any) -> Any:
        target.refresh()
        name, digest = self._name(signature, target.codegen()), digest_of(self._dispatcher, signature)
        found = self._read(name, digest)
        if found is None:
            self._wait_for_others(name)
            found = self._read(name, digest)
        if found is None:
            compiling.say()
            return None
        rebuild: Any = CompileResult._rebuild
        return rebuild(target, *pickle.loads(found))

    def save_overload(self, signature: Any, result: Any) -> None:
        from corpus.storage import commit  # here, because few processes compile anything

        if result.library.has_dynamic_globals:  # addresses of this process, as of a C function
            return
        name, pickled = self._name(signature, result.codegen), cast(Any, dumps)(result._reduce())
        body = digest_of(self._dispatcher, signature) + pickled
        for folder in folders(self._dispatcher.py_func):
            try:
                commit(str(folder / name), lambda sink: sink.write(body))
            except OSError:
                continue
            return
        warnings.warn(
            "compiled kernels are not kept: set NUMBA_CACHE_DIR to a folder that can be written", stacklevel=2
        )

    def unlock(self) -> None:
        """Lets other processes that wait for this kernel go on, whether it was compiled or failed."""
        lock = getattr(self._held, "lock", None)
        if lock is not None:
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()
            self._held.lock = None

    def _name(self, signature: Any, codegen: Any) -> str:
        kind = (str(signature), codegen.magic_tuple(), _CONFIG.BOUNDSCHECK)
        tag = f"{hashlib.sha256(repr(kind).encode()).hexdigest()[:16]}.{sys.implementation.cache_tag}"
        return f"{self._dispatcher.__module__}.{self._dispatcher.__qualname__}-{tag}.kernel"

    def _read(self, name: str, digest: bytes) -> bytes | None:
        for folder in folders(self._dispatcher.py_func):
            try:
                body = (folder / name).read_bytes()
            except OSError:
                continue
            if body.startswith(digest):
                return body[len(digest) :]
        return None

    def _wait_for_others(self, name: str) -> None:
        if getattr(self._held, "lock", None) is not None:  # a kernel that calls itself
            return
        import filelock

        for folder in folders(self._dispatcher.py_func):
            lock = filelock.FileLock(folder / f"{name}.lock", thread_local=False)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=LONGEST_WAIT)
            except filelock.Timeout:
                return
            except (OSError, NotImplementedError):  # cannot be written, or knows no locks
                continue
            self._held.lock = lock
            return


def digest_of(function: Any, signature: Any = ()) -> bytes:
    """SHA-256 of all that numba compiles into a function for arguments of these types."""
    arguments, _ = cast(Any, normalize_signature)(signature)
    made_of = _tree((function, [*_classes(arguments)]), set(), [])
    return hashlib.sha256(repr((numba.__version__, np.__version__, made_of)).encode()).digest()


def _classes(argument_types: Any) -> Iterator[Any]:
    """The classes of named tuples and of enumerations among numba's types."""
    for each in argument_types:
        if hasattr(each, "instance_class"):
            yield each.instance_class
        yield from _classes(getattr(each, "types", ()))


def _tree(value: Any, names: set[str], seen: list[tuple[Any, Any]]) -> Any:
    """What a value that a function can reach contributes to its machine code; equal in every process by its `repr`.

    Args:
        names: the names in the function, among them the attributes that it takes of a module.
        seen: functions that were looked into before, and modules, with the names that were looked for.
    """
    options = getattr(value, "targetoptions", None)  # of a jitted function
    value = inspect.unwrap(value)  # the function in a jitted function or an intrinsic
    sought = names if isinstance(value, ModuleType) else None
    if any(value is other and sought is before for other, before in seen):
        return value.__name__
    match value:
        case FunctionType() | type() if options is None and _of_library(str(value.__module__)):
            return value.__module__, value.__qualname__
        case ModuleType() if _of_library(value.__name__):
            return value.__name__
        case ModuleType():
            seen.append((value, names))
            return [(name, _tree(held, names, seen)) for name, held in sorted(vars(value).items()) if name in names]
        case FunctionType():
            seen.append((value, None))
            names = set(_names(value.__code__))
            reached = [(name, value.__globals__[name]) for name in sorted(names & value.__globals__.keys())]
            closure = [cell.cell_contents for cell in value.__closure__ or ()]
            code = (value.__module__, value.__qualname__, repr(options), _code(value.__code__))
            return code, _tree((value.__defaults__, value.__kwdefaults__, closure, reached), names, seen)
        case type():
            fields, members = getattr(value, "_fields", ()), getattr(value, "__members__", {})
            return value.__module__, value.__qualname__, fields, [*members.items()]
        case tuple() | list():
            return [_tree(each, names, seen) for each in value]
        case dict():
            return [(key, _tree(each, names, seen)) for key, each in value.items()]
        case np.ndarray():
            return str(value.dtype), value.shape, hashlib.sha256(value.tobytes()).hexdigest()
        case _:
            of: Any = type(value)
            return of.__qualname__, "" if of.__repr__ is object.__repr__ else repr(value)


def _of_library(module: str) -> bool:
    package = module.partition(".")[0]
    return package in _LIBRARIES or package in sys.stdlib_module_names


def _names(code: CodeType) -> Iterator[str]:
    """Every name that a function or one inside it uses for a global or an attribute."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _code(code: CodeType) -> Any:
    constants = [
        _code(each) if isinstance(each, CodeType) else sorted(map(repr, each)) if isinstance(each, frozenset) else each
        for each in code.co_consts
    ]
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_flags, constants
