"""Indexes: what a dedup keeps of documents, so that a later run goes on from them without their text.

An index is a folder (docs/format.md, "Indexes"). It holds the parts of the run that made it, and names the index that
this run went against: a chain, whose parts all together stand for all documents seen, oldest first.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import read_part, write_part
from corpus.rules import Memory, PartRef
from corpus.steps.finish import READERS
from corpus.steps.result import PartResult
from corpus.steps.rule import NamedRule
from corpus.storage import clear_attempts, exists, file_digest, join, names, read_json, relative, resolve, write_json


@dataclass(frozen=True)
class Index:
    """Paths in the folder of an index, and what it says of itself."""

    path: str

    def data(self, part: int) -> str:
        return join(self.path, "parts", f"part-{part:05d}.parquet")

    def sidecar(self, part: int) -> str:
        return join(self.path, "parts", f"part-{part:05d}.json")

    @property
    def header_path(self) -> str:
        return join(self.path, "index.json")

    def header(self) -> dict[str, Any]:
        """Raises UserError where it is not there: the index is not complete."""
        if not exists(self.header_path):
            raise UserError(f"{self.path} has no index.json: name the folder of an index, or make it to its end")
        return read_json(self.header_path)


def index_chain(path: str) -> list[Index]:
    """The index in a folder and those that it goes on from, oldest first.

    Raises:
        UserError: one of them is not there, has changed since, or has not all of its files.
    """
    chain = [Index(path)]
    while (before := chain[-1].header()["after"]) is not None:
        found = Index(resolve(before["path"], chain[-1].path))
        if not exists(found.header_path):
            raise UserError(f"{chain[-1].path} goes on from the index {found.path}, which is gone: put it back")
        if file_digest(found.header_path) != before["digest"]:
            raise UserError(
                f"{chain[-1].path} goes on from the index {found.path}, which is another one now: make both again"
            )
        chain.append(found)
    for index in chain:
        there = set(names(join(index.path, "parts")))
        parts = range(len(index.header()["parts"]))
        wanted = [name for part in parts for name in (index.data(part), index.sidecar(part))]
        for file in wanted:
            if file.rpartition("/")[2] not in there:
                raise UserError(f"{file} is gone: put it back, or make the index again")
    return chain[::-1]


def check_index(named: NamedRule, sources: int) -> None:
    """Looks whether the index that a dedup goes against is whole, and was made by the same rule and settings.

    Args:
        sources: of the dedup, that come after those of the index.

    Raises:
        UserError: it is not, or was not: with the first setting that differs. Or there are more sources than the dedup
            can tell the order of.
    """
    path = named.dedup.against
    if path is None and named.dedup.index is None:
        return
    for index in index_chain(path) if path is not None else ():
        found, own = index.header()["rule"], rule_identity(named)
        for what in ("rule", "version", "class", "packages"):
            if found.get(what) != own.get(what):
                raise UserError(
                    f"{index.path} is an index of {_words(found, what)}, and this step is {_words(own, what)}: "
                    "go against an index of the same rule, or make it again"
                )
        for setting in sorted(found["settings"] | own["settings"]):
            theirs, ours = (side["settings"].get(setting) for side in (found, own))
            if theirs != ours:
                raise UserError(
                    f"{index.path} was made with {setting} {theirs}, and this step has {setting} {ours}: set the same, "
                    "or make the index again"
                )
    most, every = memory_of(named).most_sources, seen(path).sources + sources
    if most and every > most:
        raise UserError(
            f"{named.name} can go from source to source {most} times at most, and with this step there are {every}: "
            "begin anew with all documents as one source"
        )


def _words(identity: dict[str, Any], what: str) -> str:
    return str(identity["rule"]) if what == "rule" else f"{identity['rule']} with {what} {identity.get(what)}"


def rule_identity(named: NamedRule) -> dict[str, Any]:
    """What an index says of the rule that made it: without the number of its key, and without the index before."""
    identity = named.identity() | {"rule": named.name}
    del identity["models"]
    return identity


@dataclass(frozen=True)
class KeptInput:
    """An index of earlier documents that goes into a dedup: its parts count from `first` among the parts of all.

    Attributes:
        priority: of its first source.
    """

    input: Index
    first: int
    priority: int

    def ref(self, number: int) -> PartRef:
        """A part of it, as the dedup sees it."""
        sidecar = read_json(self.input.sidecar(number))
        return PartRef(self.first + number, self.priority + sidecar["priority"], sidecar["group"], kept=True)

    def data(self, number: int) -> str:
        return self.input.data(number)

    def digests(self) -> Sequence[str]:
        """SHA-256 of the file of each part."""
        return list(self.input.header()["parts"])

    def refs(self) -> Iterator[tuple[int, PartRef]]:
        """(number, part) of all of them."""
        numbers = range(len(self.input.header()["parts"]))
        with ThreadPoolExecutor(READERS) as pool:
            yield from zip(numbers, pool.map(self.ref, numbers), strict=True)


@dataclass(frozen=True)
class Seen:
    """The indexes that a dedup goes against, and what they stand for.

    Attributes:
        documents, text_bytes: that came into the runs that made them.
    """

    inputs: tuple[KeptInput, ...] = ()
    parts: int = 0
    sources: int = 0
    documents: int = 0
    text_bytes: int = 0


def seen(against: str | None) -> Seen:
    """What was seen before a dedup that goes against an index."""
    found = Seen()
    for index in index_chain(against) if against is not None else ():
        header = index.header()
        found = Seen(
            (*found.inputs, KeptInput(index, found.parts, found.sources)),
            found.parts + len(header["parts"]),
            found.sources + header["sources"],
            found.documents + header["documents"],
            found.text_bytes + header["text_bytes"],
        )
    return found


@dataclass(frozen=True)
class KeepTask:
    """A part of a dedup's input that goes into an index.

    Attributes:
        part: number among the parts of this run, which is its number in the index.
        ref: as the dedup saw it.
        priority: of its source among those of this run.
        decisions: path of what was decided for it.
        step: digest of the step.
    """

    part: int
    ref: PartRef
    priority: int
    data: str
    decisions: str
    index: Index
    step: str
    named: NamedRule

    def __str__(self) -> str:
        return self.index.data(self.part)


def keep_part(task: KeepTask) -> PartResult:
    """Writes what the index keeps of a part, and last its sidecar. A part that is there already is left."""
    sidecar = task.index.sidecar(task.part)
    if exists(sidecar) and read_json(sidecar)["step"] == task.step:
        return PartResult(task.part, reused=True)
    memory = memory_of(task.named)
    decisions = pa.Table.from_batches(list(read_part(task.decisions))) if exists(task.decisions) else None
    batches = read_part(task.data, list(memory.columns))
    digest = write_part(task.index.data(task.part), memory.schema, memory.keep(task.ref, batches, decisions))
    body = {"step": task.step, "digest": digest, "priority": task.priority, "group": task.ref.group}
    write_json(sidecar, body)
    return PartResult(task.part)


def memory_of(named: NamedRule) -> Memory:
    """What the index of a dedup keeps; that it keeps something was looked at with its settings."""
    memory = named.dedup.memory()
    assert isinstance(memory, Memory)
    return memory


def index_finished(named: NamedRule | None, step: str) -> bool:
    """Whether the index that a step is asked for is complete, or it is asked for none.

    Raises:
        UserError: the folder holds the index of another step.
    """
    if named is None or named.dedup.index is None:
        return True
    index = Index(named.dedup.index)
    if not exists(index.header_path):
        return False
    found = index.header()["step"]
    if found != step:
        raise UserError(
            f"{index.path} holds the index of step {found[:8]}, and this one is {step[:8]}: name another folder, or "
            "remove it"
        )
    return True


def finish_index(named: NamedRule, step: str, inputs: Sequence[StepFolder]) -> None:
    """Writes the header, which completes the index, over the digests of all its parts."""
    assert named.dedup.index is not None
    index, before = Index(named.dedup.index), named.dedup.against
    every = [part for folder in inputs for part in folder.parts()]

    def digest(part: int) -> str:
        return str(read_json(index.sidecar(part))["digest"])

    with ThreadPoolExecutor(READERS) as pool:
        digests = list(pool.map(digest, range(len(every))))
    clear_attempts(index.path)
    after = {"path": relative(before, index.path), "digest": file_digest(Index(before).header_path)} if before else None
    header = {
        "step": step,
        "rule": rule_identity(named),
        "after": after,
        "sources": len(inputs),
        "documents": sum(part.documents for part in every),
        "text_bytes": sum(part.text_bytes for part in every),
        "parts": digests,
    }
    write_json(index.header_path, header)
