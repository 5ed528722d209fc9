"""Two finished steps side by side: which settings differ, what that does to the counts, and which documents moved."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.dataset import StepFolder
from corpus.parts import read_part, read_row
from corpus.report.step import SAMPLES, Excerpt, excerpt, looked_for
from corpus.show import counts
from corpus.storage import exists
from corpus.text.buffers import text_buffers
from corpus.text.hashing import hash_rows
from corpus.trace import input_of

NOT_SET = "not there"


@dataclass(frozen=True)
class Difference:
    """A setting of a rule that is another in the second step, or a rule that one of them does not have."""

    name: str
    first: str
    second: str


@dataclass(frozen=True)
class Count:
    """One number of both; None where one of them does not have it."""

    name: str
    first: int | None
    second: int | None

    @property
    def change(self) -> int | None:
        return None if self.first is None or self.second is None else self.second - self.first


@dataclass(frozen=True)
class Moved:
    """Documents that one step keeps and the other does not.

    Attributes:
        kept_by: "first" or "second".
        reason: for which the other one dropped them, RULE.REASON; "" where they never came to it.
        samples: the first of them.
    """

    kept_by: str
    reason: str
    documents: int
    samples: list[Excerpt]


@dataclass(frozen=True)
class Comparison:
    """Two steps.

    Attributes:
        by: how documents were recognised: "row", where both steps have the same input, else "id".
    """

    name: str
    first: StepFolder
    second: StepFolder
    differences: list[Difference]
    counts: list[Count]
    by: str
    moved: list[Moved]


def compare_steps(name: str, first: StepFolder, second: StepFolder, hidden: Collection[str] = ()) -> Comparison:
    """Compares two finished steps, row by row where they have the same input, else by the ids that they keep.

    By ids it takes 8 bytes of memory a document of either.

    Args:
        hidden: ids of documents that are not to be shown.
    """
    manifests = first.manifest(), second.manifest()
    same_input = same_inputs(*manifests)
    moved = _by_row(first, second, hidden) if same_input else _by_id(first, second, hidden)
    differences = list(_differences(*manifests))
    return Comparison(
        name, first, second, differences, _counts(first, second), "row" if same_input else "id", list(moved)
    )


def same_inputs(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two manifests are of steps with rules that were made from the same parts."""
    if "extract" in (first["step"], second["step"]):
        return False
    one, other = ({body["part"]: body["input"] for body in manifest["parts"]} for manifest in (first, second))
    return bool(one == other)


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    one, other = _settings(first), _settings(second)
    for name in sorted(one.keys() | other.keys()):
        values = one.get(name, NOT_SET), other.get(name, NOT_SET)
        if values[0] != values[1]:
            yield Difference(name, *values)


def _settings(manifest: Mapping[str, Any]) -> dict[str, str]:
    """`RULE.FIELD` -> its value, and `RULE` -> its version and models."""
    if manifest["step"] == "extract":
        return {f"extract.{name}": str(value) for name, value in manifest["settings"].items()}
    found = {}
    for rule in [*([manifest["dedup"]] if manifest["dedup"] else []), *manifest["rules"]]:
        models = "".join(f", {name} {digest[:8]}" for name, digest in rule.get("models", {}).items())
        found[rule["rule"]] = f"version {rule['version']}{models}"
        found |= {f"{rule['rule']}.{name}": str(value) for name, value in rule["settings"].items()}
    return found


def _counts(first: StepFolder, second: StepFolder) -> list[Count]:
    manifests = first.manifest(), second.manifest()
    found = [
        Count(f"{what} {side}", *(manifest[key][side] for manifest in manifests))
        for what, key in (("documents", "documents"), ("bytes of text", "text_bytes"))
        for side in ("in", "out")
    ]
    one, other = ({f"{rule}.{reason}": n for rule, reason, n in counts(folder)} for folder in (first, second))
    return [*found, *(Count(name, one.get(name, 0), other.get(name, 0)) for name in sorted(one.keys() | other.keys()))]


def _by_row(first: StepFolder, second: StepFolder, hidden: Collection[str]) -> Iterator[Moved]:
    documents: dict[tuple[str, str], int] = {}
    places: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for body in first.manifest()["parts"]:
        number, rows = body["part"], body["documents"]["in"]
        one, other = (_reasons(folder, number, rows) for folder in (first, second))
        for kept_by, kept, gone in (("first", one, other), ("second", other, one)):
            here = np.flatnonzero((kept == "") & (gone != ""))
            for reason in np.unique(gone[here].astype(str)):
                some = here[gone[here] == reason]
                key = kept_by, str(reason)
                documents[key] = documents.get(key, 0) + len(some)
                held = places.setdefault(key, [])
                held += [(number, int(row)) for row in some[: looked_for(hidden) - len(held)]]
    inputs = [input_of(folder, folder.manifest()) for folder in (first, second)]
    before = next((step for step in inputs if step.finished), None)
    for kept_by, reason in sorted(documents):
        shown = _documents(before, places[kept_by, reason], hidden) if before else []
        yield Moved(kept_by, reason, documents[kept_by, reason], shown)


def _reasons(folder: StepFolder, part: int, rows: int) -> npt.NDArray[np.object_]:
    """For which rule and reason each row of the input went; "" for those that stayed."""
    found = np.full(rows, "", object)
    path = folder.meta("decisions", part)
    for batch in read_part(path) if exists(path) else ():
        names = zip(batch.column("step").to_pylist(), batch.column("reason").to_pylist(), strict=True)
        found[np.asarray(batch.column("row"))] = [f"{rule}.{reason}" for rule, reason in names]
    return found


def _by_id(first: StepFolder, second: StepFolder, hidden: Collection[str]) -> Iterator[Moved]:
    one, other = _id_hashes(first), _id_hashes(second)
    for kept_by, folder, alone in (("first", first, ~np.isin(one, other)), ("second", second, ~np.isin(other, one))):
        if alone.any():
            places = _places(folder, np.flatnonzero(alone)[: looked_for(hidden)])
            yield Moved(kept_by, "", int(alone.sum()), _documents(folder, places, hidden))


def _places(folder: StepFolder, documents: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Part and row of documents by their number in the whole step."""
    places, before = [], 0
    for part in folder.parts():
        here = documents[(documents >= before) & (documents < before + part.documents)]
        places += [(part.number, int(row) - before) for row in here]
        before += part.documents
    return places


def _id_hashes(folder: StepFolder) -> npt.NDArray[np.uint64]:
    """One for each document, in order."""
    found = [
        hash_rows(*text_buffers(batch.column("id")), 0)
        for part in folder.parts()
        for batch in read_part(folder.data(part.number), ["id"])
    ]
    return np.concatenate(found) if found else np.zeros(0, np.uint64)


def _documents(folder: StepFolder, places: list[tuple[int, int]], hidden: Collection[str]) -> list[Excerpt]:
    rows = [read_row(folder.data(part), row, ["id", "text"]).to_pylist()[0] for part, row in places]
    return [excerpt(row["id"], "", row["text"]) for row in rows if row["id"] not in hidden][:SAMPLES]
