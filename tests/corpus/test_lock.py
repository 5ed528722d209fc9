"""Processes of this machine are real ones; one on another machine is a claim of another boot id, or this process with
another one. Minutes pass on a clock that the tests move."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fsspec
import pytest

from corpus import lock as module
from corpus.errors import UserError
from corpus.lock import PATIENCE, Refused, lock
from corpus.storage import commit, exists, join, names, remove

ROOT = Path(__file__).parents[2]
RACERS = 8

HOLDER = """
import sys
from corpus import lock
lock.BEAT = 0.02
with lock.lock(sys.argv[1], "corpus run"):
    print("held", flush=True)
    sys.stdin.read()
"""

RACE = """
import multiprocessing, os, sys
from corpus.lock import Refused, lock

def race(folder, rounds, all_ready, all_tried, wins):
    for _ in range(rounds):
        all_ready.wait(60)
        try:
            with lock(folder, "race"):
                wins.value += 1  # shared, without a lock of its own
                all_tried.wait(60)
        except Refused:
            all_tried.wait(60)

fork = multiprocessing.get_context("fork")
folder, racers, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
wins = fork.Value("i", 0, lock=False)
barriers = fork.Barrier(racers), fork.Barrier(racers)
members = [fork.Process(target=race, args=(folder, rounds, *barriers, wins)) for _ in range(racers)]
for member in members:
    member.start()
for member in members:
    member.join()
print([member.exitcode for member in members], wins.value)
"""


@pytest.fixture(params=["local", "store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder that is not there yet, on disk and in an object store."""
    if request.param == "local":
        yield str(tmp_path / "run")
        return
    yield f"memory://{tmp_path.name}/run"
    remove(f"memory://{tmp_path.name}")


class Clock:
    """Stands in for the module `time`: a sleep moves it on, and then lets something happen."""

    def __init__(self) -> None:
        self.now = 0.0
        self.then: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        assert self.now < 100_000, "it waits without end"
        self.then()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class OtherProcess:
    """A claim written by hand."""

    def __init__(self, folder: str, *, here: bool = False, beat: int | None = None, token: str | None = None) -> None:
        """`here`: of a process of this machine that lives."""
        token = token or uuid.uuid4().hex
        self.claim, self.beat_file = join(folder, ".lock", f"{token}.json"), join(folder, ".lock", f"{token}.beat")
        self._guard = tempfile.NamedTemporaryFile() if here else None  # noqa: SIM115  for longer than this block
        if self._guard:
            fcntl.flock(self._guard, fcntl.LOCK_EX)
        body = {
            "format": 1, "what": "corpus run", "host": "elsewhere", "process": os.getpid(), "command": "corpus run x",
            "since": "2999-01-01 00:00:00+00:00", "boot": module.boot_id() if here else "another",
            "guard": self._guard.name if self._guard else None,
        }  # fmt: skip
        if beat is not None:
            self.beat(beat)
        write(self.claim, json.dumps(body))

    def beat(self, number: int) -> None:
        write(self.beat_file, str(number))

    def end(self) -> None:
        remove(self.beat_file)
        remove(self.claim)
        if self._guard:
            self._guard.close()


def write(path: str, text: str) -> None:
    commit(path, lambda sink: sink.write(text.encode()))


