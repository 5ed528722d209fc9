"""Documents of a step by their ids and URLs: only these columns of the parts are read."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus.dataset import StepFolder
from corpus.parts import read_part
from corpus.steps.result import PartResult
from corpus.storage import exists, join, read_json, write_json

_WANTED = "wanted.json"


@dataclass(frozen=True)
class Wanted:
    """Ids and URLs, each sorted and without another of its kind."""

    ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ids or self.urls)

    def __or__(self, other: "Wanted") -> "Wanted":
        return Wanted(tuple(sorted({*self.ids, *other.ids})), tuple(sorted({*self.urls, *other.urls})))


@dataclass(frozen=True)
class FoundDocument:
    """A document that is wanted.

    Attributes:
        part, row: in the step.
        file: raw file that it comes from.
    """

    part: int
    row: int
    id: str
    url: str | None
    file: str


@dataclass(frozen=True)
class FindTask:
    """One part to look through, for what a file in `results` says; what is found goes into another one there."""

    part: int
    step: StepFolder
    results: str

    def __str__(self) -> str:
        return self.step.data(self.part)


@dataclass(frozen=True)
class FindTasks:
    """Reads the manifest of a step into tasks."""

    results: str

    def __call__(self, step: StepFolder) -> Iterator[FindTask]:
        for part in step.parts():
            yield FindTask(part.number, step, self.results)


def write_wanted(results: str, wanted: Wanted) -> None:
    """Once for all parts: a list may be long."""
    write_json(join(results, _WANTED), asdict(wanted))


def find_part(task: FindTask) -> PartResult:
    """Writes what is wanted of a part. One that was looked through before is left."""
    path = _result(task.results, task.part)
    if exists(path):
        return PartResult(task.part, 0, 0, 0, reused=True)
    wanted = _read_wanted(join(task.results, _WANTED))
    ids, urls = pa.array(wanted.ids, pa.string()), pa.array(wanted.urls, pa.string())
    found: list[dict[str, Any]] = []
    first = 0
    for batch in read_part(task.step.data(task.part), ["id", "url", "origin"]):
        listed = pc.or_(pc.is_in(batch.column("id"), ids), pc.is_in(batch.column("url"), urls))
        for row in pc.indices_nonzero(listed).to_pylist():
            (document,) = batch.slice(row, 1).to_pylist()
            file = document["origin"]["file"]
            found.append(asdict(FoundDocument(task.part, first + row, document["id"], document["url"], file)))
        first += batch.num_rows
    write_json(path, {"found": found})
    return PartResult(task.part, first, len(found), 0)


def gather(results: str, step: StepFolder) -> list[FoundDocument]:
    """What `find_part` found, in the order of parts and rows."""
    bodies = [read_json(_result(results, part.number)) for part in step.parts()]
    return [FoundDocument(**one) for body in bodies for one in body["found"]]


@lru_cache(maxsize=1)
def _read_wanted(path: str) -> Wanted:
    body = read_json(path)
    return Wanted(tuple(body["ids"]), tuple(body["urls"]))


def _result(results: str, part: int) -> str:
    return join(results, f"part-{part:05d}.json")
