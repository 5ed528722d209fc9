"""Two runs, or two steps, on one page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.removal import asked_out
from corpus.report.compare import Comparison, Count, compare_steps, same_inputs
from corpus.report.page import write_page
from corpus.storage import exists, join, parent
from pipelines.report import finished_documents, graph_of
from tokenizer.index import read_index

NAME = "comparison.html"


@dataclass(frozen=True)
class SourceComparison:
    """One source of two runs.

    Attributes:
        counts: of its last step and its tokens.
        only: "first" or "second" where the other run has no finished step of it.
        steps: those that differ: of the first of them, which has the same input in both runs, and of the documents that
            came out in the end.
    """

    name: str
    counts: list[Count]
    steps: list[Comparison]
    only: str = ""


def write_comparison(first: str, second: str, path: str) -> str:
    """Writes a page on two finished steps, or on two runs, and returns its path.

    Raises:
        UserError: they are neither, no step of a run is finished, or Jinja or matplotlib is not installed.
    """
    one, other = StepFolder(first), StepFolder(second)
    hidden = frozenset(chain(*(asked_out(run) for run in _runs(first, second))))
    if one.finished and other.finished:
        sources = [SourceComparison("", [], [compare_steps(_name(one, other), one, other, hidden)])]
    elif all(exists(join(folder, "recipe.yaml")) for folder in (first, second)):
        sources = list(_sources(first, second, hidden))
    else:
        raise UserError(f"{first} and {second}: name two runs, or two finished steps, to compare them")
    write_page(path, "comparison.html", first=first, second=second, sources=sources)
    return path


def _runs(first: str, second: str) -> set[str]:
    """The folders themselves, and of steps those of their runs."""
    return {run for folder in (first, second) for run in (folder, parent(parent(folder)))}


def _sources(first: str, second: str, hidden: frozenset[str]) -> Iterator[SourceComparison]:
    graphs = [graph_of(run) for run in (first, second)]
    documents = [
        {name: [stage.documents(name) for stage in stages] for name, stages in finished_documents(graph).items()}
        for graph in graphs
    ]
    if not all(any(some.values()) for some in documents):
        raise UserError(f"no step of {first if not any(documents[0].values()) else second} is finished: run it first")
    for name in dict.fromkeys(chain(*documents)):
        ours, theirs = (some.get(name, []) for some in documents)
        manifests = [some[-1].manifest() if some else None for some in (ours, theirs)]
        tokens = [graph.tokens.get(name) for graph in graphs]
        found = [
            Count(what, *(manifest[key]["out"] if manifest else None for manifest in manifests))
            for what, key in (("documents", "documents"), ("bytes of text", "text_bytes"))
        ]
        done = [read_index(stage.folder).tokens if stage and stage.finished() else None for stage in tokens]
        only = "" if ours and theirs else "first" if ours else "second"
        yield SourceComparison(name, [*found, Count("tokens", *done)], list(_steps(ours, theirs, hidden)), only)


def _steps(ours: list[StepFolder], theirs: list[StepFolder], hidden: frozenset[str]) -> Iterator[Comparison]:
    """Of the first two that differ, if both have the same input, and of the last two."""
    pairs = [pair for pair in zip(ours, theirs, strict=False) if _differ(*pair)]
    if pairs and same_inputs(pairs[0][0].manifest(), pairs[0][1].manifest()):
        yield compare_steps(_name(*pairs[0]), *pairs[0], hidden)
        if pairs[0] == (ours[-1], theirs[-1]):
            return
    if ours and theirs and _differ(ours[-1], theirs[-1]):
        # Each of the two is one step of several: what differs in all of them is not in these.
        yield replace(compare_steps("in the end", ours[-1], theirs[-1], hidden), differences=[], counts=[])


def _differ(one: StepFolder, other: StepFolder) -> bool:
    return bool(one.manifest()["digest"] != other.manifest()["digest"])


def _name(one: StepFolder, other: StepFolder) -> str:
    return " and ".join(dict.fromkeys(step.manifest()["step"] for step in (one, other)))
