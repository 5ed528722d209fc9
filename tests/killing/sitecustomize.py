"""Loaded by every Python process of a run that `tests/test_kills.py` starts: kills its whole process group just before
the first file whose path matches CORPUS_TEST_KILL_WINDOW gets its name."""

import os
import re
import signal
from typing import Any

_window = os.environ.get("CORPUS_TEST_KILL_WINDOW")
if _window:
    _pattern = re.compile(_window)
    _replace = os.replace

    def _killing_replace(source: Any, target: Any, **more: Any) -> None:
        if _pattern.search(os.fspath(target)):
            os.killpg(os.getpgid(0), signal.SIGKILL)
        _replace(source, target, **more)

    os.replace = _killing_replace
