"""Process: a dedup's decisions, then cleaners and filters, part by part; of one source, or across several."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from corpus.dataset import StepFolder, claim
from corpus.steps.dedup_index import KeptInput, check_index, finish_index, index_finished, keep_part, seen
from corpus.steps.dedupe import (
    SignInput,
    SignTasks,
    WriteDecisions,
    decided,
    finish_decisions,
    keep_tasks,
    sign,
    sign_inputs,
    turn,
    widths,
    would_drop,
)
from corpus.steps.finish import finish_step
from corpus.steps.grouping import Grouping
from corpus.steps.identity import Step, folder_name, score_keys, step_digest, versions
from corpus.steps.process import ProcessTasks, process_part
from corpus.steps.rule import NamedRule
from corpus.storage import join, names, relative, remove
from pipelines.stages.stage import Cost, DocumentStage, Flow, Spill, Stage, Work, documents_said, is_finished

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner


@dataclass(eq=False)
class Process:
    """One step over one source, or over several for a dedup across sources, whose order is their priority.

    Attributes:
        before: the stage of each source that makes its documents.
        homes: for each source, the folder that gets the step's folder.
        across: the step is one of `across` in the recipe.
        target: the step's folder instead, where a person names one.
    """

    step: Step
    sources: tuple[str, ...]
    before: tuple[DocumentStage, ...]
    homes: tuple[str, ...]
    across: bool = False
    target: str | None = None
    _finished: bool = field(default=False, init=False)  # stays so

    @property
    def name(self) -> str:
        across = ("across",) if self.across else ()  # rules of a source may be of the same name
        alone = self.sources if len(self.sources) == 1 else ()
        return "/".join((*across, *alone, self.step.name))

    @property
    def inputs(self) -> tuple[Stage, ...]:
        return self.before

    def check(self) -> None:
        if self.step.dedup is not None:
            check_index(self.step.dedup, len(self.sources))

    @cached_property
    def _inputs(self) -> list[StepFolder]:
        return [stage.documents(source) for stage, source in zip(self.before, self.sources, strict=True)]

    @cached_property
    def _digest(self) -> str:
        return step_digest(self.step, self._inputs)

    def identity(self) -> str | None:
        return self._digest if all(stage.finished() for stage in self.before) else None

    def documents(self, source: str) -> StepFolder:
        if self.target:
            return StepFolder(self.target)
        home = self.homes[self.sources.index(source)]
        return StepFolder(join(home, folder_name(self.step.number, self.step.name, self._digest)))

    @property
    def _outputs(self) -> list[StepFolder]:
        return [self.documents(source) for source in self.sources]

    def folders(self) -> tuple[str, ...]:
        return tuple(output.path for output in self._outputs) if self.identity() else ()

    def finished(self) -> bool:
        self._finished = self._finished or (
            self.identity() is not None
            and all(is_finished(output, self._digest) for output in self._outputs)
            and index_finished(self.step.dedup, self._digest)
        )
        return self._finished

    def run(self, runner: Runner, work: str) -> None:
        digest, outputs = self._digest, self._outputs
        for output in outputs:
            claim(output, digest)
        spill = join(work, digest[:8])
        if self.step.dedup is not None and any(decided(output, digest) is None for output in outputs):
            _decide(self.step.dedup, digest, self._inputs, outputs, spill, runner)
        for source, folder, output, home in zip(self.sources, self._inputs, outputs, self.homes, strict=True):
            if not is_finished(output, digest):
                self._process(source, folder, output, home, runner)
        if not index_finished(self.step.dedup, digest):
            self._keep(runner)
        remove(spill)

    def _keep(self, runner: Runner) -> None:
        """Writes the index of a dedup whose decisions are complete."""
        import apache_beam as beam

        from pipelines.engine.partmap import PartMap

        named = self.step.dedup
        assert named is not None
        before = seen(named.dedup.against)
        signed, _ = sign_inputs(self._inputs, self._outputs, before)
        tasks = list(keep_tasks(named, self._digest, signed, before))
        label = f"{named.key}: index"
        assert named.dedup.index is not None
        runner.run(
            lambda pipeline: pipeline | beam.Create(tasks) | "Keep" >> PartMap(keep_part, runner, label),
            named.dedup.index,
        )
        finish_index(named, self._digest, self._inputs)

    def _process(self, source: str, folder: StepFolder, output: StepFolder, home: str, runner: Runner) -> None:
        import apache_beam as beam

        from pipelines.engine.partmap import PartMap

        keys = score_keys(self.step, folder)
        tasks = ProcessTasks(self.step, self._digest, output, _stored_scores(keys, home))
        runner.run(
            lambda pipeline: (
                pipeline
                | beam.Create([folder])
                | "Read manifest" >> beam.FlatMap(tasks)
                | "Process" >> PartMap(process_part, runner, self.step.name)
            ),
            output.path,
        )
        header = {
            "step": self.step.name,
            "digest": self._digest,
            "source": source,
            "input": relative(folder.path, output.path),
            **self.step.identity(),
            "score_keys": keys,
            "versions": versions(),
        }
        required = [named.key for named in self.step.rules if not named.optional]
        finish_step(output, header, self._digest, [part.number for part in folder.parts()], required)

    def said(self, did: bool) -> list[str]:
        lines = [documents_said(source, self.documents(source), did) for source in self.sources]
        if self.step.dedup is not None and self.step.dedup.dedup.index is not None:
            lines.append(f"{self.name}: index {self.step.dedup.dedup.index} {'done' if did else 'was done'}")
        return lines

    def cost(self, flows: Mapping[str, Flow]) -> Cost:
        cost = Cost()
        dedup = self.step.dedup
        for source, home in zip(self.sources, self.homes, strict=True):
            flow = flows[source]
            left = flow.text
            if dedup is not None:
                cost.work.append(Work(source, f"{dedup.name}: sign", left, "text in"))
                cost.work.append(
                    Work(source, f"{dedup.name}: decide", float(dedup.dedup.estimate(*_all([flow]))), "signatures")
                )
                cost.work.append(Work(source, f"{dedup.name}: apply", left, "text in"))
                left *= dedup.rule.keeps
            for named in self.step.rules:
                cost.work.append(Work(source, named.name, left, "text in"))
                left *= named.rule.keeps
            cost.work.append(Work(source, "read and write parts", flow.text, "text in"))
            cost.flows[source] = replace(flow, text=flow.text * self.keeps(home))
        if dedup is not None:
            before = seen(dedup.dedup.against)
            documents, text = _all([flows[source] for source in self.sources])
            documents, text = before.documents + documents, before.text_bytes + text
            parts = before.parts + sum(flows[source].parts for source in self.sources)
            partitions = widths(dedup.dedup.rounds(), dedup.dedup.estimate(documents, text), parts)[0]
            grouping = Grouping(parts, partitions, dedup.dedup.shipped(documents, text))
            where = self.sources[0] if len(self.sources) == 1 else "across"
            cost.spills.append(Spill(where, dedup.key, grouping, dedup.dedup.spills))
        return cost

    def keeps(self, home: str) -> float:
        """The share of the text that stays: what a finished step of the source kept, or else what is assumed."""
        for name in names(home):
            folder = StepFolder(join(home, name))
            if name.startswith(f"{self.step.number}-{self.step.name}-") and folder.finished:
                text = folder.manifest()["text_bytes"]
                if text["in"]:
                    return float(text["out"] / text["in"])
        return prod(named.rule.keeps for named in self.step.chain)


def _all(flows: Sequence[Flow]) -> tuple[int, int]:
    """(documents, bytes of text) of all sources."""
    return int(sum(flow.documents for flow in flows)), int(sum(flow.text for flow in flows))


def _decide(
    named: NamedRule,
    step: str,
    inputs: Sequence[StepFolder],
    outputs: Sequence[StepFolder],
    work: str,
    runner: Runner,
) -> None:
    """Writes the decisions of a dedup for every part of its inputs, and then that they are complete: signs parts,
    regroups, decides round by round."""
    import apache_beam as beam

    from pipelines.engine.exchange import Exchange
    from pipelines.engine.partmap import PartMap

    for output in outputs:
        if decided(output, step) is None:
            # Another step may have left some in a folder named by hand, for parts that this one decides nothing for.
            remove(output.dedup_folder)
    before = seen(named.dedup.against)
    signed, parts = sign_inputs(inputs, outputs, before)
    every: tuple[SignInput | KeptInput, ...] = (*before.inputs, *signed)
    documents = before.documents + sum(p.documents for p in parts)
    text = before.text_bytes + sum(p.text_bytes for p in parts)
    tasks_in_all = before.parts + len(parts)
    size, shipped = named.dedup.estimate(documents, text), named.dedup.shipped(documents, text)
    if not runner.quiet:
        each = shipped / max(1, documents)
        print(f"{named.key}: regroups about {shipped:,} bytes, {each:,.0f} a document", file=sys.stderr)
    rounds = named.dedup.rounds()
    partitions = widths(rounds, size, tasks_in_all)

    def build(pipeline: beam.Pipeline) -> object:
        blocks = (
            pipeline
            | beam.Create(every)
            | "Read manifests" >> beam.FlatMap(SignTasks(named, partitions[0]))
            | "Sign"
            >> Exchange(sign, partitions[0], join(work, "sign"), runner, f"{named.key}: sign", size, tasks_in_all)
        )
        for number, (given, tasks, width) in enumerate(zip(rounds, partitions, partitions[1:], strict=False), 1):
            name = f"decide-{number}"
            blocks = blocks | f"Decide {number}" >> Exchange(
                turn(given, every, width), width, join(work, name), runner, f"{named.key}: {name}", size, tasks
            )
        return blocks | "Write decisions" >> PartMap(WriteDecisions(every), runner, f"{named.key}: decisions")

    runner.run(build, outputs[0].path)
    for source in signed:
        finish_decisions(source, every, step)
        line = would_drop(source, named.dedup)
        if line is not None:
            print(line, file=sys.stderr)


def _stored_scores(keys: dict[str, str], folder: str) -> dict[str, StepFolder]:
    """For each filter, a finished step beside this one that holds the same scores."""
    found = {}
    for name in names(folder):
        step = StepFolder(join(folder, name))
        if step.finished:
            stored = step.manifest()["score_keys"]
            found.update({key: step for key, digest in keys.items() if stored.get(key) == digest})
    return found
