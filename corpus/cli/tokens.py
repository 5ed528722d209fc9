"""From documents to tokens and their order."""

from typing import Annotated

import typer

from corpus.cli.options import CORES, HeldOut, Options, RunnerName, Workers, make_runner, pipelines, run_alone
from corpus.cli.run import finish
from corpus.errors import UserError


def tokenize(
    input: Annotated[str, typer.Argument(help="a finished step's folder")],
    output: Annotated[str, typer.Argument(help="folder for the packed shards of all sources")],
    model: Annotated[str, typer.Option(help="a SentencePiece model")],
    name: Annotated[str, typer.Option(help="name of the source")],
    held_out: HeldOut = 1000,
    bos: Annotated[bool, typer.Option(help="begin each document with BOS")] = True,
    eos: Annotated[bool, typer.Option(help="end each document with EOS")] = True,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Encode documents into packed shards of tokens.

    Example: `corpus tokenize deduped/books tokens --model tokenizer.model --name books`
    """
    from corpus.dataset import StepFolder
    from corpus.recipe.sections import TokenizerSection

    if not name or "/" in name:
        raise UserError(f"--name {name!r} begins the name of a folder: give one without a slash")
    section = TokenizerSection(model=model, bos=bos, eos=eos, held_out=held_out)
    before = pipelines("stages.given").Given(StepFolder(input))
    before.check()
    tokenizer = pipelines("stages.tokenizer").Tokenizer(section, {}, {}, output)
    tokenizer.check()
    stage = pipelines("stages.tokenize").Tokenize(name, before, tokenizer, section, output)
    run_alone(stage, output, make_runner(runner, workers, beam_option))


def mix(
    recipe: Annotated[str, typer.Argument(help="a recipe whose sources are tokenised")],
    output: Annotated[str | None, typer.Option(help="run folder, instead of the recipe's")] = None,
    materialize: Annotated[
        bool, typer.Option("--materialize", help="write the sequences in that order too, for training off a bucket")
    ] = False,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Write the order of training: which sequence of which source comes when; print what it takes of each source.

    Example: `corpus mix recipe.yaml --materialize`
    """
    from corpus.recipe.load import load
    from tokenizer.mixture import read_manifest

    read = load(recipe, {} if output is None else {"output": output})
    if read.mixture is None:
        raise UserError(f"{recipe} has no section `mixture`: add one with the shares of the sources")
    on = make_runner(runner, workers, beam_option)
    manifest = finish(read, on, (), "mix").mixture
    if manifest is not None:
        print(read_manifest(manifest).table())
        if materialize:
            folder, did = pipelines("stages.materialize").materialize(manifest, on)
            print(f"{folder} {'done' if did else 'was done: nothing to do'}")
