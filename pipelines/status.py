"""What of a run is done, under way and missing, and how long each stage took."""

from dataclasses import dataclass
from datetime import UTC, datetime

from rich.table import Table

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.lock import held_by
from corpus.recipe.load import Recipe
from corpus.report.tables import new_table
from corpus.storage import exists, join, names, read_json
from pipelines.graph import compile_graph
from pipelines.record import attempts
from pipelines.stages.extract import Extract
from pipelines.stages.process import Process
from pipelines.stages.stage import Stage


@dataclass(frozen=True)
class StageStatus:
    """One stage of a run.

    Attributes:
        state: done, under way, begun (some of it is there), missing, waits (for a stage before it), or what keeps it
            from being known.
        parts: finished, and of how many; None where they are not known or do not apply.
        seconds: of all the times that it was worked on.
    """

    name: str
    state: str
    parts: tuple[int, int] | None
    seconds: float
    folders: tuple[str, ...]


def status(recipe: Recipe) -> list[StageStatus]:
    """Every stage of a recipe, in the order of a run."""
    working = held_by(recipe.output) is not None
    return [_status(recipe.output, stage, working) for stage in compile_graph(recipe).stages]


def _status(run: str, stage: Stage, working: bool) -> StageStatus:
    try:
        identity, done = stage.identity(), stage.finished()
    except UserError as error:  # the raw files are gone
        return StageStatus(stage.name, f"not known: {error}", None, 0.0, ())
    if identity is None:
        return StageStatus(stage.name, "waits", None, 0.0, ())
    tried = attempts(run, stage)
    seconds = sum(attempt.seconds or 0.0 for attempt in tried)
    parts = _parts(stage)
    state = "done" if done else "begun" if tried or (parts and parts[0]) else "missing"
    if working and not done and tried and tried[-1].seconds is None:
        state = "under way"
        seconds += (datetime.now(UTC) - datetime.fromisoformat(tried[-1].started)).total_seconds()
    return StageStatus(stage.name, state, parts, seconds, stage.folders())


def _parts(stage: Stage) -> tuple[int, int] | None:
    """Finished parts, and how many there will be."""
    if isinstance(stage, Extract):
        plan = join(stage.documents().path, "meta", "plan.json")
        if not exists(plan):
            return None
        wanted = len(read_json(plan)["splits"])
    elif isinstance(stage, Process):
        wanted = sum(
            len(before.documents(source).parts()) for before, source in zip(stage.before, stage.sources, strict=True)
        )
    else:
        return None
    done = sum(len(names(join(StepFolder(folder).path, "meta", "parts"))) for folder in stage.folders())
    return done, wanted


def table(stages: list[StageStatus]) -> Table:
    """One row a stage."""
    result = new_table("", ["stage", "state"], ["parts", "took"], "folder")
    for stage in stages:
        result.add_row(
            stage.name,
            stage.state,
            f"{stage.parts[0]:,} of {stage.parts[1]:,}" if stage.parts else "",
            clock(stage.seconds) if stage.seconds else "",
            "\n".join(stage.folders),
        )
    return result


def clock(seconds: float) -> str:
    """Seconds below a minute, H:MM:SS above."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}"
