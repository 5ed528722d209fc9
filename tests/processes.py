"""Other processes, as tests look at them."""

import time

import psutil


def await_end(*processes: int, seconds: float = 30) -> None:
    """Fails where one of the processes is still alive after `seconds`, and kills it."""
    deadline = time.monotonic() + seconds
    while (alive := [process for process in processes if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in alive:
        psutil.Process(process).kill()
    assert alive == []


def _lives(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
