"""Scores of a model on the paper's benchmarks by lm-evaluation-harness, and the table beside the paper's.

Needs the extra `eval`; run without a network when the items are local.
"""

import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from corpus.errors import UserError
from trainer.convert import huggingface
from trainer.convert.export import export
from trainer.evaluation.benchmarks import SIZES, Row, rows
from trainer.parallel import choose_device

Score = dict[str, Any]
"""`score` and `stderr` in percent, `items` they are taken over, `shots`, `metric`."""


@contextmanager
def exported(source: str, tokenizer: str | None, dtype: str) -> Iterator[str]:
    """A folder in Hugging Face's layout: `source` itself where it is one, else an export that is removed afterwards.

    Raises UserError, DamagedFile.
    """
    if (Path(source) / huggingface.CONFIG).is_file():
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="corpus-eval-") as temporary:
        folder = os.path.join(temporary, "model")
        export(source, folder, "huggingface", dtype, tokenizer)
        yield folder


def evaluate(
    source: str, chosen: Sequence[Row], *, data: str | None, limit: int | None, device: str, unsafe_code: bool,
    tokenizer: str | None,
) -> Iterator[tuple[str, Score]]:  # fmt: skip
    """Name and score of each row, as they are made; one whose answers the model's window cannot hold is left out.

    Computed in bfloat16 on a GPU, float32 on a CPU; a text begins with the BOS, as in training.
    source: what `trainer.convert.open.open_weights` reads. data: a folder of items (`tasks.read_items`); None: from
    the Hugging Face hub. limit: the first items of each task only.

    Raises:
        UserError: no data, a program would be run that the user has not agreed to, lm-eval is not installed.
        DamagedFile: model or data are not whole.
    """
    if not chosen:
        raise UserError("nothing to score: give --data FOLDER with the items of a task, or --task NAME")
    coded = [row.name for row in chosen if row.benchmark.runs_code]
    if coded and not unsafe_code:
        raise UserError(
            f"{', '.join(coded)} runs programs that the model wrote, as this user: give --confirm-unsafe-code in a"
            " container that nothing of value is in, or leave it out"
        )
    if data is not None:
        os.environ["HF_DATASETS_OFFLINE"] = os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        from lm_eval.evaluator import evaluate as run
        from lm_eval.models.huggingface import HFLM

        from trainer.evaluation import tasks
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: pip install '.[eval]' in the project's folder") from None
    on = choose_device(device)
    dtype = "float32" if on.type == "cpu" else "bfloat16"
    with exported(source, tokenizer, dtype) as folder:
        config = json.loads((Path(folder) / huggingface.CONFIG).read_text(encoding="utf-8"))
        built = {row.name: tasks.build(row, data, config["max_position_embeddings"]) for row in chosen}
        model = HFLM(
            pretrained=folder, device=str(on), dtype=dtype, add_bos_token=config["bos_token_id"] is not None,
            batch_size="auto" if on.type == "cuda" else 1,
        )  # fmt: skip
        if config["bos_token_id"] not in (None, model.tok_encode("a")[0]):
            raise UserError(f"{source}: its tokenizer does not begin a text with the BOS; please report this")
        for row in chosen:
            torch.manual_seed(0)
            loaded = built.pop(row.name)  # the prompts of all rows would fill the memory
            try:
                result = run(
                    model, {"tasks": {task.config.task: task for task in loaded}, "groups": {}, "group_map": {}},
                    limit=limit, log_samples=False, bootstrap_iters=100, confirm_run_unsafe_code=unsafe_code,
                )  # fmt: skip
            except AssertionError:  # all that lm-eval says of it
                asked = [instance.args[1] for task in loaded for instance in task.instances]
                if all(len(model.tok_encode(a)) <= model.max_length for a in asked if isinstance(a, str)):
                    raise
                print(f"{row.name} left out: an answer is longer than the window, {model.max_length}", file=sys.stderr)
                continue
            yield row.name, summarise(row, result)


def summarise(row: Row, result: Mapping[str, Any]) -> Score:
    """One score of lm-eval's results of a row's tasks: their mean, each weighted with its items."""
    metric, _, kept = row.benchmark.metric.partition(",")
    parts = [
        (result["n-samples"][name]["effective"], values[f"{metric},{kept}"], values[f"{metric}_stderr,{kept}"])
        for name, values in result["results"].items()
    ]
    items = sum(count for count, _, _ in parts)
    known = all(isinstance(error, float) and math.isfinite(error) for _, _, error in parts)
    return {
        "score": 100 * sum(count * score for count, score, _ in parts) / items,
        "stderr": 100 * math.hypot(*(count * error for count, _, error in parts)) / items if known else None,
        "items": items,
        "shots": row.shots,
        "metric": metric,
    }


def table(scores: Mapping[str, Score]) -> Table:
    """One line a score, in the paper's order, with what the paper's four models have."""
    shown = Table("task", "shots", "metric", "score", "±", "items", *(f"LLaMA-{size}" for size in SIZES), box=None)
    for row in rows():
        if got := scores.get(row.name):
            error = got["stderr"]
            shown.add_row(
                row.benchmark.name, str(row.shots), got["metric"], f"{got['score']:.1f}",
                "" if error is None else f"{error:.1f}", f"{got['items']:,}",
                *("" if value is None else f"{value:.1f}" for value in row.paper),
            )  # fmt: skip
    return shown
