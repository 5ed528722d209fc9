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

    print(f"{'documents':>9}  {'similarity':13}  kept")
    for cluster in largest_clusters([StepFolder(folder) for folder in folders], limit):
        print(f"{cluster.documents:>9,}  {cluster.least:.3f} - {cluster.most:.3f}  {cluster.id}")
