"""A recipe as the stages of a run, in order. Imports no Beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from corpus.dataset import StepFolder
from corpus.errors import UserError, known
from corpus.recipe.load import Recipe, SourceEntry
from corpus.removal import listed
from corpus.steps.identity import ACROSS_NUMBER, Step, steps_of
from corpus.storage import join
from pipelines.stages.extract import Extract
from pipelines.stages.mix import Mix
from pipelines.stages.process import Process
from pipelines.stages.remove import RemoveListed
from pipelines.stages.stage import DocumentStage, Stage
from pipelines.stages.tokenize import Tokenize
from pipelines.stages.tokenizer import Tokenizer, recipe_shares

ENDS = ("across", "tokenizer", "tokenize", "mix")
"""Stages that a run can end with, behind those of the sources."""


@dataclass(frozen=True)
class Graph:
    """The stages of a run.

    Attributes:
        stages: all of them; each stands after its inputs.
        documents: of each source, the stages that make its documents, in order.
        tokens: of each source, the stage that packs its shards.
    """

    recipe: Recipe
    stages: tuple[Stage, ...]
    documents: dict[str, tuple[DocumentStage, ...]]
    tokenizer: Tokenizer | None
    tokens: dict[str, Tokenize]
    mix: Mix | None

    def finished_documents(self) -> dict[str, list[StepFolder]]:
        """Of each source its finished steps in order, as far as they go."""
        return {
            source: [stage.documents(source) for stage in stages if stage.finished() and stage.folders()]
            for source, stages in self.documents.items()
        }


def compile_graph(recipe: Recipe, only: Sequence[str] = (), until: str | None = None) -> Graph:
    """The stages of a recipe.

    Args:
        only: limits them to some sources, and ends before `across`.
        until: the last stage: `extract`, the key of a rule, `across`, `tokenizer`, `tokenize` or `mix`.

    Raises:
        UserError: a source or stage that the recipe does not have.
    """
    _check_names(recipe, only, until)
    documents = {
        entry.name: _of_source(recipe, entry, until) for entry in recipe.sources if not only or entry.name in only
    }
    ends = only or not (until is None or until in ENDS)
    across = [] if ends else _across(recipe, documents)
    stages: list[Stage] = [*(stage for chain in documents.values() for stage in chain), *across]
    for stage in across:
        for source in stage.sources:
            documents[source] = (*documents[source], stage)
    last: dict[str, DocumentStage] = {source: chain[-1] for source, chain in documents.items()}
    # A tokenizer is trained on what stood there before: another one would make all tokens and models anew.
    whole = dict(last)
    if not ends and (wanted := listed(recipe.output)):
        for source, before in whole.items():
            last[source] = RemoveListed(source, wanted, before, join(recipe.output, source))
            documents[source] = (*documents[source], last[source])
        stages += last.values()

    tokenizer = mix = None
    tokens: dict[str, Tokenize] = {}
    folders = recipe.mixture.folders if recipe.mixture else {}
    if recipe.tokenizer is not None and not ends and until != "across":
        section = recipe.tokenizer
        tokenizer = Tokenizer(section, recipe_shares(recipe), whole, recipe.output, token_folders=folders)
        stages.append(tokenizer)
        if until != "tokenizer":
            home = join(recipe.output, "tokens")
            tokens = {name: Tokenize(name, stage, tokenizer, section, home) for name, stage in last.items()}
            stages += tokens.values()
    if recipe.mixture is not None and not ends and until in (None, "mix"):
        mix = Mix(recipe.mixture, tokens, recipe.output)
        stages.append(mix)
    return Graph(recipe, tuple(stages), documents, tokenizer, tokens, mix)


def _of_source(recipe: Recipe, entry: SourceEntry, until: str | None) -> tuple[DocumentStage, ...]:
    home = join(recipe.output, entry.name)
    stages: list[DocumentStage] = [Extract(entry, home)]
    for step in _until(steps_of(entry.steps), until) if until != "extract" else ():
        stages.append(Process(step, (entry.name,), (stages[-1],), (home,)))
    return tuple(stages)


def _across(recipe: Recipe, documents: dict[str, tuple[DocumentStage, ...]]) -> list[Process]:
    """A dedup looks at all sources together; what stands before the first one needs to see only its own."""
    stages: list[Process] = []
    last = {source: chain[-1] for source, chain in documents.items()}
    for step in steps_of(recipe.across, ACROSS_NUMBER, between=1):
        groups = [tuple(last)] if step.dedup else [(source,) for source in last]
        for sources in groups:
            homes = tuple(join(recipe.output, source) for source in sources)
            stage = Process(step, sources, tuple(last[source] for source in sources), homes, across=True)
            stages.append(stage)
            last.update(dict.fromkeys(sources, stage))
    return stages


def _until(steps: list[Step], until: str | None) -> list[Step]:
    """Steps up to the one that holds the rule `until`, which ends that step."""
    chosen: list[Step] = []
    for step in steps:
        if until in [rule.key for rule in step.chain]:
            return [*chosen, step.until(str(until))]
        chosen.append(step)
    return chosen


def _check_names(recipe: Recipe, only: Sequence[str], until: str | None) -> None:
    sources = [entry.name for entry in recipe.sources]
    for name in only:
        if name not in sources:
            raise UserError(f"{recipe.path} has no source {name}; {known(name, sources)}")
    keys = [rule.key for entry in recipe.sources if not only or entry.name in only for rule in entry.steps]
    steps = ["extract", *dict.fromkeys(keys), *ENDS]
    if until is not None and until not in steps:
        raise UserError(f"{recipe.path} has no step {until}; {known(until, steps)}")
