"""What a run writes about itself beside its results: the recipes it was run with, and when each stage was worked on.

None of it enters a digest, and all of it may be removed.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from corpus.recipe.load import Recipe
from corpus.storage import commit, exists, join, names, open_read, read_json, write_json
from pipelines.stages.stage import Stage

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner

RECIPES = "recipes"
STATUS = ".status"


@dataclass(frozen=True)
class KeptRecipe:
    """A recipe that a run was made by.

    Attributes:
        path: of the copy in the run's folder.
        origin: of the file it was read from.
    """

    path: str
    origin: str


def keep_recipe(recipe: Recipe) -> list[KeptRecipe]:
    """Writes the recipe as run beside its results, in the place of what the same file said before. Returns the other
    recipes that have the same output."""

    def write(sink: Any) -> None:
        sink.write(f"# {os.path.abspath(recipe.path)}\n".encode())
        YAML(typ="rt").dump(recipe.body, sink)

    origin = os.path.abspath(recipe.path)
    stem = os.path.splitext(os.path.basename(origin))[0]
    name = f"{stem}-{hashlib.sha256(origin.encode()).hexdigest()[:8]}.yaml"
    commit(join(recipe.output, "recipe.yaml"), write)
    commit(join(recipe.output, RECIPES, name), write)
    return [kept for kept in kept_recipes(recipe.output) if kept.origin != origin]


def kept_recipes(run: str) -> list[KeptRecipe]:
    """Every recipe that a run's folder was the output of; the newest version of each."""
    paths = [join(run, RECIPES, name) for name in names(join(run, RECIPES))]
    if not paths and exists(join(run, "recipe.yaml")):  # of a version that kept only the last one
        paths = [join(run, "recipe.yaml")]
    return [KeptRecipe(path, _origin(path)) for path in paths]


def _origin(path: str) -> str:
    with open_read(path) as file:
        first = file.readline().decode("utf-8", "replace").strip()
    return first.removeprefix("# ") if first.startswith("# /") else path


@dataclass(frozen=True)
class Attempt:
    """One time that a stage was worked on.

    Attributes:
        started: ISO, UTC.
        seconds: None as long as it has not ended.
    """

    started: str
    host: str
    process: int
    runner: str
    seconds: float | None = None


def attempts(run: str, stage: Stage) -> list[Attempt]:
    """Those on the present result of a stage, in order; its identity is known."""
    path = _status_path(run, stage)
    return [Attempt(**attempt) for attempt in read_json(path)["attempts"]] if exists(path) else []


@contextmanager
def attempt(run: str, stage: Stage, runner: Runner) -> Iterator[None]:
    """Records the beginning and the end of work on a stage."""
    before = attempts(run, stage)
    begun = time.monotonic()
    this = Attempt(datetime.now(UTC).isoformat(timespec="seconds"), socket.gethostname(), os.getpid(), runner.name)
    _write(run, stage, [*before, this])
    try:
        yield
    finally:
        _write(run, stage, [*before, replace(this, seconds=round(time.monotonic() - begun, 3))])


def _write(run: str, stage: Stage, some: list[Attempt]) -> None:
    body = {"stage": stage.name, "digest": stage.identity(), "attempts": [asdict(attempt) for attempt in some]}
    write_json(_status_path(run, stage), body)


def _status_path(run: str, stage: Stage) -> str:
    return join(run, STATUS, f"{stage.name.replace('/', ',')}-{str(stage.identity())[:8]}.json")
