"""The tokenizer: one that exists, or one that is trained on a sample of the finished documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.recipe.load import Recipe
from corpus.recipe.sections import TokenizerSection
from corpus.steps.identity import tokenizer_digest
from corpus.storage import clear_attempts, exists, join, parent, read_json, remove, write_json
from pipelines.stages.stage import Cost, DocumentStage, Flow, Stage, Work
from tokenizer.index import read_index
from tokenizer.model import MODEL, REPORT, check_special, model_sha256
from tokenizer.sample import SampleSource, SampleTasks, sample_lines, sample_part, sample_sources
from tokenizer.train import train

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner


@dataclass(eq=False)
class Tokenizer:
    """The model that the documents of all sources are encoded with.

    Attributes:
        shares: of the text it is trained on, by source; they add up to 1. Other documents are not read.
        before: the last stage of each source.
        home: folder that gets the folder of a trained model.
        target: folder of the model instead, where a person names one.
        token_folders: that the mixture names, by name: all must be of this model.
    """

    section: TokenizerSection
    shares: Mapping[str, float]
    before: Mapping[str, DocumentStage]
    home: str
    target: str | None = None
    token_folders: Mapping[str, str] = field(default_factory=dict)

    name = "tokenizer"

    @property
    def inputs(self) -> tuple[Stage, ...]:
        return tuple(self.before.values()) if self.section.model is None else ()

    def check(self) -> None:
        model = self.section.model
        if model is not None:
            if not exists(model):
                raise UserError(
                    f"tokenizer model {model} does not exist: give its path, or leave out `model` to train one"
                )
            check_special(model, self.section.bos, self.section.eos)
        if self.finished():
            self._check_token_folders()

    def _check_token_folders(self) -> None:
        """Refuses token folders of another tokenizer before the recipe's own documents are tokenised."""
        found = model_sha256(self.model)
        for name, folder in self.token_folders.items():
            made = read_index(folder).header.tokenizer
            if made != found:
                raise UserError(
                    f"{folder} of {name} was made with the tokenizer {made[:8]}, and {self.model} is {found[:8]}: set "
                    "`model` of `tokenizer` to the folder's, or make the folder again with this one"
                )

    @cached_property
    def _documents(self) -> dict[str, StepFolder]:
        return {name: stage.documents(name) for name, stage in self.before.items()}

    @cached_property
    def _digest(self) -> str:
        return tokenizer_digest(self.section, self.shares, self._documents)

    @property
    def model(self) -> str:
        """Path of the model; the identity is known."""
        return self.section.model or join(self._folder, MODEL)

    @property
    def _folder(self) -> str:
        return self.target or join(self.home, f"tokenizer-{self._digest[:8]}")

    def identity(self) -> str | None:
        if self.section.model is not None:
            return model_sha256(self.section.model) if exists(self.section.model) else None
        return self._digest if all(stage.finished() for stage in self.before.values()) else None

    def folders(self) -> tuple[str, ...]:
        return (self._folder,) if self.section.model is None and self.identity() else ()

    def finished(self) -> bool:
        if self.section.model is not None:
            return exists(self.section.model)
        if self.identity() is None:
            return False
        report = join(self._folder, REPORT)
        return exists(report) and read_json(report)["digest"] == self._digest and exists(self.model)

    def run(self, runner: Runner, work: str) -> None:
        """Trains a model on the documents of each source by its share, as far as it has that much text.

        Raises:
            UserError: the folder holds another model, a part failed, or what `tokenizer.train.train` raises.
        """
        report, sample = join(self._folder, REPORT), join(work, self._digest[:8])
        if exists(report):
            found = read_json(report)["digest"]
            if found != self._digest:
                raise UserError(
                    f"{self._folder} holds the tokenizer {found[:8]}, and this one is {self._digest[:8]}: name another "
                    "folder, or remove it"
                )
        elif self.target and exists(self.model) and not exists(sample):
            raise UserError(f"{self.model} was not trained by this command: name another folder")
        sources = sample_sources(self.section.sample_bytes, self.shares, self._documents)
        self._sample(sources, sample, runner)
        given = dict.fromkeys(self.shares, 0)

        def lines() -> Iterator[bytes]:
            for source in sources:
                for line in sample_lines(sample, source.parts, source.limit):
                    given[source.name] += len(line)
                    yield line

        trained = train(lines(), self.model, self.section.vocab_size, self.section.max_skipped)
        clear_attempts(self._folder)
        write_json(report, {"digest": self._digest, **asdict(trained), "text_bytes": given})
        remove(sample)
        self._check_token_folders()

    def _sample(self, sources: list[SampleSource], folder: str, runner: Runner) -> None:
        import apache_beam as beam

        from pipelines.engine.partmap import PartMap

        tasks = SampleTasks(folder, self.section.held_out)
        runner.run(
            lambda pipeline: (
                pipeline
                | beam.Create(sources)
                | "Read manifests" >> beam.FlatMap(tasks)
                | "Sample" >> PartMap(sample_part, runner, "sample for the tokenizer")
            ),
            folder,
        )

    def said(self, did: bool) -> list[str]:
        lines = [f"tokenizer: {self.model} {'trained' if did else 'was there'}"]
        return lines + [f"tokenizer: {line}" for line in training_lines(self.model)] if did else lines

    def cost(self, flows: Mapping[str, Flow]) -> Cost:
        if self.section.model is not None:
            return Cost()
        size = min(self.section.sample_bytes, sum(flow.text for flow in flows.values()))
        return Cost([Work("all", "train tokenizer", size, "sample_bytes of text")])


def recipe_shares(recipe: Recipe) -> dict[str, float]:
    """Shares of the mixture among the recipe's sources, which add up to 1; equal ones where it names none of them."""
    names = [entry.name for entry in recipe.sources]
    wanted = recipe.mixture.shares if recipe.mixture else {}
    shares = {name: Fraction(str(wanted[name])) for name in names if name in wanted} or dict.fromkeys(
        names, Fraction(1)
    )
    return {name: float(share / sum(shares.values())) for name, share in shares.items()}


def training_lines(model: str) -> list[str]:
    """What the report beside a trained model says, for people."""
    report = read_json(join(parent(model), REPORT))
    whole = sum(report["text_bytes"].values())
    shares = ", ".join(f"{name} {size / whole:.1%}" for name, size in report["text_bytes"].items())
    skipped = report["skipped_bytes"] / whole
    return [
        f"SHA-256 {report['sha256']}",
        f"trained on {report['lines']:,} lines, {report['bytes']:,} bytes",
        f"left out {report['skipped_lines']:,} lines, {report['skipped_bytes']:,} bytes ({skipped:.2%}): too long "
        "or with U+2585",
        f"text by source: {shares}",
    ]
