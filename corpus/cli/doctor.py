"""The command that tries a runner before a run."""

import tempfile
from typing import Annotated

import typer

from corpus.cli.options import CORES, Options, RunnerName, Workers, assignment, make_runner, pipelines
from corpus.errors import UserError

FAILED = 1  # exit code


def doctor(
    recipe: Annotated[
        str | None, typer.Argument(help="a recipe file: its inputs, output, models and tokenizer are looked at too")
    ] = None,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
    output: Annotated[
        str | None, typer.Option(help="a folder that this machine and all workers share, instead of the recipe's")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="replace an input: input.books=FOLDER; may come again")
    ] = None,
) -> None:
    """Try a runner before a run: each thing that is missing in a line with what to do. Exits with 1 where one is.

    A tiny job shows whether workers answer, have this corpus, read and write where the run does. On Dataflow, where it
    would cost money, the job is built and not sent. Nothing is left behind.

    Example: `corpus doctor recipe.yaml --runner spark`
    """
    from corpus.recipe.load import load

    engine, probe = pipelines("engine.doctor"), pipelines("engine.probe")
    on = make_runner(runner, workers, beam_option)
    need = probe.Need()
    if recipe is not None:
        overrides = dict(assignment("--set", text, "input.books=/data/books") for text in set_ or ())
        loaded = load(recipe, overrides, needs_models=False)
        need, output = probe.Need.of(loaded), output or loaded.output
    elif set_:
        raise UserError("--set replaces an input of a recipe: name the recipe")
    with tempfile.TemporaryDirectory() as here:
        failed = 0
        for state, line in engine.examine(on, need, output or here):
            print(f"{state:6}  {line}")
            failed += state == "failed"
    if failed:
        raise typer.Exit(FAILED)
