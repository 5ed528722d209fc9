"""Processes that end with the one that started them, so that nothing is left of a killed command and whoever reads its
output sees the end of it."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

if sys.platform == "linux":
    import fcntl


@contextmanager
def lifeline() -> Iterator[int]:
    """The read end of a pipe, for one child; nothing is written into it, and this process alone holds its write end."""
    read, write = os.pipe()
    try:
        yield read
    finally:
        os.close(read)
        os.close(write)


def end_with(pipe: int) -> None:
    """Ends this process, by SIGKILL, once the write end of `pipe` is closed: its holder closed it, or is gone.

    `pipe` is the read end, stays open, and is of this process's own pipe. On Linux the process ends also inside a C
    function that keeps the interpreter's lock, as fastText's do; elsewhere when that returns.
    """
    kill_with(pipe, os.getpid())
    threading.Thread(target=_end_at_the_end, args=(pipe,), daemon=True).start()


def kill_with(pipe: int, process: int) -> None:
    """Lets the kernel kill a process (a process group, where negative) once the write end of `pipe` is closed, while
    some process has the read end open. Does nothing but on Linux."""
    if sys.platform == "linux":
        fcntl.fcntl(pipe, fcntl.F_SETOWN, process)
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


def _end_at_the_end(pipe: int) -> None:
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGKILL)
