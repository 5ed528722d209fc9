"""`corpus download`: a command for each origin, which makes its listing and fetches that."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from corpus.cli.options import Options, RunnerName, make_runner, pipelines
from corpus.errors import UserError

if TYPE_CHECKING:
    from corpus.download.fetch import RemoteFile
    from corpus.download.listing import Listing

app = typer.Typer(no_args_is_help=True, help="Fetch raw files. Run again, it fetches what is missing.")

Output = Annotated[str, typer.Argument(help="folder for the files, and for the listing that is kept beside them")]
Mirror = Annotated[str, typer.Option("--mirror", help="where to ask")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="only the first so many files")]
Connections = Annotated[int, typer.Option("--connections", min=1, help="requests at the same time, over all workers")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="only say how many files and bytes these are")]


class Kind(StrEnum):
    """What Common Crawl has of a page: its text, or what the server sent."""

    wet = "wet"
    warc = "warc"


class How(NamedTuple):
    """The options that every origin has."""

    output: str
    limit: int | None
    connections: int
    dry_run: bool
    runner: str
    beam_option: list[str] | None


@app.command()
def wikipedia(
    output: Output,
    language: Annotated[list[str], typer.Option(help="of a Wikipedia, as in its address: en; may come again")],
    date: Annotated[str, typer.Option(help="of the dump: 20260901")] = "latest",
    mirror: Mirror = "https://dumps.wikimedia.org",
    limit: Limit = None,
    connections: Connections = 2,
    dry_run: DryRun = False,
    runner: RunnerName = "local",
    beam_option: Options = None,
) -> None:
    """Articles of Wikipedias. Set CORPUS_CONTACT to your mail address or a page about you.

    Example: `corpus download wikipedia raw/wikipedia --language en --language de`
    """
    from corpus.download.wikipedia import listing

    how = How(output, limit, connections, dry_run, runner, beam_option)
    _fetch(_listed(how, [listing(one, date, mirror.rstrip("/")) for one in dict.fromkeys(language)]), how)


@app.command()
def commoncrawl(
    output: Output,
    snapshot: Annotated[list[str], typer.Option(help="as index.commoncrawl.org names it; may come again")],
    kind: Annotated[Kind, typer.Option(help="text that Common Crawl took from the pages, or the pages")] = Kind.wet,
    mirror: Mirror = "https://data.commoncrawl.org",
    limit: Limit = None,
    connections: Connections = 4,
    dry_run: DryRun = False,
    runner: RunnerName = "local",
    beam_option: Options = None,
) -> None:
    """WET or WARC files of snapshots of Common Crawl.

    Example: `corpus download commoncrawl raw/commoncrawl --snapshot CC-MAIN-2019-30 --kind wet --limit 10`
    """
    from corpus.download.commoncrawl import listing

    how = How(output, limit, connections, dry_run, runner, beam_option)
    _fetch(_listed(how, [listing(one, kind.value, mirror.rstrip("/")) for one in dict.fromkeys(snapshot)]), how)


@app.command()
def stackexchange(
    output: Output,
    site: Annotated[list[str], typer.Option(help="its host: unix.stackexchange.com; may come again")],
    mirror: Mirror = "https://archive.org/download/stackexchange",
    limit: Limit = None,
    connections: Connections = 2,
    dry_run: DryRun = False,
    runner: RunnerName = "local",
    beam_option: Options = None,
) -> None:
    """Archives with the posts of Stack Exchange sites.

    Example: `corpus download stackexchange raw/stackexchange --site unix.stackexchange.com`
    """
    from corpus.download.stackexchange import listing, of_sites

    how = How(output, limit, connections, dry_run, runner, beam_option)
    _fetch(of_sites(_listed(how, [listing(mirror.rstrip("/"))]), site), how)


@app.command()
def gutenberg(
    output: Output,
    language: Annotated[list[str] | None, typer.Option(help="of the books, en; may come again; else all")] = None,
    mirror: Mirror = "https://gutenberg.pglaf.org",
    limit: Limit = None,
    connections: Connections = 2,
    dry_run: DryRun = False,
    runner: RunnerName = "local",
    beam_option: Options = None,
) -> None:
    """Books of Project Gutenberg as plain text in UTF-8, from one of its mirrors.

    Example: `corpus download gutenberg raw/books --language en --limit 100`
    """
    from corpus.download.gutenberg import listing

    how = How(output, limit, connections, dry_run, runner, beam_option)
    files = _listed(how, [listing(sorted(set(language or ())), mirror.rstrip("/"))])
    _fetch(files, how, "the catalogue names {} of them, which the mirror does not have as plain text")


@app.command()
def arxiv(
    output: Output,
    month: Annotated[list[str], typer.Option(help="YYMM, as in the numbers of papers: 2207; may come again")],
    mirror: Mirror = "s3://arxiv",
    limit: Limit = None,
    connections: Connections = 4,
    dry_run: DryRun = False,
    runner: RunnerName = "local",
    beam_option: Options = None,
) -> None:
    """Sources of papers, from arXiv's bucket. You pay Amazon for the transfer; needs `pip install s3fs`.

    Example: `corpus download arxiv raw/arxiv --month 2207 --dry-run`
    """
    from corpus.download.arxiv import listing, of_months, price

    how = How(output, limit, connections, dry_run, runner, beam_option)
    files = of_months(_listed(how, [listing(mirror.rstrip("/"))]), month)[:limit]
    print(price([file for file in files if not file.is_in(output)]))
    _fetch(files, how)


@app.command()
def c4(
    output: Output,
    files: Annotated[str, typer.Option(help="a shell pattern of paths")] = "en/c4-train.*.json.gz",
    mirror: Mirror = "https://huggingface.co",
    limit: Limit = None,
    connections: Connections = 4,
    dry_run: DryRun = False,
    runner: RunnerName = "local",
    beam_option: Options = None,
) -> None:
    """C4, from the Hugging Face hub.

    Example: `corpus download c4 raw/c4 --limit 10`
    """
    hub(output, "allenai/c4", files, mirror, limit, connections, dry_run, runner, beam_option)


@app.command()
def hub(
    output: Output,
    dataset: Annotated[str, typer.Option(help="OWNER/NAME")],
    files: Annotated[str, typer.Option(help="a shell pattern of paths")] = "*",
    mirror: Mirror = "https://huggingface.co",
    limit: Limit = None,
    connections: Connections = 4,
    dry_run: DryRun = False,
    runner: RunnerName = "local",
    beam_option: Options = None,
) -> None:
    """Files of a data set of the Hugging Face hub that is open to all.

    Example: `corpus download hub raw/c4 --dataset allenai/c4 --files 'en/*.json.gz'`
    """
    from corpus.download.hub import listing

    how = How(output, limit, connections, dry_run, runner, beam_option)
    _fetch(_listed(how, [listing(dataset, files, mirror.rstrip("/"))]), how)


@app.command("listing")
def listing_(
    listing: Annotated[
        str, typer.Argument(help="a text file, one `URL [CHECKSUM [BYTES [PATH]]]` a line; or .gz of it")
    ],
    output: Annotated[str, typer.Argument(help="folder for the files")],
    base: Annotated[str, typer.Option(help="put before every address of the listing")] = "",
    limit: Limit = None,
    connections: Connections = 4,
    dry_run: DryRun = False,
    runner: RunnerName = "local",
    beam_option: Options = None,
) -> None:
    """The files of a listing of your own.

    Example: `corpus download listing files.txt raw/mine --base https://host/`
    """
    from corpus.download.listing import read_listing

    _check(output)
    _fetch(read_listing(listing, base), How(output, limit, connections, dry_run, runner, beam_option))


def _listed(how: How, listings: Sequence["Listing"]) -> list["RemoteFile"]:
    """The files of all these listings, which are kept in the output folder."""
    _check(how.output)
    return [file for listing in listings for file in listing.files(how.output, keep=not how.dry_run)]


def _fetch(files: Sequence["RemoteFile"], how: How, lacking: str = "") -> None:
    """Says what there is to fetch, and fetches it.

    Args:
        lacking: what it means that the server does not have some files, whose number it takes; "" = that is an error.
    """
    from corpus.download.listing import describe

    files = files[: how.limit]
    missing = [file for file in files if not file.is_in(how.output)]
    there = f"; {len(files) - len(missing):,} of them are there" if len(missing) < len(files) else ""
    print(f"{describe(files)}{there}")
    if how.dry_run or not missing:
        return
    runner = make_runner(how.runner, how.connections, how.beam_option)
    pipelines("download").download(missing, how.output, how.connections, runner, may_lack=bool(lacking))
    absent = sum(not file.is_in(how.output) for file in missing)
    if absent:
        print(lacking.format(f"{absent:,}"))


def _check(output: str) -> None:
    if "://" in output:
        raise UserError(f"{output} is not a local folder: give a local or mounted one")
