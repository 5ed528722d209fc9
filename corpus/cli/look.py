"""Looking at documents: samples of a step, and the way of one document."""

from typing import Annotated

import typer


def show(
    folder: Annotated[str, typer.Argument(help="a finished step's folder")],
    dropped: Annotated[str | None, typer.Option(help="documents dropped for this reason, instead of kept ones")] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many documents")] = 3,
) -> None:
    """Print documents of a step, and what was dropped and why.

    Example: `corpus show runs/llama/books/20-gutenberg-1f3a9c2e --dropped too_short`
    """
    from corpus import show as view
    from corpus.dataset import StepFolder

    step = StepFolder(folder)
    manifest = step.manifest()
    print(f"{folder}: {manifest['documents']['in']:,} in, {manifest['documents']['out']:,} out")
    for rule, reason, count in view.counts(step):
        print(f"  {rule}.{reason}: {count:,}")
    for row in view.samples(step, dropped, limit):
        place = ", ".join(str(row[name]) for name in ("file", "member", "record") if row[name] is not None)
        print(f"\n=== {row['id'] or place}" + (f" ({place})" if row["id"] else ""))
        print(row["text"] if row["text"] is not None else row["detail"])


def trace(
    place: Annotated[str, typer.Argument(help="a finished step's folder, or a packed shard")],
    position: Annotated[int, typer.Argument(min=0, help="row of the part, or position of a token in the shard")],
    part: Annotated[int, typer.Option(min=0, help="number of the part, for a step's folder")] = 0,
    chars: Annotated[int, typer.Option(min=0, help="characters of each stage to print; 0 = all")] = 2000,
) -> None:
    """Follow a document, or a token, back to its raw bytes: the text after every step.

    Example: `corpus trace runs/llama/tokens/books-1f3a9c2e/shard-00000.tok 1000`
    """
    from corpus.dataset import StepFolder
    from corpus.trace import trace as way

    if place.endswith(".tok"):
        from tokenizer.trace import locate

        found = locate(place, position)
        print(f"token {position} of {place}: {found.piece!r} of document {found.id}")
        folder, part, row = StepFolder(found.step), found.part, found.row
    else:
        folder, row = StepFolder(place), position
    for stage in way(folder, part, row):
        print(f"\n=== {stage.name}" + (f" ({stage.detail})" if stage.detail else ""))
        print(stage.text[: chars or None])
        if chars and len(stage.text) > chars:
            print(f"... and {len(stage.text) - chars:,} characters more (--chars 0 prints all)")
