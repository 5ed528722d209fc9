"""The page of a run: `report.html` in its folder. It is made from manifests, stored scores and narrow columns; of texts
only those that it shows are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.recipe.load import Recipe, load
from corpus.removal import asked_out
from corpus.report.columns import SourceColumns, Survival, columns_of, scored_languages
from corpus.report.page import write_page
from corpus.report.plots import bars
from corpus.report.step import (
    Distribution,
    ShownCluster,
    ShownPerplexity,
    ShownStep,
    distribution,
    lengths,
    perplexities,
    shown_clusters,
    shown_step,
)
from corpus.report.summary import SourceSummary, summarise
from corpus.report.warn import warnings_of
from corpus.storage import join, open_read
from corpus.tuning.histogram import histogram_of
from pipelines.graph import Graph, compile_graph
from pipelines.record import attempts, kept_recipes
from pipelines.stages.extract import Extract
from pipelines.stages.process import Process
from pipelines.stages.stage import NOTES, DocumentStage, Stage
from pipelines.stages.tokenize import Tokenize
from tokenizer.index import TokenIndex, read_index
from tokenizer.mixture import Mixture, read_manifest
from tokenizer.remote import open_shard

NAME = "report.html"


@dataclass(frozen=True)
class ShownSource:
    """One source of a run, as far as it went.

    Attributes:
        raw_bytes: of its raw files, packed as they are.
        summary: None of a source that is tokens from elsewhere, which has no steps.
        plot: an SVG element: bytes of text that each step left and took.
        tokens: None as long as there are none.
        token_lengths: tokens of its documents.
        found: languages that filters of its steps found, by the step.
    """

    name: str
    raw_bytes: int | None
    summary: SourceSummary | None
    steps: list[ShownStep]
    plot: str | None
    tokens: TokenIndex | None
    token_lengths: Distribution | None
    columns: SourceColumns | None
    found: list[tuple[str, list[Survival]]]
    lengths: list[Distribution]
    perplexities: list[ShownPerplexity]

    @property
    def held_out(self) -> int:
        """Tokens."""
        return sum(shard.tokens for shard in self.tokens.heldout) if self.tokens else 0

    @property
    def bytes_per_token(self) -> float | None:
        """Of its finished text."""
        if self.tokens is None:
            return None
        shards = self.tokens.shards + self.tokens.heldout
        tokens = sum(shard.tokens for shard in shards)
        return sum(shard.text_bytes for shard in shards) / tokens if tokens else None


@dataclass(frozen=True)
class ShownTime:
    """How long a finished stage took.

    Attributes:
        seconds: of all the times that it was worked on.
        text_bytes, documents: that came in, where it works on documents.
    """

    stage: str
    started: str
    times: int
    runner: str
    seconds: float
    text_bytes: int | None
    documents: int | None


def graph_of(run: str) -> Graph:
    """The stages of the recipe that a run was made by last.

    Raises:
        UserError: `run` is not a run's folder.
    """
    if not kept_recipes(run):
        raise UserError(f"{run} has no recipe.yaml: give the folder of a run")
    return compile_graph(load(join(run, "recipe.yaml"), {"output": run}, needs_models=False))


def report_after(graph: Graph, limited: bool, say: Callable[[str], None]) -> None:
    """Writes the page at the end of a run, and says where it is. Where that fails the run is none the worse, and the
    reason is said.

    Args:
        limited: the graph has not all stages of the recipe: the page shows the others too, as far as they went.
    """
    try:
        say(f"report: {write_report(compile_graph(graph.recipe) if limited else graph)}")
    except Exception as error:
        what = f"{error}" if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        again = f"`corpus report {graph.recipe.output}` tries again"
        say(f"report: none was written ({' '.join(what.split())}); all else is done, and {again}")


def write_report(graph: Graph, path: str | None = None) -> str:
    """Writes the page of a run and returns its path: `report.html` in the run's folder unless another is given.

    Raises:
        UserError: no step of it is finished, or Jinja or matplotlib is not installed.
    """
    run = graph.recipe.output
    problems = list(dict.fromkeys(_unknown(graph)))
    hidden = asked_out(run)
    sources = list(_sources(graph, hidden))
    if not any(source.steps for source in sources):
        why = f": {problems[0]}" if problems else ""
        raise UserError(f"no step of {run} is finished, so there is nothing to report{why}")
    mixture = _mixture(graph)
    warnings = [*problems, *_warnings(graph, sources, mixture)]
    target = path or join(run, NAME)
    write_page(
        target,
        "run.html",
        run=run,
        sources=sources,
        warnings=warnings,
        clusters=_clusters(graph, hidden),
        mixture=mixture,
        times=list(_times(graph)),
        packages=_packages(sources),
        recipe=_recipe_text(graph.recipe),
        recipes=[kept.origin for kept in kept_recipes(run)],
    )
    return target


def _done(stage: Stage) -> bool:
    """Whether a stage is known to be finished."""
    try:
        return stage.finished()
    except UserError:  # its raw files are gone
        return False


def _unknown(graph: Graph) -> Iterator[str]:
    """What keeps it from being known whether a stage is finished."""
    for stage in graph.stages:
        try:
            stage.finished()
        except UserError as error:
            yield str(error)


def finished_documents(graph: Graph) -> dict[str, list[DocumentStage]]:
    """Of each source its finished stages that have a folder, in order."""
    return {
        source: [stage for stage in stages if _done(stage) and stage.folders()]
        for source, stages in graph.documents.items()
    }


def _sources(graph: Graph, hidden: frozenset[str]) -> Iterator[ShownSource]:
    for name, stages in finished_documents(graph).items():
        tokens = graph.tokens.get(name)
        yield _source(name, stages, tokens.folder if tokens and _done(tokens) else None, hidden)
    for name, folder in (graph.recipe.mixture.folders if graph.recipe.mixture else {}).items():
        yield _source(name, [], folder, hidden)


def _source(name: str, stages: list[DocumentStage], tokens: str | None, hidden: frozenset[str]) -> ShownSource:
    folders = [stage.documents(name) for stage in stages]
    steps = [shown_step(folder, hidden) for folder in folders]
    index = read_index(tokens) if tokens else None
    return ShownSource(
        name=name,
        raw_bytes=stages[0].raw_bytes if stages and isinstance(stages[0], Extract) else None,
        summary=summarise(name, folders) if folders else None,
        steps=steps,
        plot=_funnel(steps) if steps else None,
        tokens=index,
        token_lengths=_token_lengths(name, tokens, index) if tokens and index else None,
        columns=columns_of(folders[0], folders[-1]) if folders else None,
        found=[(step.name, found) for step in steps[1:] if (found := scored_languages(step.folder))],
        lengths=[one for folder in folders for one in lengths(folder)],
        perplexities=[one for folder in folders for one in perplexities(folder)],
    )


def _funnel(steps: list[ShownStep]) -> str:
    left = [step.manifest["text_bytes"]["out"] for step in steps]
    taken = [max(0, step.text_dropped) for step in steps]  # a cleaner may add text
    return bars([step.name for step in steps], left, "bytes of text", taken)


def _token_lengths(name: str, folder: str, index: TokenIndex) -> Distribution | None:
    shards = [open_shard(join(folder, shard.name)) for shard in index.shards]
    counts = np.concatenate([np.diff(shard.document_offsets.astype(np.int64)) for shard in shards])
    histogram = histogram_of(counts)
    return None if histogram is None else distribution(name, histogram, (), "tokens in a document", "")


def _clusters(graph: Graph, hidden: frozenset[str]) -> list[tuple[str, list[ShownCluster]]]:
    """Of each finished dedup that says what went for what."""
    found = []
    for stage in graph.stages:
        if isinstance(stage, Process) and stage.step.dedup and _done(stage):
            clusters = shown_clusters([StepFolder(folder) for folder in stage.folders()], hidden)
            if clusters:
                found.append((stage.name, clusters))
    return found


def _mixture(graph: Graph) -> Mixture | None:
    return read_manifest(graph.mix.manifest) if graph.mix and _done(graph.mix) else None


def _warnings(graph: Graph, sources: list[ShownSource], mixture: Mixture | None) -> Iterator[str]:
    if missing := [stage.name for stage in graph.stages if not _done(stage)]:
        yield f"not finished, and not on this page: {', '.join(missing)}"
    for source in sources:
        for step in source.steps:
            for what, count in step.manifest.get("notes", {}).items():
                out = step.manifest["documents"]["out"]
                yield f"{source.name}: {out:,} documents came out of {step.name}; {count:,} {NOTES[what]}"
    yield from warnings_of({source.name: source.steps for source in sources if source.steps})
    for use in mixture.usage() if mixture else ():
        if use.repeated:
            yield (
                f"{use.name} is short of its share of {float(use.share):.1%}: the run goes through it "
                f"{float(use.epochs):.2f} times"
            )


def _packages(sources: list[ShownSource]) -> list[str]:
    """Those that the steps were made with; of a package in two versions both."""
    versions = [step.manifest["versions"] for source in sources for step in source.steps]
    return sorted({f"{name} {version}" for some in versions for name, version in some.items()})


def _times(graph: Graph) -> Iterator[ShownTime]:
    for stage in graph.stages:
        tried = attempts(graph.recipe.output, stage) if _done(stage) else []
        if not tried:
            continue
        manifests = _manifests(stage)
        side = "out" if isinstance(stage, Tokenize) else "in"
        yield ShownTime(
            stage.name,
            tried[0].started,
            len(tried),
            tried[-1].runner,
            sum(attempt.seconds or 0.0 for attempt in tried),
            sum(manifest["text_bytes"][side] for manifest in manifests) if manifests else None,
            sum(manifest["documents"][side] for manifest in manifests) if manifests else None,
        )


def _manifests(stage: Stage) -> list[Mapping[str, Any]]:
    """Manifests of the steps that a stage makes, or reads."""
    if isinstance(stage, Tokenize):
        return [stage.before.documents(stage.source).manifest()]
    if isinstance(stage, Extract | Process):
        return [StepFolder(folder).manifest() for folder in stage.folders()]
    return []


def _recipe_text(recipe: Recipe) -> str:
    with open_read(join(recipe.output, "recipe.yaml")) as file:
        return file.read().decode("utf-8", "replace")