def start(folder: str) -> subprocess.Popen[str]:
    """A process that has the folder until its standard input is closed."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    holder = start(str(tmp_path / "run"))
    yield holder
    holder.kill()
    holder.communicate()


def silent(line: str) -> None:
    raise AssertionError(f"this should not be said: {line}")


def test_a_second_process_is_told_who_has_the_folder(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    with pytest.raises(Refused) as error, lock(folder, "corpus run", silent):
        pass
    line = str(error.value)
    assert line.startswith(
        f"{folder} is in use: corpus run on {socket.gethostname()}, process {holder.pid} (-c {folder}), "
    )
    assert ", since 2" in line
    assert line.endswith(": wait until it ends, or end it")
    assert "\n" not in line
    holder.communicate()  # closes its standard input
    assert holder.returncode == 0
    assert not (tmp_path / "run").exists()  # it has made it, and put nothing there
    with lock(folder, "corpus run", silent):
        pass


def test_a_killed_process_is_in_nobodys_way(holder: subprocess.Popen[str], tmp_path: Path, clock: Clock) -> None:
    """Even when its process id is another's by now: this process's."""
    holder.kill()
    holder.wait()
    (claim,) = (tmp_path / "run" / ".lock").glob("*.json")
    claim.write_text(json.dumps(json.loads(claim.read_text()) | {"process": os.getpid()}))
    with lock(str(tmp_path / "run"), "corpus run", silent):
        assert not claim.exists()
        assert clock.now == 0
    assert list((tmp_path / "run").iterdir()) == []


def test_a_process_of_this_machine_that_stands_still_keeps_the_folder(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    holder.send_signal(signal.SIGSTOP)
    with pytest.raises(Refused, match="is in use"), lock(str(tmp_path / "run"), "corpus run", silent):
        pass


@pytest.mark.parametrize("end", [None, ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_however_it_ends(
    folder: str, end: type[BaseException] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    write(join(folder, "recipe.yaml"), "")
    with ExitStack() as expected:
        if end:
            expected.enter_context(pytest.raises(end))
        with lock(folder, "corpus run", silent):
            assert ".lock" in names(folder)
            with pytest.raises(Refused, match=f"process {os.getpid()} "), lock(folder, "corpus run", silent):
                pass
            if end:
                raise end
    assert names(folder) == ["recipe.yaml"]
    assert os.listdir(temporary) == []


def test_it_is_the_folder_that_counts_and_not_how_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with lock("run", "corpus run", silent):
        for other in (f"{tmp_path}/run", f"file://{tmp_path}/run", "./run/"):
            with pytest.raises(Refused, match="is in use"), lock(other, "corpus run", silent):
                pass
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
    assert os.listdir(tmp_path) == ["elsewhere"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (str(tmp_path / "file" / "run"), "/proc/self/run"):
        with pytest.raises(UserError, match=f"^{folder} cannot be locked: .*: check the path"), lock(folder, "run"):
            pass
    assert os.listdir(tmp_path) == ["file"]


# Other machines.


def test_the_beat_moves(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.001)
    with lock(folder, "corpus run"):
        (name,) = (name for name in names(join(folder, ".lock")) if name.endswith(".beat"))
        seen: set[str] = set()
        while len(seen) < 3:
            with fsspec.open(join(folder, ".lock", name), "rt") as file:
                seen.add(file.read())


def test_a_silent_process_of_another_machine_is_waited_for_and_taken_for_dead(folder: str, clock: Clock) -> None:
    OtherProcess(folder, beat=7)
    said: list[str] = []
    with lock(folder, "corpus run", said.append):
        assert PATIENCE <= clock.now <= PATIENCE + 1
        assert len([name for name in names(join(folder, ".lock")) if name.endswith(".json")]) == 1
    waiting, dead = said
    assert f"waiting up to 60 s for a sign of life: corpus run on elsewhere, process {os.getpid()} " in waiting
    assert f"no sign for 60 s, and taken for dead: corpus run on elsewhere, process {os.getpid()} " in dead
    assert names(folder) == []


def test_a_process_of_another_machine_that_beats_keeps_the_folder(folder: str, clock: Clock) -> None:
    other = OtherProcess(folder, beat=7)

    def beat_late() -> None:
        if clock.now > PATIENCE - 1:
            other.beat(8)

    clock.then = beat_late
    said: list[str] = []
    with pytest.raises(Refused, match="is in use: corpus run on elsewhere"), lock(folder, "corpus run", said.append):
        pass
    assert PATIENCE - 1 < clock.now < PATIENCE
    assert len(said) == 1
    assert exists(other.claim)


def test_hours_in_which_this_machine_was_suspended_are_not_the_others_silence(folder: str, clock: Clock) -> None:
    other = OtherProcess(folder, beat=7)

    def suspend() -> None:
        clock.now += 3600
        other.beat(8)

    clock.then = suspend
    with pytest.raises(Refused, match="is in use"), lock(folder, "corpus run", lambda line: None):
        pass


def test_a_process_of_another_machine_that_ends_gives_the_folder_free(folder: str, clock: Clock) -> None:
    other = OtherProcess(folder, beat=7)
    clock.then = lambda: other.end() if clock.now >= 30 else None
    said: list[str] = []
    with lock(folder, "corpus run", said.append):
        assert 30 <= clock.now < 31
    assert len(said) == 1  # that it waits


def test_a_process_that_is_just_leaving_is_not_waited_for_aloud(folder: str, clock: Clock) -> None:
    clock.then = OtherProcess(folder, beat=7).end
    with lock(folder, "corpus run", silent):
        assert clock.now < 1


def test_without_flock_a_process_of_this_machine_is_known_by_its_beat(
    folder: str, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    def missing(descriptor: int, operation: int) -> None:
        raise OSError("Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    said: list[str] = []
    with lock(folder, "corpus run"):  # its next beat is seconds away, and the clock runs fast
        (name,) = (name for name in names(join(folder, ".lock")) if name.endswith(".beat"))
        clock.then = lambda: write(join(folder, ".lock", name), "1")
        with pytest.raises(Refused, match="is in use"), lock(folder, "corpus run", said.append):
            pass
    assert said == []


def test_a_process_whose_lock_was_taken_over_says_so_and_ends(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its main thread waits, and would not have heard of it by an exception."""
    folder = str(tmp_path / "run")
    holder.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(module, "boot_id", lambda: "another machine")
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    with lock(folder, "corpus run", lambda line: None):
        ours = names(join(folder, ".lock"))
        holder.send_signal(signal.SIGCONT)
        holder.wait(60)
        assert names(join(folder, ".lock")) == ours
        assert holder.stderr
        (line,) = holder.stderr.read().splitlines()
    assert holder.returncode == 2
    assert line.startswith(f"error: {folder}: this corpus run has lost its lock and ends here: it stood still, ")
    assert f"took over: corpus run on {socket.gethostname()}, process {os.getpid()} " in line
    assert names(folder) == []


