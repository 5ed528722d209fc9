"""What several commands share: their options, the runner they make, and how a finished step is said."""

import os
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from corpus.errors import UserError

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner
    from pipelines.stages.stage import Stage

RunnerName = Annotated[str, typer.Option("--runner", help="local, spark, flink or dataflow")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="worker processes of the local runner")]
Options = Annotated[
    list[str] | None,
    typer.Option("--beam-option", help="an option for the Beam runner, as in --beam-option=--region=europe-west1"),
]
HeldOut = Annotated[int, typer.Option(min=2, help="one document in so many goes to the validation set")]
CORES = os.cpu_count() or 1
WIDE = 140  # columns of a table where the output is not a terminal: a file, a pipe


def make_runner(name: str, workers: int, options: list[str] | None) -> "Runner":
    runner = pipelines("engine.runner")
    if name not in get_args(runner.RunnerName):
        raise UserError(f"--runner {name} is unknown: known are {', '.join(get_args(runner.RunnerName))}")
    return runner.Runner(name, workers, tuple(options or ()))


def pipelines(module: str) -> Any:
    """A module of `pipelines`, or a clear line when Beam is not installed."""
    import logging
    from importlib import import_module

    # Beam says this through the root logger whenever its Google extra is not installed.
    logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())
    try:
        return import_module(f"pipelines.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "apache_beam":
            raise
        raise UserError("Apache Beam is not installed: pip install '.[pipelines]' in the project's folder") from None


def trainer(module: str) -> Any:
    """A module of `trainer`, or a clear line when torch is not installed."""
    from importlib import import_module

    try:
        return import_module(f"trainer.{module}")
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        raise UserError(f"{error.name} is not installed: pip install '.[train]' in the project's folder") from None


def run_alone(stage: "Stage", output: str, runner: "Runner") -> None:
    """Does one stage whose result goes into the folder `output`, if it is not done yet, and says what came of it.

    Raises:
        UserError: `output` is the folder of a run, or lies in that of a step, or what the stage raises.
    """
    from corpus.dataset import StepFolder
    from corpus.lock import lock
    from corpus.storage import exists, join, parent

    if exists(join(output, "recipe.yaml")):
        raise UserError(
            f"{output} is the folder of a run: name a folder for this step alone, as in {join(output, 'mine')}"
        )
    above = parent(output)
    while above != parent(above):
        if StepFolder(above).finished:
            raise UserError(f"{output} lies in the folder of the step {above}: name another one")
        above = parent(above)
    stage.check()
    did = not stage.finished()
    if did:
        with lock(output, f"corpus ({stage.name})"):
            stage.run(runner, join(output, ".work"))
    for line in stage.said(did):
        print(line)


def assignment(option: str, text: str, example: str) -> tuple[str, str]:
    """The two sides of `KEY=VALUE`, as `option` takes it."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UserError(f"{option} {text}: write KEY=VALUE, as in {example}")
    return key, value
