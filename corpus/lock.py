"""One process at a time on a folder: a lock with a name on it, which a killed process does not leave closed.

  FOLDER/.lock/TOKEN.guard   locked with flock(2) by the process; for a folder in a store, in the temporary folder
  FOLDER/.lock/TOKEN.json    its claim: who it is; written once
  FOLDER/.lock/TOKEN.beat    says that it has the folder: a number that grows every `BEAT` seconds

A process writes a claim and then lists the others: of two that do so at once, at least one sees the other. It has the
folder when it sees no claim of a living process; where two ask at once, the higher token withdraws. So no file system
needs to create a file exclusively, and no process writes over a file of another: anyone may remove the claim of a dead
process, at any time, without harm to a living one.

What is guaranteed where:

- **Processes of one kernel on a local path**, in containers too: one at a time, always. The kernel undoes flock(2)
  when a process ends, however it ends, so that a killed one is known to be dead at once, and one that only stands still
  (a suspended laptop, SIGSTOP) keeps the folder. Process ids, which are used again, are for people.
- **The same, in a store**: as on a local path where they share the temporary folder; else as between machines.
- **Between machines** (also: before and after a restart of one): one that asks watches the beat of the other, and
  takes over when it has not moved for `PATIENCE` seconds. Clocks of two machines are never compared. A process that
  stood still for that long finds its claim gone within `BEAT` seconds after it goes on, says so in one line, and ends
  as if it were killed. What it writes in these seconds is written beside the new one's work.

This holds where a listing shows every file that was there before it began: local disks, NFS, S3, GCS, Azure. Where
flock(2) is missing on a local path (some mounts of Lustre) it is as between machines.

The beat is a thread: it goes on while the main thread computes, since what takes long there lets go of the GIL (numba
kernels with `nogil`, PyTorch, SentencePiece from 0.2.2 on; `tests/tokenizer/test_train.py`).
"""

import contextlib
import errno
import fcntl
import itertools
import os
import shlex
import socket
import sys
import tempfile
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from corpus.errors import UserError
from corpus.storage import filesystem, join, local_path, names, read_json, resolve, write_json

BEAT = 5.0
"""Seconds between two beats."""

PATIENCE = 60.0
"""Seconds without a beat after which a process on another machine is taken for dead: twelve beats. The longest that a
thread stood still beside our C calls was 1.4 s (fastText on a line of 9 MB)."""

POLL = 0.2
"""Seconds between two looks at the claims of others."""

ATTEMPTS = 9
"""To write a claim into a folder that another is removing."""

HOME = ".lock"


class Refused(UserError):
    """The folder cannot be had: another process works on it, or it cannot be written."""


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def lock(folder: str, what: str, say: Callable[[str], None] = _tell) -> Iterator[None]:
    """While in this context, no other process is in it for the same folder, a local path or a URL; nor is this one a
    second time.

    The folder is made when it is not there. Nothing is left of the lock afterwards. When the lock is lost to a process
    on another machine (see above), this process ends at once with exit code 2 and one line on standard error: an
    exception would run clean-up code on files that are another's by then.

    Args:
        what: this process does there, for the message that another gets: "corpus run".
        say: gets one line when a process on another machine is waited for, and one when it is taken for dead.

    Raises:
        Refused: the folder is in use, by whom; or it cannot be written.
    """
    held = _Lock(folder, what, say)
    try:
        try:
            held.acquire()
        except OSError as error:
            raise Refused(
                f"{folder} cannot be locked: {error.strerror or error}: check the path, its permissions and the free "
                "space"
            ) from None
        yield
    finally:
        held.release()


def held_by(folder: str) -> str | None:
    """Who has a folder, in words; None where nobody does, or the one who did is known to be dead."""
    home = join(folder, HOME)
    for token in _tokens(home):
        claim = _Claim(home, token)
        record = claim.read()
        if record is not None and claim.count() is not None and _lives(record, home) is not False:
            return _who(record)
    return None


