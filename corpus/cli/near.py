"""Looking at near duplicates."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Look at near duplicates.")


@app.command()
def clusters(
    folders: Annotated[
        list[str], typer.Argument(help="a finished step's folder; of a dedup across sources those of each source")
    ],
    limit: Annotated[int, typer.Option(min=1, help="how many clusters")] = 10,
) -> None:
    """Print the largest clusters of near duplicates, or of books that overlap, and how alike their documents are.

    Example: `corpus near clusters runs/mine/c4/90-near-03c5de11 --limit 20`
    """
    from corpus.clusters import largest_clusters
    from corpus.dataset import StepFolder
    from corpus.visible import visible

    found = largest_clusters([StepFolder(folder) for folder in folders], limit)
    print(f"{'documents':>9}  {'similarity':13}  kept")
    for cluster in found:
        print(f"{cluster.documents:>9,}  {cluster.least:.3f} - {cluster.most:.3f}  {visible(cluster.id)}")


@app.command()
def query(
    folder: Annotated[str, typer.Argument(help="a finished step's folder that has the rule `signatures`")],
    text: Annotated[str, typer.Argument(help="what to look for; - reads it from standard input")],
    threshold: Annotated[float, typer.Option(min=0.05, max=1, help="least Jaccard similarity of the shingles")] = 0.8,
    limit: Annotated[int, typer.Option(min=1, help="how many documents")] = 10,
) -> None:
    """Print the documents of a step that a text is like, most alike first (`pip install '.[datasketch]'`).

    Example: `corpus near query runs/mine/books/20-signatures-1f3a9c2e - < chapter.txt`
    """
    import sys

    from corpus.sketches import alike
    from corpus.visible import visible

    found = alike(folder, sys.stdin.read() if text == "-" else text, threshold, limit)
    print(f"documents that are like it: {len(found)}" + (", or more" if len(found) == limit else ""))
    for one in found:
        print(visible(f"\n=== {one.id}: similarity {one.similarity:.3f}, {one.estimated:.3f} by signatures"))
        print(visible(one.text[:200]))
