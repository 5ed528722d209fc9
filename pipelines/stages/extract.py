"""Extract: raw files of a source to parts of documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from corpus.dataset import StepFolder, claim
from corpus.dedup.ids import BYTES_PER_DOCUMENT
from corpus.recipe.load import SourceEntry
from corpus.registry import origin
from corpus.sources.raw import RawFile, Split
from corpus.steps.dedupe import partitions_for
from corpus.steps.extract import (
    DecideIds,
    DropDuplicateIds,
    ExtractHanded,
    ExtractTasks,
    HandOver,
    SignIds,
    extract_part,
    write_splits,
)
from corpus.steps.finish import finish_step
from corpus.steps.grouping import Grouping
from corpus.steps.identity import EXTRACT_NUMBER, extract_digest, folder_name, named_source, versions
from corpus.storage import join, remove
from pipelines.stages.stage import Cost, Flow, Spill, Stage, Work, documents_said, is_finished

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner

DOCUMENT_BYTES = 2000
"""Raw bytes a document is taken to have when the search for duplicate ids is cut into partitions."""


@dataclass(eq=False)
class Extract:
    """The extract step of one source.

    Attributes:
        home: folder that gets the step's folder.
        target: the step's folder instead, where a person names one.
    """

    entry: SourceEntry
    home: str
    target: str | None = None
    _finished: bool = field(default=False, init=False)  # stays so

    @property
    def name(self) -> str:
        return f"{self.entry.name}/extract"

    @property
    def inputs(self) -> tuple[Stage, ...]:
        return ()

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.entry.name,)

    def check(self) -> None:
        self.entry.source.check(self.entry.input)

    @cached_property
    def _files(self) -> list[RawFile]:
        return self.entry.source.files(self.entry.input, self.entry.include)

    @property
    def raw_bytes(self) -> int:
        """Of all its raw files."""
        return sum(file.size for file in self._files)

    @cached_property
    def _splits(self) -> list[Split]:
        return self.entry.source.splits(self._files, self.entry.split_bytes)

    @cached_property
    def _digest(self) -> str:
        entry = self.entry
        return extract_digest(entry.name, entry.type, entry.source, self._files, self._splits)

    def identity(self) -> str:
        return self._digest

    def documents(self, source: str = "") -> StepFolder:
        return StepFolder(self.target or join(self.home, folder_name(EXTRACT_NUMBER, "extract", self._digest)))

    def folders(self) -> tuple[str, ...]:
        return (self.documents().path,)

    def finished(self) -> bool:
        self._finished = self._finished or (is_finished(self.documents(), self._digest))
        return self._finished

    def run(self, runner: Runner, work: str) -> None:
        import apache_beam as beam

        from pipelines.engine.exchange import Exchange
        from pipelines.engine.partmap import PartMap

        entry, output, digest = self.entry, self.documents(), self._digest
        claim(output, digest)
        spill = join(work, digest[:8])
        parts = len(self._splits)
        expected = self.raw_bytes // DOCUMENT_BYTES
        size = expected * BYTES_PER_DOCUMENT
        partitions = partitions_for(size)
        tasks = ExtractTasks(entry.name, entry.source, entry.input, output, digest)
        sign = SignIds(output, partitions, entry.source.ids_from_rows)
        path = write_splits(output, self._files, self._splits)

        def extracted(splits: beam.PCollection) -> beam.PCollection:
            label = f"extract {entry.name}"
            if not entry.source.hands_over:
                return splits | "Extract" >> PartMap(extract_part, runner, label)
            name = f"hand over {entry.name}"
            hand_over = Exchange(HandOver(tasks, path), parts, join(spill, "handed"), runner, name, tasks=parts)
            return splits | "Hand over" >> hand_over | "Extract" >> PartMap(ExtractHanded(tasks, path), runner, label)

        again = Exchange(DecideIds(parts), parts, join(spill, "again"), runner, "again", tasks=partitions)
        runner.run(
            lambda pipeline: (
                extracted(pipeline | beam.Create([path]) | "Read splits" >> beam.FlatMap(tasks))
                | "Ids" >> Exchange(sign, partitions, join(spill, "ids"), runner, "ids", size, parts)
                | "Duplicates" >> again
                | "Drop" >> PartMap(DropDuplicateIds(output, entry.source), runner, "duplicate ids")
            ),
            output.path,
        )
        header = {
            "step": "extract",
            "digest": digest,
            **named_source(entry.name, entry.type),
            "input": entry.input,
            "settings": entry.source.model_dump(mode="json"),
            **origin(type(entry.source)),
            "dedup": None,
            "rules": [],
            "score_keys": {},
            "versions": versions(),
        }
        finish_step(output, header, digest, range(parts))
        remove(spill)

    def said(self, did: bool) -> list[str]:
        return [documents_said(self.entry.name, self.documents(), did)]

    def cost(self, flows: Mapping[str, Flow]) -> Cost:
        name = self.entry.name
        flow = flows[name]
        size = int(flow.documents) * BYTES_PER_DOCUMENT
        grouping = Grouping(flow.parts, partitions_for(size), size)
        return Cost(
            [
                Work(name, f"extract {self.entry.type}", flow.text, "text extracted"),
                Work(name, "ids of extract", size, "hashes of ids"),
            ],
            [Spill(name, "ids of extract", grouping, f"{BYTES_PER_DOCUMENT} B x documents")],
            {name: flow},
        )
