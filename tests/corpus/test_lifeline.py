import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from corpus.lifeline import kill_with, lifeline
from tests.processes import await_end

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel does it on Linux only")
PROGRAM = """
import ctypes, sys, time
sys.platform = {platform!r}
from corpus.lifeline import end_with
end_with(sys.stdin.fileno())
print("holds on", flush=True)
{wait}(600)
"""


@pytest.mark.parametrize(
    ("platform", "wait"),
    [
        ("another", "time.sleep"),
        pytest.param("linux", "time.sleep", marks=ON_LINUX),
        pytest.param("linux", "ctypes.PyDLL(None).sleep", marks=ON_LINUX),  # keeps the interpreter's lock
    ],
)
def test_a_process_ends_with_its_lifeline(platform: str, wait: str) -> None:
    program = PROGRAM.format(platform=platform, wait=wait)
    with lifeline() as pipe:
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=pipe, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"holds on\n"
        assert process.poll() is None
    try:
        assert process.wait(30) == -signal.SIGKILL
    finally:
        process.kill()
        process.communicate()


@ON_LINUX
def test_a_group_ends_with_its_lifeline() -> None:
    with lifeline() as pipe:
        leader = subprocess.Popen(
            ["sh", "-c", "sleep 600 & echo started; sleep 600"],
            pass_fds=[pipe],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        kill_with(pipe, -leader.pid)
        assert leader.stdout is not None
        assert leader.stdout.readline() == b"started\n"
        started = [process.pid for process in psutil.Process(leader.pid).children(recursive=True)]
        assert started
    leader.communicate(timeout=30)
    await_end(*started)
    assert leader.returncode == -signal.SIGKILL
