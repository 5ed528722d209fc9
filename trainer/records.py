"""What metrics.jsonl says of a run, read without torch."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from corpus.errors import UserError
from corpus.storage import exists, join, open_read, resolve

METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class StepData:
    """What one step was trained on.

    Attributes:
        manifest: path of the mixture's manifest.
        fingerprint: of the mixture.
        first, count: the step's sequences: `first` to `first` + `count` - 1 of the mixture.
    """

    manifest: str
    fingerprint: str
    first: int
    count: int


def read_records(run: str) -> Iterator[dict[str, Any]]:
    """The records of a run's folder in order; the line that a killed run was writing is left out.

    Raises:
        UserError: there are none.
    """
    path = join(run, METRICS)
    if not exists(path):
        raise UserError(f"{path} does not exist: give the output folder of a training run")
    with open_read(path) as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                continue


def step_data(run: str, step: int) -> StepData:
    """The sequences of step `step` (from 1, as metrics.jsonl counts) of the run in a folder.

    A run that was stopped and went on did the steps after its last checkpoint twice: this is the later time, which the
    weights come from.

    Raises:
        UserError: no records, or no such step.
    """
    starts = [record for record in read_records(run) if record["event"] == "start"]
    of_step = [start for start in starts if start["step"] < step <= start["steps"]]
    if not of_step:
        last = max((start["steps"] for start in starts), default=0)
        raise UserError(f"{run} has no step {step}: give one from 1 to {last}")
    start = of_step[-1]
    first = start["sequence"] + (step - 1 - start["step"]) * start["batch"]
    return StepData(resolve(start["mixture"], run), start["fingerprint"], first, start["batch"])


def steps_with(run: str, fingerprint: str, sequences: Collection[int]) -> list[int]:
    """The steps of the run in a folder that were trained on one of these sequences of a mixture, ascending.

    Of steps that were done twice this is the later time, as of `step_data`. Steps that the run did not come to, as far
    as it has logged them, are left out, and all where it was trained on another mixture.

    Raises:
        UserError: no records.
    """
    segments: list[tuple[dict[str, Any], int]] = []  # a start, and the last step done from there on
    for record in read_records(run):
        if record["event"] == "start":
            segments = [(start, min(last, record["step"])) for start, last in segments]
            segments.append((record, record["step"]))
        elif record["event"] in ("step", "checkpoint") and segments:
            start, last = segments[-1]
            segments[-1] = (start, max(last, record["step"]))
    found: set[int] = set()
    for start, last in segments:
        if start["fingerprint"] == fingerprint:
            steps = {start["step"] + 1 + (k - start["sequence"]) // start["batch"] for k in sequences}
            found |= {step for step in steps if start["step"] < step <= last}
    return sorted(found)