@dataclass(frozen=True)
class _Claim:
    """The files of one process that asks for a folder, or has it."""

    home: str
    token: str

    @property
    def path(self) -> str:
        return join(self.home, f"{self.token}.json")

    @property
    def beat(self) -> str:
        return join(self.home, f"{self.token}.beat")

    def read(self) -> dict[str, Any] | None:
        """Who it is; None when the claim is gone."""
        try:
            return read_json(self.path)
        except FileNotFoundError:
            return None

    def count(self) -> bytes | None:
        """Its last beat; None while it does not have the folder."""
        fs, inner = filesystem(self.beat)
        try:
            return bytes(fs.cat_file(inner))
        except FileNotFoundError:
            return None

    def write_count(self, number: int) -> None:
        fs, inner = filesystem(self.beat)
        fs.pipe_file(inner, str(number).encode())

    def remove(self, guard: str | None) -> None:
        _remove(self.beat)
        _remove(self.path)
        if guard:
            with contextlib.suppress(PermissionError):  # in the temporary folder, of another user
                _remove(resolve(guard, self.home))


class _Lock:
    """This process's own claim, and what it has seen of others'."""

    def __init__(self, folder: str, what: str, say: Callable[[str], None]) -> None:
        local = local_path(folder)  # absolute: the process may change its working folder
        self._folder, self._what, self._say = folder, what, say
        self._home = join(local or folder, HOME)
        self._local = local
        self._made = local is not None and not os.path.isdir(local)
        self._since = datetime.now().astimezone().isoformat(" ", "seconds")
        self._claim: _Claim | None = None
        self._guard: tuple[int, str] | None = None
        self._watched: dict[str, tuple[bytes | None, float]] = {}
        self._told: set[str] = set()
        self._stop = threading.Event()
        self._beating: threading.Thread | None = None

    def acquire(self) -> None:
        while True:
            rivals = self._rivals()
            if rivals and self._claim and min(rivals) < self._claim.token:
                self._withdraw()
            if rivals:
                time.sleep(POLL)
            elif self._claim is None:
                self._ask()
            elif self._hold(self._claim):
                return
            else:
                self._withdraw()

    def release(self) -> None:
        self._stop.set()
        if self._beating:
            self._beating.join()  # before the claim goes, which it would take for lost
        # What cannot be removed now is found dead by the next process.
        with contextlib.suppress(Exception):
            self._withdraw()
        if self._local is not None:
            with contextlib.suppress(OSError):
                os.rmdir(self._home)
                if self._made:
                    os.rmdir(self._local)  # nothing came of it

    def _ask(self) -> None:
        """Writes a claim. Whoever leaves last removes the folder of claims, perhaps at this moment: then once more."""
        for left in reversed(range(ATTEMPTS)):
            try:
                return self._write_claim()
            except FileNotFoundError:
                self._withdraw()
                if not left:
                    raise

    def _write_claim(self) -> None:
        """Under a token that nobody has watched yet; its guard comes first."""
        token = uuid.uuid4().hex
        if self._local is not None:
            os.makedirs(self._home, exist_ok=True)
            guard = join(self._home, f"{token}.guard")
        else:
            guard = join(tempfile.gettempdir(), f"corpus-{token}.guard")
        descriptor = os.open(guard, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._claim, self._guard = _Claim(self._home, token), (descriptor, guard)
        named: str | None = os.path.basename(guard) if self._local is not None else guard
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:  # not on this file system: others go by the beat
            named = None
        write_json(
            self._claim.path,
            {
                "what": self._what, "host": socket.gethostname(), "process": os.getpid(),
                "command": textwrap.shorten(shlex.join(sys.argv), 200, placeholder=" ..."), "since": self._since,
                "boot": boot_id(), "guard": named,
            },
        )  # fmt: skip

    def _hold(self, claim: _Claim) -> bool:
        """Begins to beat. False when a file of the claim was removed meanwhile: this process stood still too long."""
        assert self._guard
        with contextlib.suppress(FileNotFoundError):
            claim.write_count(0)
        if claim.read() is None or not os.path.exists(self._guard[1]):
            return False
        _clear_litter(self._home)
        self._beating = threading.Thread(target=self._beat, args=(claim,), name="lock", daemon=True)
        self._beating.start()
        return True

    def _withdraw(self) -> None:
        if self._claim is not None and self._guard is not None:
            descriptor, guard = self._guard
            claim, self._claim, self._guard = self._claim, None, None
            try:
                claim.remove(guard)
            finally:
                os.close(descriptor)

    def _rivals(self) -> list[str]:
        """Tokens of other claims whose process may live. Removes those of the dead.

        Raises Refused when a living process has the folder, or has been asking for it for `PATIENCE` seconds.
        """
        rivals = []
        for token in _tokens(self._home):
            claim = _Claim(self._home, token)
            if claim == self._claim:
                continue
            now = time.monotonic()  # before its beat is read: this machine, too, may be suspended in between
            record, count = claim.read(), claim.count()
            if record is None:
                continue
            new = token not in self._watched
            first, since = self._watched.setdefault(token, (count, now))
            waited = now - since >= PATIENCE
            alive = _lives(record, self._home)
            if alive is None:
                if count != first:
                    alive = True
                elif waited:
                    alive = False
                    self._say(f"{self._folder}: no sign for {PATIENCE:g} s, and taken for dead: {_who(record)}")
                elif not new and count is not None and token not in self._told:  # one just leaving is gone by now
                    self._told.add(token)
                    self._say(f"{self._folder}: waiting up to {PATIENCE:g} s for a sign of life: {_who(record)}")
            if alive and (count is not None or waited):
                raise Refused(f"{self._folder} is in use: {_who(record)}: wait until it ends, or end it")
            if alive is False:
                claim.remove(record["guard"])
            else:
                rivals.append(token)
        return rivals

    def _beat(self, claim: _Claim) -> None:
        for number in itertools.count(1):
            if self._stop.wait(BEAT):
                return
            # Anything but a missing claim may pass: a network that is down.
            with contextlib.suppress(Exception):
                if claim.read() is None:
                    self._end()
                claim.write_count(number)

    def _end(self) -> NoReturn:
        """Ends the process: the folder is another's."""
        by = "its files were removed"
        with contextlib.suppress(Exception):
            self._withdraw()
            for other in (_Claim(self._home, token) for token in _tokens(self._home)):
                if other.count() is not None and (record := other.read()):
                    by = f"it stood still, and meanwhile this took over: {_who(record)}"
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        with contextlib.suppress(Exception):
            _tell(f"error: {self._folder}: this {self._what} has lost its lock and ends here: {by}")
        os._exit(2)


def boot_id() -> str:
    """Of the running kernel, the same in all its containers; "" where there is none to read (not Linux)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _lives(record: dict[str, Any], home: str) -> bool | None:
    """Whether the process of a claim lives; None when this kernel cannot say."""
    if not record["guard"] or not record["boot"] or record["boot"] != boot_id():
        return None
    try:
        descriptor = os.open(resolve(record["guard"], home), os.O_RDONLY)
    except OSError:
        return None  # released just now; in a temporary folder that is not ours; or of another user
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return True if error.errno == errno.EWOULDBLOCK else None
    finally:
        os.close(descriptor)
    return False


def _who(record: dict[str, Any]) -> str:
    """A claim in words, for people."""
    return (
        f"{record['what']} on {record['host']}, process {record['process']} ({record['command']}), since "
        f"{record['since']}"
    )


def _names(home: str) -> list[str]:
    try:
        return names(home)
    except FileNotFoundError:  # removed between two calls
        return []


def _tokens(home: str) -> list[str]:
    return [name.removesuffix(".json") for name in _names(home) if not name.startswith(".") and name.endswith(".json")]


def _clear_litter(home: str) -> None:
    """Removes files without a claim, which killed processes left. One that is asking just now asks again."""
    listed = _names(home)
    for name in listed:
        if f"{name.lstrip('.').partition('.')[0]}.json" not in listed:
            _remove(join(home, name))


def _remove(path: str) -> None:
    fs, inner = filesystem(path)
    with contextlib.suppress(FileNotFoundError):
        fs.rm_file(inner)
