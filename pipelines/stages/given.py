"""A finished step that a person names by its folder, as the input of a stage by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpus.dataset import StepFolder
from pipelines.stages.stage import Cost, Flow, Stage

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner


@dataclass(eq=False)
class Given:
    """Nothing to run: the folder is there, or it is an error."""

    folder: StepFolder

    @property
    def name(self) -> str:
        return self.folder.path

    @property
    def inputs(self) -> tuple[Stage, ...]:
        return ()

    @property
    def sources(self) -> tuple[str, ...]:
        return (str(self.folder.manifest()["source"]),)

    def check(self) -> None:
        self.folder.manifest()

    def identity(self) -> str:
        return str(self.folder.manifest()["digest"])

    def documents(self, source: str) -> StepFolder:
        return self.folder

    def folders(self) -> tuple[str, ...]:
        return (self.folder.path,)

    def finished(self) -> bool:
        return self.folder.finished

    def run(self, runner: Runner, work: str) -> None:
        pass

    def said(self, did: bool) -> list[str]:
        return []

    def cost(self, flows: Mapping[str, Flow]) -> Cost:
        return Cost()
