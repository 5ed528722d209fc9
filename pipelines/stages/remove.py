"""Remove: the documents of a source that someone asked to take out, behind all its other steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from corpus.dataset import StepFolder
from corpus.filters.remove import Remove
from corpus.removal import FOLDER
from corpus.steps.find import FindTasks, FoundDocument, Wanted, find_part, gather, write_wanted
from corpus.steps.identity import REMOVE_NUMBER, Step
from corpus.steps.rule import NamedRule
from corpus.storage import digest_of, exists, join, parent, read_json, remove, write_json
from pipelines.stages.process import Process
from pipelines.stages.stage import Cost, DocumentStage, Flow, Stage

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner


@dataclass(eq=False)
class RemoveListed:
    """A step without the documents that are listed. Where a source has none of them there is no step, and what is
    behind it stays as it is.

    Attributes:
        listed: of the whole run.
        before: the last stage of the source.
        home: folder of the source in that of the run.
    """

    source: str
    listed: Wanted
    before: DocumentStage
    home: str
    _finished: bool = field(default=False, init=False)  # stays so

    @property
    def name(self) -> str:
        return f"{self.source}/remove"

    @property
    def inputs(self) -> tuple[Stage, ...]:
        return (self.before,)

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,)

    def check(self) -> None:
        pass

    @cached_property
    def _search(self) -> Search:
        return Search(self.before.documents(self.source), self.listed, parent(self.home))

    @cached_property
    def _step(self) -> Process | None:
        """None where the source has none of the listed documents; the search is done."""
        found = self._search.found()
        if not found:
            return None
        ids = tuple(sorted({one.id for one in found} & {*self.listed.ids}))
        urls = tuple(sorted({one.url for one in found if one.url} & {*self.listed.urls}))
        rule = NamedRule("remove", Remove(ids=ids, urls=urls))
        return Process(Step(REMOVE_NUMBER, None, (rule,)), (self.source,), (self.before,), (self.home,))

    def identity(self) -> str | None:
        return self._search.digest if self.before.finished() else None

    def documents(self, source: str) -> StepFolder:
        return self._step.documents(source) if self._step else self.before.documents(source)

    def folders(self) -> tuple[str, ...]:
        searched = self.identity() is not None and self._search.finished
        return self._step.folders() if searched and self._step else ()

    def finished(self) -> bool:
        self._finished = self._finished or (
            self.identity() is not None and self._search.finished and (self._step is None or self._step.finished())
        )
        return self._finished

    def run(self, runner: Runner, work: str) -> None:
        self._search.run(runner, work)
        if self._step is not None:
            self._step.run(runner, work)

    def said(self, did: bool) -> list[str]:
        return self._step.said(did) if self._step else []

    def cost(self, flows: Mapping[str, Flow]) -> Cost:
        return Cost()


@dataclass(frozen=True)
class Search:
    """For what is wanted among the documents of a finished step. It is done once: what was found is kept in the run."""

    step: StepFolder
    wanted: Wanted
    run_folder: str

    @property
    def digest(self) -> str:
        wanted = {"ids": self.wanted.ids, "urls": self.wanted.urls}
        return digest_of({"step": "find", "documents": self.step.manifest_digest(), **wanted})

    @property
    def _path(self) -> str:
        return join(self.run_folder, FOLDER, f"found-{self.digest[:16]}.json")

    @property
    def finished(self) -> bool:
        return exists(self._path)

    def found(self) -> list[FoundDocument]:
        """In the order of parts and rows; the search is done."""
        return [FoundDocument(**one) for one in read_json(self._path)["found"]]

    def run(self, runner: Runner, work: str) -> None:
        import apache_beam as beam

        from pipelines.engine.partmap import PartMap

        if self.finished:
            return
        results = join(work, f"found-{self.digest[:16]}")
        write_wanted(results, self.wanted)
        tasks = FindTasks(results)
        runner.run(
            lambda pipeline: (
                pipeline
                | beam.Create([self.step])
                | "Read manifest" >> beam.FlatMap(tasks)
                | "Find" >> PartMap(find_part, runner, "find")
            ),
            results,
        )
        found = [vars(one) for one in gather(results, self.step)]
        write_json(self._path, {"found": found})
        remove(results)
