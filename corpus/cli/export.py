"""`corpus export`: documents, or a trained model, for other programs."""

from typing import Annotated

import typer

from corpus.cli.model import export_model
from corpus.cli.options import CORES, Options, RunnerName, Workers, make_runner, pipelines

app = typer.Typer(no_args_is_help=True, help="Write documents, or a trained model, for other programs.")
app.command("model")(export_model)


@app.command()
def documents(
    steps: Annotated[list[str], typer.Argument(help="folders of finished steps, or of runs: then their last steps")],
    output: Annotated[str, typer.Argument(help="a new folder; one folder in it a source")],
    format: Annotated[str, typer.Option(help="parquet or jsonl.zst, as Hugging Face datasets opens them, or dolma")],
    columns: Annotated[
        str | None, typer.Option(help="which, in this order, as in id,text,url; all but those that lead to raw bytes")
    ] = None,
    shard_bytes: Annotated[int, typer.Option(min=1, help="of text in a file, about")] = 1 << 30,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Write documents as Parquet, JSON lines, or rows of Dolma; `load_dataset(OUTPUT, SOURCE)` opens the first two.

    Example: `corpus export documents runs/llama my-dataset --format parquet`
    """
    from corpus.steps.export import COLUMNS

    chosen = COLUMNS if columns is None else [name.strip() for name in columns.split(",")]
    pipelines("export").export_documents(
        steps, output, format, chosen, shard_bytes, make_runner(runner, workers, beam_option)
    )
