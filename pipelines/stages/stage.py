"""What a stage of a run is. `pipelines.graph` puts them in order; `run`, `status`, `gc` and the plan walk them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from corpus.dataset import StepFolder
from corpus.steps.extract import ID_WITH_OTHER_TEXT, SECOND_ID
from corpus.steps.grouping import Grouping

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner


@dataclass(frozen=True)
class Flow:
    """The documents of one source at one point of a plan.

    Attributes:
        text: bytes of UTF-8.
        document_bytes: of one document.
        parts: that they are in.
    """

    text: float
    document_bytes: float
    parts: int

    @property
    def documents(self) -> float:
        return self.text / self.document_bytes


@dataclass(frozen=True)
class Work:
    """One piece of work on one source, as a plan counts it.

    Attributes:
        name: as `pipelines.plan.rates` has it.
        bytes: that the rate is of.
        what: the bytes are.
    """

    source: str
    name: str
    bytes: float
    what: str


@dataclass(frozen=True)
class Spill:
    """Bytes that lie in `.work`, or go through a cluster's shuffle, while a stage is under way.

    Attributes:
        grouping: of the exchange that they go through; its `size` is without framing, and of one pass.
        formula: of that size.
    """

    source: str
    name: str
    grouping: Grouping
    formula: str


@dataclass(frozen=True)
class Cost:
    """What a stage takes by a plan.

    Attributes:
        flows: of the sources whose documents it changes, after it.
    """

    work: list[Work] = field(default_factory=list)
    spills: list[Spill] = field(default_factory=list)
    flows: dict[str, Flow] = field(default_factory=dict)


class Stage(Protocol):
    """One piece of a run: what it is made from, the folders that it makes, and how.

    A kind of stage is one file and one line in `pipelines/graph.py`.
    """

    @property
    def name(self) -> str:
        """For example "wikipedia/wikitext", "across/near", "tokenizer", "tokenize/books", "mix"."""

    @property
    def inputs(self) -> tuple[Stage, ...]:
        """The stages that must be finished before this one."""

    def check(self) -> None:
        """Says before anything is run what would stop this stage later.

        Raises:
            UserError: a file that the recipe names is not there, or does not fit.
        """

    def identity(self) -> str | None:
        """The digest of what it makes; None while an input is not finished."""

    def folders(self) -> tuple[str, ...]:
        """The folders that it makes; empty as long as the identity is not known."""

    def finished(self) -> bool:
        """Whether they are whole."""

    def run(self, runner: Runner, work: str) -> None:
        """Makes what is missing of them. `work` is the run's folder for files that are removed in the end.

        Raises:
            UserError: a part failed, or the result is refused.
        """

    def said(self, did: bool) -> list[str]:
        """What a person is told of the finished stage, whose work was done now or before."""

    def cost(self, flows: Mapping[str, Flow]) -> Cost:
        """What it will take. `flows` are the documents of each source before it."""


class DocumentStage(Stage, Protocol):
    """A stage that makes documents of one or several sources."""

    @property
    def sources(self) -> tuple[str, ...]: ...

    def documents(self, source: str) -> StepFolder:
        """The folder of a source's documents; the identity is known."""


NOTES = {
    ID_WITH_OTHER_TEXT: "of them have the id of another document and another text",
    SECOND_ID: "of them have the URL of another document, and got an id of their own",
}
"""What is counted in a step besides what it drops, in words."""


def is_finished(folder: StepFolder, digest: str) -> bool:
    """Whether a step's folder holds the whole result of this digest."""
    return folder.finished and folder.manifest()["digest"] == digest


def documents_said(source: str, folder: StepFolder, did: bool) -> str:
    """What a person is told of one source's documents after a step."""
    manifest = folder.manifest()
    counts = manifest["documents"]
    notes = "".join(f"; {count:,} {NOTES[what]}" for what, count in manifest.get("notes", {}).items())
    return f"{source}: {folder.path} {'done' if did else 'was done'}: {counts['in']} in, {counts['out']} out{notes}"
