"""`corpus models`: model files that rules use."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Model files that rules use.")


@app.command("get")
def models_get(name: Annotated[str, typer.Argument(help="a name of `corpus models list`")]) -> None:
    """Fetch a model file into the user's cache and check its SHA-256.

    Example: `corpus models get lid`
    """
    from corpus import models

    print(models.get(name))


@app.command("list")
def models_list() -> None:
    """The models this package knows, their origin, and where they are cached.

    Example: `corpus models list`
    """
    from corpus import models

    for name, model in models.MODELS.items():
        print(f"{name}: {model.url} (sha256 {model.sha256})")


@app.command("robots")
def models_robots(
    folder: Annotated[str, typer.Argument(help="a folder of WARC files with robots.txt records")],
    output: Annotated[str, typer.Argument(help="the index, for the rule `robots`")],
) -> None:
    """Write what robots.txt files say, by host, for the rule `robots`.

    Example: `corpus models robots raw/robotstxt robots.arrow`
    """
    from corpus import robots_index

    counts = robots_index.build(folder, output)
    told = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
    print(f"{output}: {told}")
