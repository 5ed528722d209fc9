"""Commands on a whole run: do it, show it off, clear what it no longer names."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from corpus.cli.options import CORES, WIDE, Options, RunnerName, Workers, assignment, make_runner, pipelines

if TYPE_CHECKING:
    from corpus.recipe.load import Recipe
    from pipelines.engine.runner import Runner
    from pipelines.run import RunResult


def run(
    recipe: Annotated[str, typer.Argument(help="a recipe file, or a bundled recipe: llama")],
    source: Annotated[list[str] | None, typer.Option(help="only this source; may come again")] = None,
    until: Annotated[
        str | None, typer.Option(help="the last step to do: extract, a rule, across, tokenizer, tokenize, mix")
    ] = None,
    output: Annotated[str | None, typer.Option(help="run folder, instead of the recipe's")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="replace an input: input.books=FOLDER; may come again")
    ] = None,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Do what a recipe asks for and is not yet done.

    Example: `corpus run recipe.yaml --source wikipedia --until wikitext`
    """
    from corpus.recipe.load import load
    from trainer.config import TrainingSettings

    overrides = dict(assignment("--set", text, "input.books=/data/books") for text in set_ or ())
    if output is not None:
        overrides["output"] = output
    checked = load(recipe, overrides, sections={"training": TrainingSettings})
    finish(checked, make_runner(runner, workers, beam_option), source or (), until)


def finish(recipe: "Recipe", runner: "Runner", only: Sequence[str], until: str | None) -> "RunResult":
    """Does what a recipe asks for up to a step and is not yet done, and prints what came of it."""
    result: RunResult = pipelines("run").run(recipe, runner, only, until)
    Console().print(pipelines("summary").summary_table(result.graph))
    pipelines("report").report_after(result.graph, bool(only or until), print)
    if not result.ran:
        print(f"nothing to do: everything {recipe.path} asks for is in {recipe.output}")
    return result


def demo(
    output: Annotated[str, typer.Argument(help="folder for the raw files and the run")] = "corpus-demo",
    workers: Workers = CORES,
) -> None:
    """Make a small corpus of all seven sources out of what this Python installation carries, and train on it.

    Example: `corpus demo my-demo`
    """
    pipelines("demo").demo(output, make_runner("local", workers, None), Console())


def gc(
    folder: Annotated[str, typer.Argument(help="a run's folder")],
    remove: Annotated[bool, typer.Option("--remove", help="remove them, after asking")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """List the folders of a run that none of its recipes names any longer.

    Example: `corpus gc runs/llama --remove`
    """
    from corpus import storage
    from corpus.errors import UserError
    from corpus.lock import lock

    stale = pipelines("gc").stale_folders(folder)
    for path in stale:
        print(f"not named by a recipe: {path}")
    if not stale:
        print(f"every folder in {folder} is named by a recipe of its")
    elif remove:
        if not yes and not sys.stdin.isatty():
            raise UserError("gc --remove asks before it removes, and there is nobody to ask here: add --yes")
        if yes or typer.confirm(f"remove {'this folder' if len(stale) == 1 else f'these {len(stale)} folders'}?"):
            with lock(folder, "corpus gc"):
                for path in stale:
                    storage.remove(path)
                    print(f"removed {path}")


def status(folder: Annotated[str, typer.Argument(help="a run's folder")]) -> None:
    """Say what of a run is done, under way and missing, and how long each stage took.

    Example: `corpus status runs/llama`
    """
    from corpus.errors import UserError
    from corpus.lock import held_by
    from corpus.recipe.load import load

    recipes = pipelines("record").kept_recipes(folder)
    if not recipes:
        raise UserError(f"{folder} has no recipe.yaml: give the folder of a run")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    if holder := held_by(folder):
        console.print(Text(f"under way: {holder}"))
    for kept in recipes:
        if len(recipes) > 1:
            console.print(Text(f"\nby {kept.origin}"))
        stages = pipelines("status").status(load(kept.path, {"output": folder}, needs_models=False))
        console.print(pipelines("status").table(stages))
