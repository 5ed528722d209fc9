import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from corpus import compiling
from pipelines.engine.pool import PartsFailed, run_parts
from tests.pipelines.engine.functions import (
    Job,
    disk_full,
    double,
    failing,
    killed_always,
    killed_once,
    lambda_result,
    process_id,
    skewed,
    tripled,
    working_folder,
)


def jobs(count: int, folder: Path | str = "") -> list[Job]:
    return [Job(part, str(folder)) for part in range(count)]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    assert run_parts(double, jobs(20), workers, "double", quiet=True) == [2 * n for n in range(20)]


def test_no_tasks_start_no_pool() -> None:
    assert run_parts(double, [], 2, "double") == []


def test_work_happens_in_other_processes() -> None:
    assert os.getpid() not in run_parts(process_id, jobs(3), 1, "pid", quiet=True)


def test_workers_follow_into_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_parts(working_folder, jobs(1), 1, "folder", quiet=True)
    monkeypatch.chdir(tmp_path)
    assert run_parts(working_folder, jobs(1), 1, "folder", quiet=True) == [str(tmp_path)]


def test_a_long_part_does_not_hold_up_the_others(tmp_path: Path) -> None:
    results = run_parts(skewed, jobs(8, tmp_path), 2, "skewed", quiet=True)
    long_worker = results[0][1]
    assert [part for part, worker in results if worker == long_worker] == [0]


def test_a_killed_worker_is_named_at_once_and_its_part_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_parts(killed_once, jobs(8, tmp_path), 2, "step", quiet=True) == list(range(8))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "step: a worker process was ended by SIGKILL (out of memory?) while it held part-00003; "
        "trying it once more, alone"
    ]


def test_a_part_that_kills_twice_is_listed_and_the_others_finish(tmp_path: Path) -> None:
    with pytest.raises(PartsFailed) as caught:
        run_parts(killed_always, jobs(12, tmp_path), 2, "step", quiet=True)
    message = str(caught.value)
    assert message.startswith("step: 2 of 12 parts failed")
    assert "part-00003: a worker process was ended by SIGKILL (out of memory?), twice" in message
    assert "part-00005: a worker process ended with exit code 7, twice" in message
    attempts = sorted(int(mark.name.split("-")[0]) for mark in tmp_path.iterdir())
    assert attempts == sorted([*range(12), 3, 5])


def test_exceptions_are_listed_and_the_others_finish(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PartsFailed) as caught:
        run_parts(failing, jobs(6, tmp_path), 2, "step", quiet=True)
    assert str(caught.value).endswith(
        "part-00001: config.yaml has no key `x`: add it; part-00002: Unpicklable: two lines"
    )
    assert len(str(caught.value).splitlines()) == 1
    assert len(list(tmp_path.iterdir())) == 6
    shown = capsys.readouterr().err
    assert "functions.py" in shown  # the traceback of the bug,
    assert shown.count("Traceback") == 1  # and none for the user's mistake


def test_a_full_disk_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PartsFailed, match=r"part-00000: OSError: \[Errno 28\] No space left on device"):
        run_parts(disk_full, jobs(1), 1, "step", quiet=True)
    assert "Traceback" not in capsys.readouterr().err


def test_a_result_that_cannot_be_pickled_fails_its_part_only() -> None:
    with pytest.raises(PartsFailed, match=r"2 of 2 parts failed.*part-00000: .*pickle"):
        run_parts(lambda_result, jobs(2), 1, "step", quiet=True)


def test_the_driver_says_once_that_workers_compile(tmp_path: Path) -> None:
    said: list[bool] = []
    compiling.ask(lambda: said.append(True))
    assert run_parts(tripled, jobs(6, tmp_path), 2, "tripled", quiet=True) == [3 * n for n in range(6)]
    assert said == [True]
    assert len(list(tmp_path.glob("*.kernel"))) == 1


DRIVER = """
import sys
from pipelines.engine.pool import run_parts
from tests.pipelines.engine import functions
if __name__ == "__main__":
    folder, name = sys.argv[1:]
    run_parts(getattr(functions, name), [functions.Job(n, folder) for n in range(4)], 2, name)
"""


@pytest.mark.parametrize("work", ["long", "stuck"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_outlives_the_driver_or_holds_its_pipe(tmp_path: Path, how: signal.Signals, work: str) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    driver = subprocess.Popen(
        [sys.executable, str(script), str(marks), work],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # A test run in the background of a shell, or under nohup, ignores signals, and so would the driver.
        preexec_fn=_heed_signals,
    )
    try:
        _wait(lambda: list(marks.iterdir()), lambda found: len(found) == 2)
        driver.send_signal(how)
        driver.communicate(timeout=30)  # until the last process that could write to the pipe is gone
        assert _wait(lambda: _session(driver.pid), lambda found: not found) == []
    finally:
        for process in [driver, *_session(driver.pid)]:
            process.kill()
        driver.wait()


def _heed_signals() -> None:
    for how in (signal.SIGHUP, signal.SIGINT):
        signal.signal(how, signal.SIG_DFL)


def _session(leader: int) -> list[psutil.Process]:
    """The living processes of a session: the driver, its workers, and the servers of `multiprocessing`."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _wait(look, enough, seconds: float = 30):  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not enough(found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
