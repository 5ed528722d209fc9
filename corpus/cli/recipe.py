"""`corpus recipe`: a bundled recipe as a file of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from corpus.errors import UserError


def recipe(
    name: Annotated[str, typer.Argument(help="of a bundled recipe: llama, fineweb, ...")],
    file: Annotated[Path, typer.Argument(help="to write; it must not be there yet")],
    language: Annotated[
        str | None, typer.Option(help="of fineweb2: a language of ISO 639-3 and its script, as fra_Latn")
    ] = None,
) -> None:
    """Write a bundled recipe to a file of your own, to change it. FineWeb-2's comes for each of its languages.

    Example: `corpus recipe fineweb2 fineweb2-fr.yaml --language fra_Latn`
    """
    from corpus.recipe import fineweb2
    from corpus.recipe.load import bundled

    if language is not None and name != "fineweb2":
        raise UserError(f"--language comes with fineweb2: {name} has no numbers by language")
    text = fineweb2.recipe_for(language) if language is not None else Path(bundled(name)).read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise UserError(f"{file} is there: give another name, or remove it") from None
    print(f"{file}: run it with `corpus run {file}`")
    if language is not None and language.partition("_")[2] in fineweb2.WITHOUT_SPACES:
        print(f"{language} has no spaces between words, and the rules have no tokenizer: the numbers do not fit")
