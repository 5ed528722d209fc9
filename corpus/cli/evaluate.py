"""`corpus eval`: scores on the paper's benchmarks, of a model or over a run's checkpoints."""

from typing import Annotated, Any

import typer

from corpus.cli.model import Tokenizer
from corpus.cli.options import trainer
from corpus.errors import UserError


def evaluate(
    model: Annotated[
        str | None, typer.Argument(help="an exported model, a checkpoint, or a run's output folder: then its newest")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="a name of the list, as in --task boolq --task nq/5; all, without")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="a folder of items, as the list names them; without, the Hugging Face hub")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="of a run: score its checkpoints, and draw scores against tokens")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="the benchmarks, their data and where it comes from")] = False,
    output: Annotated[
        str | None, typer.Option(help="a JSON file of the scores; with --history the picture: svg, png or pdf")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="the first items of each task only, for a try")] = None,
    tokenizer: Tokenizer = None,
    device: Annotated[
        str, typer.Option(help="cpu (float32) or cuda (bfloat16); auto: a GPU where there is one")
    ] = "auto",
    confirm_unsafe_code: Annotated[
        bool, typer.Option("--confirm-unsafe-code", help="run the programs a model writes for HumanEval and MBPP")
    ] = False,
) -> None:
    """Score a model on the paper's 20 benchmarks with lm-evaluation-harness.

    Without --task: what there is data for. With --history: what the paper's Figure 2 shows.

    Example: `corpus eval llama-hf --data benchmarks --task boolq --task hellaswag`
    """
    import sys

    from rich.console import Console

    from corpus.storage import write_json

    benchmarks = trainer("evaluation.benchmarks")
    if list_:
        print("\n".join(benchmarks.describe()))
        return
    if model is None:
        raise UserError("name a model to score, or give --list")
    scores = trainer("evaluation.scores")

    if task:
        chosen = benchmarks.choose(task)
    else:
        wanted = benchmarks.choose(benchmarks.FIGURE_2) if history else benchmarks.rows()
        chosen, left_out = benchmarks.possible(wanted, data, confirm_unsafe_code)
        if history and data is None:
            chosen, left_out = [], []  # only what is known is drawn
        for line in left_out:
            print(line, file=sys.stderr)

    def score(source: str, rows: Any) -> Any:
        return scores.evaluate(
            source, rows, data=data, limit=limit, device=device, unsafe_code=confirm_unsafe_code, tokenizer=tokenizer
        )

    if history:
        curves = trainer("evaluation.history")
        curves.fill(model, chosen, limit, score)
        known = curves.points(model)
        picture = output or f"{model.rstrip('/')}/{curves.FOLDER}/history.svg"
        curves.draw(picture, known)
        table = f"{picture.rpartition('.')[0]}.csv"
        curves.write_csv(table, known)
        print(f"{picture}, {table}: {len({point.what for point in known})} curves, {len(known)} points")
        return
    found: dict[str, Any] = {}
    try:
        for name, made in score(model, chosen):
            found[name] = made
            if output:
                write_json(output, {"model": model, "limit": limit, "scores": found})
    finally:
        if found:
            Console(width=None if sys.stdout.isatty() else 200).print(scores.table(found))
