"""The `corpus` command. Each command imports what it needs when it runs, so that `--help` is quick and a missing
extra is one clear line."""

import sys
from typing import Annotated

import typer

from corpus import compiling
from corpus.cli import (
    doctor,
    download,
    evaluate,
    export,
    look,
    model,
    models,
    near,
    plan,
    recipe,
    removal,
    report,
    rules,
    run,
    shards,
    steps,
    tokenizer,
    tokens,
    tuning,
    warm_up,
)
from corpus.errors import UserError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"corpus {version('corpus')}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", help="print the version, and end", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """From raw public dumps to trained weights: the LLaMA-1 corpus, its tokenizer and its trainer."""


for command in (
    run.run,
    doctor.doctor,
    plan.plan,
    run.demo,
    steps.extract,
    steps.clean,
    steps.filter,
    steps.dedupe,
    tokens.tokenize,
    tokens.mix,
    model.generate,
    look.show,
    look.trace,
    report.report,
    tuning.overlap,
    rules.rules,
    recipe.recipe,
    run.status,
    run.gc,
    removal.remove,
    warm_up.warm_up,
):
    app.command()(command)
app.add_typer(download.app, name="download")
app.add_typer(export.app, name="export")
app.command("import")(model.import_)
app.command("eval")(evaluate.evaluate)
app.add_typer(shards.app, name="shards")
app.add_typer(tokenizer.app, name="tokenizer")
app.add_typer(models.app, name="models")
app.add_typer(near.app, name="near")

ENDS = {129: "hung up", 130: "interrupted", 143: "told to end"}
"""What it says to exit codes: of SIGHUP and SIGTERM while a job of a cluster is under way, and Typer's of Ctrl-C."""


def main() -> None:
    """Entry point: a UserError, or what a disk or an object store refuses, is one line on stderr and exit code 2; so is
    Ctrl-C, with 130. Where kernels are compiled, one line on stderr says so."""
    compiling.ask(lambda: print(compiling.LINE, file=sys.stderr))
    try:
        app()
    except SystemExit as end:
        if end.code in ENDS:
            print(f"corpus: {ENDS[end.code]}: run the same command again to do what is missing", file=sys.stderr)
        raise
    except UserError as error:
        for line in str(error).splitlines():  # several mistakes of a recipe are told at once
            print(f"corpus: {line}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        from corpus.storage import of_a_store

        if isinstance(error, OSError):
            place = f"{error.filename}: " if error.filename else ""
            line = f"{place}{error.strerror or error}: check the path, its permissions and the free space"
        elif of_a_store(error):
            said = " ".join(str(error).split())
            what = f"the object store cannot be used ({type(error).__name__}: {said})"
            line = f"{what}: check its address, your credentials and what they may do"
        else:
            raise
        print(f"corpus: {line}", file=sys.stderr)
        sys.exit(2)
