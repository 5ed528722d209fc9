"""From a document back to its raw bytes: replays every rule on that one document and shows the text after each."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.parts import read_part, read_row
from corpus.registry import find_source
from corpus.schema import Origin
from corpus.sources.archive import Damaged
from corpus.sources.source import Source
from corpus.steps.chain import apply_chain
from corpus.steps.rule import rule_of
from corpus.storage import exists, join, read_json, resolve


@dataclass(frozen=True)
class Stage:
    """The document at one point of its way.

    Attributes:
        name: "raw", "extract", or the key of a rule.
        text: what it is there.
        detail: scores of a filter, the place of the raw bytes; may be empty.
    """

    name: str
    text: str
    detail: str = ""


def trace(folder: StepFolder, part: int, row: int) -> Iterator[Stage]:
    """The way of the document in `row` of `part` of a finished step, from its raw bytes on.

    Raises:
        UserError: no such row, or the raw file is gone (it names it and the document's URL).
    """
    chain = list(_chain(folder, part, row))
    chain.reverse()
    extract, _, extract_row = chain[0]
    document = row_of(extract, part, extract_row)
    yield raw_stage(extract, document)
    yield Stage("extract", document["text"][0].as_py(), json.dumps(document["id"][0].as_py()))
    for (before, _, before_row), (after, manifest, _) in pairwise(chain):
        yield from _replay(before, after, manifest, part, before_row)


def raw_stage(extract: StepFolder, document: pa.RecordBatch) -> Stage:
    """The raw bytes of a document, read again from the source's files."""
    manifest = extract.manifest()
    origin = Origin(**document["origin"][0].as_py())
    try:
        raw = source_of(manifest).raw(manifest["input"], origin)
    except (OSError, Damaged) as error:
        url = document["url"][0].as_py()
        raise UserError(
            f"the raw file {join(manifest['input'], origin.file)} cannot be read ({error}): fetch it again"
            + (f"; the document is {url}" if url else "")
        ) from None
    place = ", ".join(f"{name} {value}" for name, value in document["origin"][0].as_py().items() if value is not None)
    return Stage("raw", raw.decode("utf-8", "replace"), place)


def source_of(manifest: dict[str, Any]) -> Source:
    """The source that made an extract step, with its settings."""
    return find_source(manifest.get("type", manifest["source"]))(**manifest["settings"])


def row_of(folder: StepFolder, part: int, row: int) -> pa.RecordBatch:
    """One row of a part, as a batch."""
    return read_row(folder.data(part), row)


def input_of(folder: StepFolder, manifest: dict[str, Any]) -> StepFolder:
    """The step before."""
    return StepFolder(resolve(manifest["input"], folder.path))


def document_at(folder: StepFolder, part: int, row: int) -> dict[str, str] | None:
    """`id` and `text` of a document that the dedup of a step looked at, before that step; None where it is gone.

    Args:
        part: among the parts of all sources that it looks at.
    """
    inputs = read_json(folder.dedup_index)["inputs"]
    first, place = max((first, place) for first, place in inputs if first <= part)
    path = StepFolder(resolve(place, folder.path)).data(part - first)
    return read_row(path, row, ["id", "text"]).to_pylist()[0] if exists(path) else None


def _chain(folder: StepFolder, part: int, row: int) -> Iterator[tuple[StepFolder, dict[str, Any], int]]:
    """(step, its manifest, row in it) from the given step back to extract."""
    while True:
        manifest = folder.manifest()
        yield folder, manifest, row
        if manifest["step"] == "extract":
            return
        before = input_of(folder, manifest)
        row = _row_before(folder, part, row)
        folder = before


def _row_before(folder: StepFolder, part: int, row: int) -> int:
    """The row in the step's input of a row that it kept: the dropped ones before it are added."""
    path = folder.meta("decisions", part)
    batches = list(read_part(path)) if exists(path) else []
    if not batches:
        return row
    dropped = np.sort(np.concatenate([np.asarray(batch.column("row")) for batch in batches])).astype(np.int64)
    # The k-th dropped row has dropped[k] - k kept rows before it.
    return row + int(np.searchsorted(dropped - np.arange(len(dropped)), row, side="right"))


def _replay(before: StepFolder, after: StepFolder, manifest: dict[str, Any], part: int, row: int) -> Iterator[Stage]:
    dedup = rule_of(manifest["dedup"]) if manifest["dedup"] is not None else None
    path = after.meta("dedup", part)
    decisions = pa.Table.from_batches(list(read_part(path))) if dedup and exists(path) else None
    rules = [rule_of(identity) for identity in manifest["rules"]]
    for applied in apply_chain(row_of(before, part, row), dedup, rules, row, decisions):
        detail = ""
        if applied.scores is not None:
            names = applied.scores.schema.names
            detail = ", ".join(f"{name} {applied.scores.column(name)[0].as_py()}" for name in names)
        yield Stage(applied.named.key, applied.after["text"][0].as_py(), detail)
