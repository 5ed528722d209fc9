"""Dedupe: sign parts, regroup, decide; the decisions are applied by `pipelines.process`."""

from collections.abc import Sequence
from dataclasses import dataclass

import apache_beam as beam

from corpus.dataset import StepFolder
from corpus.steps.dedupe import Decide, WriteDecisions, decided, finish_decisions, partitions_for, sign
from corpus.steps.plan import SignInput, SignTasks, sign_inputs
from corpus.steps.rule import NamedRule
from corpus.storage import join, remove
from pipelines.exchange import Exchange
from pipelines.partmap import PartMap
from pipelines.runner import Runner


@dataclass
class Dedupe(beam.PTransform):
    """Inputs of a dedup -> counts of each part's decisions, which lie in the step's folder."""

    named: NamedRule
    inputs: Sequence[SignInput]
    parts: int
    partitions: int
    work: str
    runner: Runner

    def expand(self, inputs: beam.PCollection) -> beam.PCollection:
        rounds = self.named.dedup.rounds()
        widths = [given.partitions or self.partitions for given in rounds] + [self.parts]
        blocks = (
            inputs
            | "Read manifests" >> beam.FlatMap(SignTasks(self.named, widths[0]))
            | "Sign" >> Exchange(sign, widths[0], join(self.work, "sign"), self.runner, f"{self.named.key}: sign")
        )
        for number, (given, width) in enumerate(zip(rounds, widths[1:], strict=True)):
            name = f"decide-{number + 1}"
            blocks = blocks | f"Decide {number + 1}" >> Exchange(
                Decide(given, width), width, join(self.work, name), self.runner, f"{self.named.key}: {name}"
            )
        folders = tuple((of.first, of.output) for of in self.inputs)
        return blocks | "Write decisions" >> PartMap(
            WriteDecisions(folders), self.runner, f"{self.named.key}: decisions"
        )


def decide(
    named: NamedRule,
    step: str,
    inputs: Sequence[StepFolder],
    outputs: Sequence[StepFolder],
    work: str,
    runner: Runner,
) -> None:
    """Writes the decisions of a dedup for every part of its inputs, and then that they are complete."""
    for output in outputs:
        if decided(output, step) is None:
            # Another step may have left some in a folder named by hand, for parts that this one decides nothing for.
            remove(output.dedup_folder)
    signed, parts = sign_inputs(inputs, outputs)
    size = named.dedup.estimate(sum(p.documents for p in parts), sum(p.text_bytes for p in parts))
    transform = Dedupe(named, signed, len(parts), partitions_for(size), work, runner)
    runner.run(lambda pipeline: pipeline | beam.Create(signed) | transform)
    for output in outputs:
        finish_decisions(output, step)
