"""The file that takes what an engine and Beam say: Java's output, Beam's log, whole reports of failures.

A person gets lines of ours; whoever wants the rest finds it there. The file stays where something failed.
"""

import atexit
import contextlib
import logging
import os
import sys
import tempfile
import threading
import time
from functools import cache

from platformdirs import user_log_path

BEAM_THREADS = "wait_until_finish"
"""How the names of threads begin that Beam reads a job's messages in; they end in an error when the job server does."""


class EngineLog:
    """Attributes:
    path: of the file, in the user's folder of logs, or the temporary folder where that cannot be written.
    """

    def __init__(self, name: str) -> None:
        self.path = _new_file(f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log")
        self._kept = False

    def write(self, text: str) -> None:
        """Adds a report, and keeps the file."""
        self._kept = True
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{text.rstrip()}\n")

    def end(self) -> None:
        if not self._kept:
            with contextlib.suppress(OSError):
                os.unlink(self.path)


@cache
def engine_log(name: str) -> EngineLog:
    """The log of this process for a runner. From now on, what Beam logs goes there and not to standard error."""
    log = EngineLog(name)
    atexit.register(log.end)
    root = logging.getLogger()
    for handler in root.handlers:
        if type(handler) is logging.StreamHandler and handler.stream is sys.stderr:
            handler.addFilter(_is_not_beams)
    to_file = logging.FileHandler(log.path, encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(to_file)
    before = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is not None and arguments.thread.name.startswith(BEAM_THREADS):
            logging.getLogger("apache_beam").info("thread %s ended", arguments.thread.name, exc_info=True)
        else:
            before(arguments)

    threading.excepthook = hook
    return log


def _is_not_beams(record: logging.LogRecord) -> bool:
    return f"{os.sep}apache_beam{os.sep}" not in record.pathname and not record.name.startswith("grpc")


def _new_file(name: str) -> str:
    for folder in (str(user_log_path("corpus")), tempfile.gettempdir()):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)
            with open(path, "ab"):
                return path
    raise OSError(f"neither {user_log_path('corpus')} nor {tempfile.gettempdir()} can be written")
