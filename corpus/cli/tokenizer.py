"""`corpus tokenizer`: the tokenizer as files for other programs."""

from importlib.util import find_spec
from typing import Annotated

import typer

from corpus.errors import UserError

app = typer.Typer(no_args_is_help=True, help="The tokenizer: write it for other programs.")

FUZZ_TEXTS = 20_000


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
