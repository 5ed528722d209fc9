"""Says once that kernels are being compiled, to whoever asked to know.

Apart from `corpus.kernel`, so that a command can ask without importing numba.
"""

from collections.abc import Callable

LINE = "compiling kernels, once on this machine (up to a minute): `corpus warm-up` does it ahead"

_listener: Callable[[], object] | None = None


def ask(listener: Callable[[], object]) -> None:
    """`listener` is called once, in this process, when the first kernel is about to be compiled."""
    global _listener
    _listener = listener


def say() -> None:
    """Called before every kernel that is compiled, by whoever compiles or knows of it."""
    global _listener
    listener, _listener = _listener, None
    if listener is not None:
        listener()
