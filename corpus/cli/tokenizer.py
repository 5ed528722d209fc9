"""`corpus tokenizer`: train a tokenizer, and write it for other programs."""

from collections.abc import Sequence
from fractions import Fraction
from importlib.util import find_spec
from typing import Annotated

import typer

from corpus.cli.options import (
    CORES,
    HeldOut,
    Options,
    RunnerName,
    Workers,
    assignment,
    make_runner,
    pipelines,
    run_alone,
)
from corpus.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Train a tokenizer, and write it for other programs.")

FUZZ_TEXTS = 20_000


@app.command()
def train(
    output: Annotated[str, typer.Argument(help="folder for the model")],
    input: Annotated[list[str], typer.Option(help="NAME=FOLDER: a source and its last finished step; may come again")],
    share: Annotated[
        list[str] | None, typer.Option(help="NAME=SHARE: of the text, by source; equal ones unless given")
    ] = None,
    vocab_size: Annotated[int, typer.Option(min=300, help="pieces of the model")] = 32_000,
    sample_bytes: Annotated[int, typer.Option(min=1, help="text to train on, at most")] = 10 << 30,
    max_skipped: Annotated[float, typer.Option(min=0, max=1, help="share of it in lines that are too long")] = 0.1,
    held_out: HeldOut = 1000,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Train a SentencePiece BPE model with the settings of LLaMA's on finished documents.

    A recipe trains its own: `corpus run RECIPE --until tokenizer`.

    Example: `corpus tokenizer train tokenizer --input books=deduped/books --vocab-size 8000`
    """
    from corpus.dataset import StepFolder
    from corpus.recipe.sections import TokenizerSection

    folders = _by_name("--input", input, "books=deduped/books")
    section = TokenizerSection(
        vocab_size=vocab_size, sample_bytes=sample_bytes, max_skipped=max_skipped, held_out=held_out
    )
    given = pipelines("stages.given").Given
    before = {name: given(StepFolder(folder)) for name, folder in folders.items()}
    shares = _shares(list(folders), share or ())
    stage = pipelines("stages.tokenizer").Tokenizer(section, shares, before, output, target=output)
    run_alone(stage, output, make_runner(runner, workers, beam_option))


def _by_name(option: str, texts: Sequence[str], example: str) -> dict[str, str]:
    pairs = [assignment(option, text, example) for text in texts]
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UserError(f"{option} names a source twice, in {' '.join(texts)}: give each once")
    return found


def _shares(names: list[str], texts: Sequence[str]) -> dict[str, float]:
    """Equal shares, or those given: one above 0 for each source, which add up to 1."""
    if not texts:
        return {name: 1 / len(names) for name in names}
    given = _by_name("--share", texts, "books=0.4")
    try:
        shares = {name: Fraction(value) for name, value in given.items()}
    except (ValueError, ZeroDivisionError) as error:
        raise UserError(f"--share: {error}: write a number, as in books=0.4") from None
    if sorted(shares) != sorted(names) or min(shares.values()) <= 0 or sum(shares.values()) != 1:
        raise UserError(f"--share: give one above 0 for each of {', '.join(names)}; they add up to 1")
    return {name: float(share) for name, share in shares.items()}


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="a SentencePiece BPE model")],
    folder: Annotated[str, typer.Argument(help="folder for tokenizer.json and the files beside it")],
) -> None:
    """Write a model as Hugging Face `tokenizers` and `transformers` read it, and compare the two on made-up texts.

    Example: `corpus tokenizer export tokenizer.model huggingface`
    """
    from tokenizer.fuzz import fuzz_texts
    from tokenizer.huggingface import different_texts, write_tokenizer
    from tokenizer.model import read_model

    write_tokenizer(model, folder)
    print(f"{folder}/tokenizer.json written")
    if find_spec("tokenizers") is None:
        print("not compared with SentencePiece: pip install tokenizers, and export again")
        return
    different = different_texts(folder, fuzz_texts(read_model(model), FUZZ_TEXTS, seed=0))
    print(f"{len(different):,} of {FUZZ_TEXTS:,} made-up texts differ from SentencePiece")
    if different:
        raise UserError(f"{folder}/tokenizer.json is not equal to {model}, first on {different[0]!r}: do not use it")
