"""Finished steps of a few made-up documents, without an engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpus.dataset import StepFolder, finish
from corpus.parts import write_part
from corpus.schema import SCHEMA, Document, Origin, document_batch
from corpus.steps.process import ProcessTask, process_part
from corpus.steps.rule import NamedRule
from corpus.storage import read_json


def extracted(folder: Path, texts: Sequence[Sequence[str]]) -> StepFolder:
    """A part of each list; ids are `PART-ROW`."""
    step = StepFolder(str(folder))
    sidecars = []
    for part, some in enumerate(texts):
        documents = [Document(f"{part}-{row}", text, Origin("f", record=row)) for row, text in enumerate(some)]
        digest = write_part(step.data(part), SCHEMA, iter([document_batch(documents, "books")]))
        sidecars.append(
            {
                "part": part,
                "group": "",
                "data": {"digest": digest},
                "documents": {"in": len(some), "out": len(some)},
                "text_bytes": {"in": 1, "out": 1},
                "dropped": {},
                "seen": {},
                "dataset_digest": "0",
            }
        )
    finish(step, {"step": "extract"}, sidecars)
    return step


def processed(before: StepFolder, folder: Path, rules: Sequence[NamedRule]) -> StepFolder:
    """The step behind it with these rules."""
    step = StepFolder(str(folder))
    sidecars: list[dict[str, Any]] = []
    for part in before.parts():
        process_part(ProcessTask(part.number, "", before, step, "s", part.digest, tuple(rules)))
        sidecars.append(read_json(step.sidecar(part.number)))
    header = {
        "step": "filter",
        "input": before.path,
        "dedup": None,
        "rules": [named.identity() for named in rules],
    }
    finish(step, header, sidecars)
    return step
