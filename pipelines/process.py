"""Process: apply a dedup's decisions, clean and filter, part by part."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import apache_beam as beam

from corpus.dataset import StepFolder, claim
from corpus.steps.dedupe import decided
from corpus.steps.plan import ProcessTasks, Step, folder_name, score_keys, step_digest, versions
from corpus.steps.process import process_part
from corpus.storage import join, names, relative, remove
from pipelines.dedupe import decide
from pipelines.finish import finish_step
from pipelines.partmap import PartMap
from pipelines.runner import Runner


@dataclass
class Process(beam.PTransform):
    """Folder of the step before -> counts of each part."""

    tasks: ProcessTasks
    runner: Runner

    def expand(self, folder: beam.PCollection) -> beam.PCollection:
        return (
            folder
            | "Read manifest" >> beam.FlatMap(self.tasks)
            | "Process" >> PartMap(process_part, self.runner, self.tasks.step.name)
        )


@dataclass(frozen=True)
class StepInput:
    """One source that a step works on.

    Attributes:
        name: of the source.
        input: the finished step before.
        folder: where this step's folder is made.
        named: the folder to use instead, when the user names one.
    """

    name: str
    input: StepFolder
    folder: str
    named: str | None = None


def run_step(step: Step, inputs: Sequence[StepInput], work: str, runner: Runner) -> list[tuple[StepFolder, bool]]:
    """Runs one step over one source, or over several for a dedup across sources, whose order is their priority.

    Returns the folder for each source, and whether anything ran for it.

    Raises:
        UserError: a part failed, a named folder holds something else, a rule saw no document, or nothing was kept.
    """
    digest = step_digest(step, [of.input for of in inputs])
    outputs = [StepFolder(of.named or join(of.folder, folder_name(step.number, step.name, digest))) for of in inputs]
    for of, output in zip(inputs, outputs, strict=True):
        if of.named:
            claim(output, digest)
    if all(output.finished for output in outputs):
        return [(output, False) for output in outputs]
    spill = join(work, digest[:8])
    if step.dedup is not None and any(decided(output, digest) is None for output in outputs):
        decide(step.dedup, digest, [of.input for of in inputs], outputs, spill, runner)
    result = []
    for of, output in zip(inputs, outputs, strict=True):
        if output.finished:
            result.append((output, False))
            continue
        keys = score_keys(step, of.input)
        tasks = ProcessTasks(step, digest, output, _stored_scores(keys, of.folder))
        runner.run(partial(_build, of.input, Process(tasks, runner)))
        header = {
            "step": step.name,
            "digest": digest,
            "source": of.name,
            "input": relative(of.input.path, output.path),
            **step.identity(),
            "score_keys": keys,
            "versions": versions(),
        }
        required = [named.key for named in step.rules if not named.optional]
        finish_step(output, header, digest, [part.number for part in of.input.parts()], required)
        result.append((output, True))
    remove(spill)
    return result


def _build(source: StepFolder, transform: Process, pipeline: beam.Pipeline) -> object:
    return pipeline | beam.Create([source]) | transform


def _stored_scores(keys: dict[str, str], folder: str) -> dict[str, StepFolder]:
    """For each filter, a finished step beside this one that holds the same scores."""
    found = {}
    for name in names(folder):
        step = StepFolder(join(folder, name))
        if step.finished:
            stored = step.manifest()["score_keys"]
            found.update({key: step for key, digest in keys.items() if stored.get(key) == digest})
    return found
