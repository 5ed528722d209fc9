import io

import pytest

from pipelines.engine import progress
from pipelines.engine.progress import Progress
from tests.pipelines.engine.functions import Counted


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    # Only here: other threads of this process wait by the real clock.
    monkeypatch.setattr("pipelines.engine.progress.monotonic", clock)
    return clock


def test_summary_says_parts_speed_documents_and_time_left(clock: Clock) -> None:
    shown = Progress("step", 4, quiet=True)
    clock.now = 30.0
    shown.add(Counted(0, 0, bytes_in=60_000_000, documents_in=2000, documents_out=1234))
    assert shown.summary() == "1/4 parts, 2.0 MB/s, 1,234 of 2,000 documents kept, 0:01:30 left"
    shown.fail()
    assert shown.summary() == "1/4 parts, 1 failed, 2.0 MB/s, 1,234 of 2,000 documents kept, 0:00:30 left"
    for _ in range(2):
        shown.add(object())
    assert shown.summary() == "3/4 parts, 1 failed, 2.0 MB/s, 1,234 of 2,000 documents kept, 0:00:30"


def test_reused_parts_enter_neither_speed_nor_time_left(clock: Clock) -> None:
    class Reused:
        reused = True
        bytes_in = 10**12

    shown = Progress("step", 10, quiet=True)
    for _ in range(8):
        shown.add(Reused())
    clock.now = 5.0
    shown.add(Counted(8, 0, bytes_in=10_000_000))
    assert shown.summary() == "9/10 parts (8 reused), 2.0 MB/s, 7 of 10 documents kept, 0:00:05 left"


def test_without_a_terminal_five_days_write_a_bounded_number_of_lines(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = 5 * 24 * 3600
    with Progress("step", seconds) as shown:
        for second in range(0, seconds, 5):
            clock.now = float(second)
            shown.tick()
        for _ in range(seconds):
            shown.add(object())
    lines = capsys.readouterr().err.splitlines()
    assert 20 < len(lines) < 300
    assert lines[-1].startswith(f"step: {seconds}/{seconds} parts")


def test_quiet_shows_only_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("step", 1, quiet=True) as shown:
        shown.add(object())
        shown.say("a [worker] died")
    assert capsys.readouterr().err == "a [worker] died\n"


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with Progress("step [1]", 2) as shown:
        shown.add(Counted(0, 0))
        shown.add(Counted(1, 0))
    assert "step [1]" in terminal.getvalue()
    assert "2/2 parts" in terminal.getvalue()
    assert "━" in terminal.getvalue()
