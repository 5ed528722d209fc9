"""Documents taken out of a run on request: where they are, a record of that, and steps without them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.lock import lock
from corpus.recipe.load import Recipe, load
from corpus.removal import add_request
from corpus.steps.find import FoundDocument, Wanted
from corpus.storage import exists, join, local_path, names, parent, relative
from pipelines.graph import Graph, compile_graph
from pipelines.record import attempt, kept_recipes
from pipelines.stages.remove import RemoveListed, Search
from tokenizer.find import DocumentTokens, find_tokens, sequences_with
from tokenizer.mixture import Mixture, read_manifest
from tokenizer.trace import documents_in

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner

StepsOf = Callable[[str, Sequence[int]], Mapping[str, list[int]]]
"""(fingerprint of a mixture, sequences of its) -> of each training run, its steps that were trained on them."""


@dataclass(frozen=True)
class Training:
    """What a mixture takes of a document.

    Attributes:
        manifest: of the mixture.
        sequences: of the mixture that hold tokens of the document.
        steps: of each training run on it, those that were trained on these sequences.
    """

    manifest: str
    sequences: list[int]
    steps: dict[str, list[int]]


@dataclass(frozen=True)
class Tokens:
    """The tokens of a document in one token folder, as of `DocumentTokens`."""

    shard: str
    first: int
    count: int
    held_out: bool
    trained: list[Training]


@dataclass(frozen=True)
class Taken:
    """A document that was asked for.

    Attributes:
        step: folder of the last step that has it, without those of removals; `part` and `row` are there.
        file: raw file that it comes from.
        dropped: by a rule of the recipe, before the request: it is in no later step.
    """

    source: str
    id: str
    url: str | None
    step: str
    part: int
    row: int
    file: str
    dropped: bool
    tokens: list[Tokens]


@dataclass(frozen=True)
class Removal:
    """What came of a request.

    Attributes:
        record: path of its file.
        missing: ids and URLs that no document has.
    """

    record: str
    taken: list[Taken]
    missing: list[str]


def take_out(run: str, wanted: Wanted, runner: Runner, steps_of: StepsOf, say: Callable[[str], None]) -> Removal:
    """Finds documents in all that is finished of a run, records the request, and makes the steps without them. From
    then on the run keeps them out, and what has not been found yet.

    Raises:
        UserError: `run` is no run's folder, another process works on it, or none of what is wanted is there: then
            nothing is changed.
    """
    recipes = [load(kept.path, {"output": run}) for kept in kept_recipes(run)]
    if not recipes:
        raise UserError(f"{run} has no recipe.yaml: give the folder of a run")
    with lock(run, "corpus remove"):
        found = list(_documents(recipes, wanted, run, runner))
        if not found:
            raise UserError(
                f"none of the {len(wanted.ids) + len(wanted.urls):,} ids and URLs is in a finished step of {run}: they "
                "must be as the documents have them (`corpus show`); nothing is changed"
            )
        tokens = list(_tokens(wanted, run, runner))
        taken = [_taken(one, tokens, run, steps_of) for one in found]
        there = {value for one in found for value in (one.document.id, one.document.url)}
        missing = [value for value in (*wanted.ids, *wanted.urls) if value not in there]
        body = {"requested": datetime.now(UTC).isoformat(timespec="seconds"), "found": [asdict(one) for one in taken]}
        record = add_request(run, wanted, {**body, "missing": missing})
        for recipe in recipes:
            for stage in compile_graph(recipe).stages:
                if isinstance(stage, RemoveListed) and stage.before.finished():
                    did = not stage.finished()
                    if did:
                        with attempt(run, stage, runner):
                            stage.run(runner, join(run, ".work"))
                    for line in stage.said(did):
                        say(line)
    return Removal(record, taken, missing)


@dataclass(frozen=True)
class _Found:
    source: str
    step: StepFolder
    document: FoundDocument
    dropped: bool


def _documents(recipes: Sequence[Recipe], wanted: Wanted, run: str, runner: Runner) -> Iterator[_Found]:
    """What is wanted of the last finished step of each source, and of what rules dropped since it was extracted."""
    seen: set[str] = set()
    for recipe in recipes:
        for source, steps in _steps(compile_graph(recipe)).items():
            kept: set[str] = set()
            for step, is_last in [(steps[-1], True), (steps[0], False)][: len(steps)]:
                some = _search(step, wanted, run, runner)
                if step.path not in seen:
                    yield from (_Found(source, step, one, not is_last) for one in some if one.id not in kept)
                seen.add(step.path)
                kept |= {one.id for one in some}


def _steps(graph: Graph) -> dict[str, list[StepFolder]]:
    """Of each source its finished steps in order, without removals."""
    found = {}
    for source, stages in graph.documents.items():
        steps = [
            stage.documents(source) for stage in stages if stage.finished() and not isinstance(stage, RemoveListed)
        ]
        if steps:
            found[source] = steps
    return found


def _search(step: StepFolder, wanted: Wanted, run: str, runner: Runner) -> list[FoundDocument]:
    search = Search(step, wanted, run)
    search.run(runner, join(run, ".work"))
    return search.found()


def _tokens(wanted: Wanted, run: str, runner: Runner) -> Iterator[tuple[FoundDocument, DocumentTokens]]:
    """Of all token folders of the run, those that no recipe names any longer too."""
    for name in names(join(run, "tokens")):
        folder = join(run, "tokens", name)
        if not (exists(join(folder, "index.json")) and exists(join(folder, "documents.json"))):
            continue
        step = StepFolder(documents_in(folder).step)
        if not step.path or not step.finished:
            continue
        found = {(one.part, one.row): one for one in _search(step, wanted, run, runner)}
        for tokens in find_tokens(folder, found):
            yield found[tokens.part, tokens.row], tokens


def _taken(found: _Found, tokens: Sequence[tuple[FoundDocument, DocumentTokens]], run: str, steps_of: StepsOf) -> Taken:
    document = found.document
    places = []
    for one, place in tokens:
        if (one.id, one.url, one.file) == (document.id, document.url, document.file):
            trained = [] if place.position is None else list(_training(place, place.position, run, steps_of))
            held_out = place.position is None
            places.append(Tokens(relative(place.shard, run), place.first, place.count, held_out, trained))
    return Taken(
        source=found.source,
        id=document.id,
        url=document.url,
        step=relative(found.step.path, run),
        part=document.part,
        row=document.row,
        file=document.file,
        dropped=found.dropped,
        tokens=places,
    )


def _training(place: DocumentTokens, position: int, run: str, steps_of: StepsOf) -> Iterator[Training]:
    for manifest, mixture in _mixtures(run):
        for number, source in enumerate(mixture.sources):
            if _same(source.folder, parent(place.shard)):
                sequences = sequences_with(mixture, number, position, place.count).tolist()
                yield Training(relative(manifest, run), sequences, dict(steps_of(mixture.fingerprint, sequences)))


def _mixtures(run: str) -> Iterator[tuple[str, Mixture]]:
    for name in names(run):
        manifest = join(run, name, "manifest.json")
        if name.startswith("mixture-") and exists(manifest):
            yield manifest, read_manifest(manifest)


def _same(folder: str, other: str) -> bool:
    one, two = local_path(folder), local_path(other)
    return folder == other if one is None or two is None else os.path.abspath(one) == os.path.abspath(two)