def test_a_process_whose_lock_was_removed_by_hand_ends(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    remove(str(tmp_path / "run" / ".lock"))
    holder.wait(60)
    assert holder.stderr
    assert holder.stderr.read().endswith("has lost its lock and ends here: its files were removed\n")
    assert holder.returncode == 2


# Races.


@pytest.mark.parametrize("token", ["0" * 32, "f" * 32])
def test_of_two_that_ask_at_once_the_lower_token_stays(
    folder: str, token: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process writes its claim just after ours, and sees ours as we see its own."""
    others: list[OtherProcess] = []
    stayed: list[bool] = []

    def written(path: str, body: dict[str, Any]) -> str:
        digest = write_json(path, body)
        if not others:
            others.append(OtherProcess(folder, here=True, token=token))
            clock.then = lambda: look(path)
        return digest

    def look(path: str) -> None:
        stayed.append(exists(path))
        others[0].end()
        clock.then = lambda: None

    write_json = module.write_json
    monkeypatch.setattr(module, "write_json", written)
    with lock(folder, "corpus run", silent):
        assert not exists(others[0].claim)
    assert stayed == [token > "f"]


def test_a_process_that_asks_forever_is_named(folder: str, clock: Clock) -> None:
    """Stopped between its claim and its first beat."""
    other = OtherProcess(folder, here=True)
    with pytest.raises(Refused, match="is in use: corpus run on elsewhere"), lock(folder, "corpus run", silent):
        pass
    assert PATIENCE <= clock.now <= PATIENCE + 1
    other.end()


def test_a_process_that_was_taken_for_dead_while_it_asked_asks_again(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    write_json = module.write_json

    def written(path: str, body: dict[str, Any]) -> str:
        asked.append(path)
        return write_json(path, body)

    def beaten(claim: Any, number: int) -> None:
        if len(asked) == 1:
            remove(claim.path)
        write_count(claim, number)

    write_count = module._Claim.write_count
    monkeypatch.setattr(module, "write_json", written)
    monkeypatch.setattr(module._Claim, "write_count", beaten)
    with lock(folder, "corpus run", silent):
        assert [exists(path) for path in asked] == [False, True]
    assert names(folder) == []


def test_the_folder_of_claims_may_vanish_while_one_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, tries = str(tmp_path / "run"), []
    write_json = module.write_json

    def written(path: str, body: dict[str, Any]) -> str:
        tries.append(path)
        if len(tries) < 3:
            raise FileNotFoundError(path)
        return write_json(path, body)

    monkeypatch.setattr(module, "write_json", written)
    with lock(folder, "corpus run", silent):
        assert len(tries) == 3


def test_what_killed_processes_left_without_a_claim_is_cleared(folder: str) -> None:
    for name in ("0123.beat", "4567.guard", ".89ab.json.cdef.tmp"):
        write(join(folder, ".lock", name), "")
    with lock(folder, "corpus run", silent):
        assert len(names(join(folder, ".lock"))) in (2, 3)  # the guard of a store is elsewhere
    assert names(folder) == []


def test_of_many_threads_one_wins_each_time(folder: str) -> None:
    rounds, wins = 10, []
    all_ready, all_tried = threading.Barrier(RACERS), threading.Barrier(RACERS)

    def race() -> None:
        for number in range(rounds):
            all_ready.wait(60)
            try:
                with lock(folder, "race", silent):
                    wins.append(number)
                    all_tried.wait(60)
            except Refused:
                all_tried.wait(60)

    threads = [threading.Thread(target=race) for _ in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wins == list(range(rounds))
    assert names(folder) == []


def test_of_many_processes_one_wins_each_time(tmp_path: Path) -> None:
    rounds = 10
    command = [sys.executable, "-c", RACE, str(tmp_path / "run"), str(RACERS), str(rounds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{[0] * RACERS} {rounds}\n", "")
    assert names(str(tmp_path / "run")) == []
