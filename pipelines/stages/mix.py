"""Mix: which sequence of which source is trained on when."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from corpus.errors import UserError
from corpus.recipe.sections import MixtureSection
from corpus.storage import exists, join
from pipelines.stages.stage import Cost, Flow, Stage
from pipelines.stages.tokenize import Tokenize
from tokenizer.mixture import Mixture, make_mixture, manifest_path, mixture_digest, write_manifest

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner


@dataclass(eq=False)
class Mix:
    """The order of training over the token folders of the run and those that the section names.

    Attributes:
        before: the tokens of each source.
        home: the run's folder.
    """

    section: MixtureSection
    before: Mapping[str, Tokenize]
    home: str
    _finished: bool = field(default=False, init=False)  # stays so

    name = "mix"

    @property
    def inputs(self) -> tuple[Stage, ...]:
        return tuple(self.before.values())

    def check(self) -> None:
        for name, folder in self.section.folders.items():
            if not exists(join(folder, "index.json")):
                raise UserError(f"{folder} of {name} has no index.json: give a finished token folder")

    @cached_property
    def _mixture(self) -> Mixture:
        section = self.section
        return make_mixture(
            section.shares,
            {**{name: stage.folder for name, stage in self.before.items()}, **section.folders},
            section.tokens,
            section.sequence_length,
            section.seed,
            section.max_epochs,
        )

    @property
    def manifest(self) -> str:
        """Path of the order's manifest; the identity is known."""
        return manifest_path(self._mixture, self.home)

    def identity(self) -> str | None:
        ready = all(stage.finished() for stage in self.before.values())
        return mixture_digest(self._mixture) if ready else None

    def folders(self) -> tuple[str, ...]:
        return (posixpath.dirname(self.manifest),) if self.identity() else ()

    def finished(self) -> bool:
        self._finished = self._finished or (self.identity() is not None and exists(self.manifest))
        return self._finished

    def run(self, runner: Runner, work: str) -> None:
        """Raises UserError: what `tokenizer.mixture.make_mixture` raises."""
        write_manifest(self._mixture, self.home)

    def said(self, did: bool) -> list[str]:
        return [f"mixture: {self.manifest} {'written' if did else 'was there'}"]

    def cost(self, flows: Mapping[str, Flow]) -> Cost:
        return Cost()
