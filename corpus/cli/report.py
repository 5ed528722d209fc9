"""The page of a run, and the one that compares two."""

from typing import Annotated

import typer

from corpus.cli.options import pipelines


def report(
    run: Annotated[str, typer.Argument(help="a run's folder; to compare, the first run, or the first finished step")],
    other: Annotated[str | None, typer.Argument(help="the second run, or the second step, to compare it with")] = None,
    output: Annotated[
        str | None,
        typer.Option(help="file, instead of report.html in the run's folder, or comparison.html in the present one"),
    ] = None,
) -> None:
    """Write a page, one HTML file that stands alone: what each rule of a run did, or what differs between two runs.

    `corpus run` writes the page of a run at its end; this writes it anew.

    Example: `corpus report runs/llama --output llama.html`

    Example: `corpus report runs/llama/books/20-length-1f3a9c2e runs/llama/books/20-length-7be01d44`
    """
    if other is None:
        pages = pipelines("report")
        print(pages.write_report(pages.graph_of(run), output))
    else:
        pages = pipelines("compare")
        print(pages.write_comparison(run, other, output or pages.NAME))
