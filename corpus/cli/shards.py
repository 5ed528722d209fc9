"""`corpus shards`: packed shards of tokens, verified, shown, and written in other formats."""

import sys
from typing import Annotated

import typer

from corpus.errors import DamagedFile, UserError

app = typer.Typer(no_args_is_help=True, help="Packed shards of tokens: verify, show, export, import.")


@app.command()
def verify(
    paths: Annotated[list[str], typer.Argument(help="shards, or token folders with all that is in them")],
) -> None:
    """Read every byte and compare it with the checksums and the index; name every file that is damaged.

    Example: `corpus shards verify runs/llama/tokens/*`
    """
    from rich.console import Console
    from rich.progress import track

    from tokenizer.verify import shard_checks, unlisted

    problems: list[str] = []
    checks = []
    for path in paths:
        try:
            checks += shard_checks(path)
            if not path.endswith(".tok"):
                problems += [f"{extra} is not in index.json: remove it" for extra in unlisted(path)]
        except UserError as error:
            problems.append(str(error))
    tokens = whole = 0
    for check in track(checks, "verify", console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()):
        try:
            tokens += check().counts.tokens
            whole += 1
        except UserError as error:
            problems.append(str(error))
    print(f"{whole:,} of {len(checks):,} shards are whole, with {tokens:,} tokens")
    for problem in problems:
        print(f"corpus: {problem}", file=sys.stderr)
    if problems:
        raise typer.Exit(2)


@app.command()
def info(paths: Annotated[list[str], typer.Argument(help="shards, or token folders")]) -> None:
    """Print what shards or token folders say of themselves, without reading their tokens.

    Example: `corpus shards info runs/llama/tokens/*`
    """
    for path in paths:
        _print_info(path)


def _print_info(path: str) -> None:
    from tokenizer.index import read_index
    from tokenizer.remote import open_shard

    lines: list[tuple[str, str]]
    if path.endswith(".tok"):
        shard = open_shard(path)
        header, counts = shard.header, shard.counts
        tokens, text = counts.tokens, counts.text_bytes
        lines = [
            ("documents", f"{counts.documents:,}" + (f", of {counts.parts:,} parts" if counts.parts else "")),
            ("tokens", f"{tokens:,}"),
        ]
    else:
        index = read_index(path)
        header, tokens = index.header, index.tokens
        text = sum(entry.text_bytes for entry in index.shards)
        held = (sum(e.documents for e in index.heldout), sum(e.tokens for e in index.heldout))
        share = f", one in {index.heldout_one_in}" if index.heldout_one_in else ""
        lines = [
            ("shards", f"{len(index.shards):,}"),
            ("documents", f"{index.documents:,}, and {held[0]:,} held out{share}"),
            ("tokens", f"{tokens:,}, and {held[1]:,} of held-out documents"),
        ]
    if text and tokens:  # the sequences of a mixture have no count of it
        lines.append(("text", f"{text:,} bytes, {text / tokens:.2f} a token"))
    lines += [
        ("ids", f"{header.dtype.name}, vocabulary of {header.vocab_size:,}"),
        ("BOS, EOS", ", ".join("none" if piece < 0 else str(piece) for piece in (header.bos, header.eos))),
        ("tokenizer", header.tokenizer),
        ("dataset", header.dataset),
        *_origin(path),
    ]
    print(path)
    for name, value in lines:
        print(f"  {name:<10} {value}")


def _origin(path: str) -> list[tuple[str, str]]:
    """Where the documents and the model are, where that is noted."""
    from tokenizer.trace import documents_in, documents_of

    try:
        documents = documents_of(path) if path.endswith(".tok") else documents_in(path.rstrip("/"))
    except DamagedFile:
        raise
    except UserError:
        return []
    origin = [("step", documents.step)] if documents.step else [("file", path) for path in documents.files]
    return [*origin, ("model", documents.model)]


@app.command()
def cat(
    shard: Annotated[str, typer.Argument(help="a shard")],
    document: Annotated[int | None, typer.Option(min=0, help="only the document of this number in the shard")] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many documents")] = 3,
    ids: Annotated[bool, typer.Option("--ids", help="the ids, as they are in the shard; needs no tokenizer")] = False,
) -> None:
    """Print documents of a shard as their tokens decode, each under its id, part and row.

    Example: `corpus shards cat runs/llama/tokens/books-1f3a9c2e/shard-00000.tok --limit 1`
    """
    from tokenizer.remote import open_shard
    from tokenizer.trace import documents_of

    if not shard.endswith(".tok"):
        raise UserError(f"{shard} is not a shard: give one of the .tok files of a token folder")
    opened = open_shard(shard)
    try:
        documents = documents_of(shard)
    except UserError:
        if not ids:
            raise
        documents = None
    numbers = range(min(limit, opened.counts.documents)) if document is None else range(document, document + 1)
    for number in numbers:
        try:
            part, row = opened.origin(number)
        except IndexError as error:
            raise UserError(f"{error}: give a number from 0 to {opened.counts.documents - 1}") from None
        start, stop = (int(offset) for offset in opened.document_offsets[number : number + 2])
        place = f"part {part} row {row}"
        name = documents.name_of(part, row) if documents else place
        named = place if name == place else f"{name} ({place})"
        print(f"=== document {number}: {named}, {stop - start:,} tokens from {start:,} on")
        tokens = opened.read(start, stop).tolist()
        print(" ".join(map(str, tokens)) if ids or documents is None else documents.processor.decode(tokens))


@app.command("export")
def export_(
    folder: Annotated[str, typer.Argument(help="a token folder")],
    output: Annotated[str, typer.Argument(help="folder for train/ and validation/")],
    format: Annotated[str, typer.Option(help="megatron, datatrove or datasets (Parquet)")],
) -> None:
    """Write the documents of a token folder for another trainer, shard by shard.

    Example: `corpus shards export runs/llama/tokens/books-1f3a9c2e export/books --format megatron`
    """
    from tokenizer.interop.exporting import export_folder

    export_folder(folder, output, format, print)


@app.command("import")
def import_(
    files: Annotated[list[str], typer.Argument(help="local files: .bin or .idx of Megatron, .ds of datatrove")],
    output: Annotated[str, typer.Argument(help="the token folder")],
    format: Annotated[str, typer.Option(help="megatron or datatrove")],
    model: Annotated[str, typer.Option(help="the SentencePiece model that the ids are of")],
) -> None:
    """Make a token folder of packed tokens that something else wrote; a shard for each file.

    Example: `corpus shards import old/*.idx tokens/old --format megatron --model tokenizer.model`
    """
    from tokenizer.interop.importing import import_files

    index = import_files(files, output, format, model, print)
    print(f"{output}: {len(index.shards):,} shards, {index.documents:,} documents, {index.tokens:,} tokens")
