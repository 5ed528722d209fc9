"""A whole recipe: what is not yet done, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpus.lock import lock
from corpus.recipe.load import Recipe
from corpus.recipe.notes import recipe_notes
from corpus.storage import join, remove
from pipelines.graph import Graph, compile_graph
from pipelines.record import attempt, keep_recipe

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner


@dataclass(frozen=True)
class RunResult:
    """What a run left.

    Attributes:
        ran: how many stages there was something to do for; 0 when all was done before.
    """

    graph: Graph
    ran: int

    @property
    def mixture(self) -> str | None:
        """Path of the order's manifest, or None where the run ended before it."""
        return self.graph.mix.manifest if self.graph.mix else None


def run(
    recipe: Recipe,
    runner: Runner,
    only: Sequence[str] = (),
    until: str | None = None,
    say: Callable[[str], None] = print,
) -> RunResult:
    """Does what the recipe asks for and is not yet done; `only` and `until` are those of `compile_graph`.

    Raises:
        UserError: a source or step the recipe does not have, another process works on the same output, or what a stage
            raises.
    """
    graph = compile_graph(recipe, only, until)
    for stage in graph.stages:
        stage.check()
    with lock(recipe.output, "corpus run"):
        return _run(graph, recipe, runner, say)


def _run(graph: Graph, recipe: Recipe, runner: Runner, say: Callable[[str], None]) -> RunResult:
    for other in keep_recipe(recipe):
        say(f"{recipe.output} is the output of {other.origin} too: gc keeps what any of its recipes names")
    for note in recipe_notes(recipe):
        say(note)
    work = join(recipe.output, ".work")
    ran = 0
    for stage in graph.stages:
        did = not stage.finished()
        if did:
            with attempt(recipe.output, stage, runner):
                stage.run(runner, work)
        ran += did
        for line in stage.said(did):
            say(line)
    if graph.mix:
        remove(work)  # what a killed run left of stages that are finished now
    return RunResult(graph, ran)
