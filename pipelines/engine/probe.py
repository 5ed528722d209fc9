"""What a worker can do, told by the worker itself: `corpus doctor` sends this through a runner. No Beam here."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from corpus.errors import UserError
from corpus.recipe.load import Recipe
from corpus.rules import Rule
from corpus.steps.rule import locate, named_files
from corpus.storage import filesystem, join, names, of_a_store, open_read, read_json, write_json

WORKER_BYTES = 1_000_000_000
"""That a worker takes beside its models: a batch, a partition of a dedup, blocks on their way (docs/runners.md)."""


@dataclass(frozen=True)
class Need:
    """What a run asks of every machine.

    Attributes:
        inputs: folders of raw files.
        tokenizer: path of its model, where one is named.
    """

    inputs: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    tokenizer: str | None = None

    @classmethod
    def of(cls, recipe: Recipe) -> "Need":
        chains = [named.rule for entry in recipe.sources for named in entry.steps]
        chains += [named.rule for named in recipe.across]
        tokenizer = recipe.tokenizer.model if recipe.tokenizer else None
        return cls(tuple(entry.input for entry in recipe.sources), tuple(chains), tokenizer)


@dataclass(frozen=True)
class Report:
    """What one machine says.

    Attributes:
        wrong: a line for each thing that is missing, with what to do.
        models: bytes of the model files of the rules.
        free: bytes of memory that are to be had.
    """

    host: str
    wrong: list[str]
    models: int
    free: int | None

    @property
    def needed(self) -> int:
        """Bytes of memory that one worker takes."""
        return WORKER_BYTES + self.models


def report(need: Need) -> Report:
    """Looks at everything that `need` names, from this machine."""
    sizes: dict[str, int] = {}
    wrong: list[str] = []
    for path in need.inputs:
        wrong += _tried(f"the input {path} cannot be read", path, _read_first)
    for path in (need.tokenizer,) if need.tokenizer else ():
        wrong += _tried(f"the tokenizer {path} cannot be read", path, _read_byte)
    for rule in need.rules:
        for _, named, mark in named_files(rule):
            try:
                path = locate(named, mark)
                sizes[path] = os.path.getsize(path)
            except (UserError, OSError) as error:
                wrong.append(str(error))
    return Report(socket.gethostname(), wrong, sum(sizes.values()), free_memory())


@dataclass(frozen=True)
class ProbeTask:
    """One of several, so that more than one worker gets one."""

    part: int

    def __str__(self) -> str:
        return f"probe {self.part}"


@dataclass(frozen=True)
class Probe:
    """Leaves the report of the worker in a folder that it shares with the machine that asks."""

    need: Need
    folder: str

    def __call__(self, task: ProbeTask) -> None:
        write_json(join(self.folder, f"probe-{task.part:03d}.json"), asdict(report(self.need)))


def reports(folder: str) -> list[Report]:
    """What workers have left, one of each machine."""
    bodies = (read_json(join(folder, name)) for name in names(folder) if name.startswith("probe-"))
    found = (Report(**{key: value for key, value in body.items() if key != "format"}) for body in bodies)
    return list({one.host: one for one in found}.values())


def free_memory() -> int | None:
    """Bytes that this process and others of its container may still take; None where Linux does not say."""
    limits = []
    with suppress(OSError, ValueError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        limits += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    with suppress(OSError, ValueError):  # "max" where there is none
        group = Path("/sys/fs/cgroup")
        limits.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return min(limits, default=None)


def _tried(what: str, path: str, look: Callable[[str], None]) -> Iterator[str]:
    try:
        look(path)
    except Exception as error:
        if not isinstance(error, UserError | OSError) and not of_a_store(error):
            raise
        said = " ".join(str(error).split()) or type(error).__name__
        yield f"{what} ({said}): give a path that this machine and every worker reach, and the right to read it"


def _read_first(folder: str) -> None:
    """A byte of the first file in a folder, or of a file."""
    fs, inner = filesystem(folder)
    if fs.isfile(inner):
        return _read_byte(folder)
    for _, _, files in fs.walk(inner, detail=True):
        for entry in files.values():
            with fs.open(entry["name"], "rb") as file:
                file.read(1)
            return
    raise FileNotFoundError("there is no file in it")


def _read_byte(path: str) -> None:
    with open_read(path) as file:
        file.read(1)
