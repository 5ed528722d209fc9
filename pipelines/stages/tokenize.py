"""Tokenize: documents of one source to packed shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from corpus.dataset import StepFolder, group_parts
from corpus.recipe.sections import TokenizerSection
from corpus.steps.identity import token_digest
from corpus.storage import clear_attempts, join
from pipelines.stages.stage import Cost, DocumentStage, Flow, Stage, Work
from pipelines.stages.tokenizer import Tokenizer
from tokenizer.index import is_whole, write_index
from tokenizer.model import check_special, model_sha256
from tokenizer.tokenize import SHARD_TEXT_BYTES, TokenizeTasks, tokenize_parts
from tokenizer.trace import write_documents

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner


@dataclass(eq=False)
class Tokenize:
    """The packed shards of one source.

    Attributes:
        before: the last stage of the source.
        home: folder that gets the folder of its shards.
    """

    source: str
    before: DocumentStage
    tokenizer: Tokenizer
    section: TokenizerSection
    home: str
    _finished: bool = field(default=False, init=False)  # stays so

    @property
    def name(self) -> str:
        return f"tokenize/{self.source}"

    @property
    def inputs(self) -> tuple[Stage, ...]:
        return (self.before, self.tokenizer)

    def check(self) -> None:
        pass

    @cached_property
    def _documents(self) -> StepFolder:
        return self.before.documents(self.source)

    @cached_property
    def _digest(self) -> str:
        return token_digest(self._documents, model_sha256(self.tokenizer.model), self.section)

    def identity(self) -> str | None:
        return self._digest if self.before.finished() and self.tokenizer.finished() else None

    @property
    def folder(self) -> str:
        """Of the shards; the identity is known."""
        return join(self.home, f"{self.source}-{self._digest[:8]}")

    def folders(self) -> tuple[str, ...]:
        return (self.folder,) if self.identity() else ()

    def finished(self) -> bool:
        self._finished = self._finished or (self.identity() is not None and is_whole(self.folder))
        return self._finished

    def run(self, runner: Runner, work: str) -> None:
        import apache_beam as beam

        from pipelines.engine.partmap import PartMap

        model, documents, folder = self.tokenizer.model, self._documents, self.folder
        check_special(model, self.section.bos, self.section.eos)
        tasks = TokenizeTasks(folder, model, self.section)
        runner.run(
            lambda pipeline: (
                pipeline
                | beam.Create([documents])
                | "Read manifest" >> beam.FlatMap(tasks)
                | "Tokenize" >> PartMap(tokenize_parts, runner, f"tokenize {self.source}")
            ),
            folder,
        )
        clear_attempts(folder)
        write_documents(folder, documents.path, model)
        write_index(folder, len(group_parts(documents.parts(), SHARD_TEXT_BYTES)))

    def said(self, did: bool) -> list[str]:
        return [f"{self.source}: {self.folder} {'done' if did else 'was done'}"]

    def cost(self, flows: Mapping[str, Flow]) -> Cost:
        return Cost([Work(self.source, "tokenize", flows[self.source].text, "text finished")])
