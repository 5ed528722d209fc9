"""Scores and held-out perplexity against tokens over a run's checkpoints: the paper's Figure 2.

    OUTPUT/eval/step-00001000.json   scores of one checkpoint; they stay when the checkpoint is removed
    OUTPUT/eval/history.csv          tokens, step, what, value
    OUTPUT/eval/history.svg          the same, drawn

Needs the extra `eval`; where no scores are missing only its matplotlib is used.
"""

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.errors import UserError
from corpus.storage import commit, exists, join, names, read_json, write_json
from trainer.checkpoint import complete, read_position
from trainer.evaluation.benchmarks import Row, rows
from trainer.evaluation.scores import Score
from trainer.records import read_records

FOLDER = "eval"
PERPLEXITY = "perplexity "


@dataclass(frozen=True)
class Point:
    """One value: a score in percent, or the perplexity of a source ("perplexity books")."""

    tokens: int
    step: int
    what: str
    value: float


Evaluate = Callable[[str, list[Row]], Iterable[tuple[str, Score]]]


def fill(run: str, chosen: Sequence[Row], limit: int | None, evaluate: Evaluate) -> int:
    """Has `evaluate` make the scores that checkpoints of a run lack, oldest first; returns how many checkpoints had to.

    Each score is on disk before the next is made. Raises UserError where earlier scores are of another number of items.
    """
    count = 0
    for folder in reversed(complete(Path(run))):
        position = read_position(folder)
        path = join(run, FOLDER, f"{folder.name}.json")
        body: dict[str, Any] = {"scores": {}}
        if exists(path):
            body = read_json(path)
            if body["limit"] != limit:
                raise UserError(f"{path} has scores with --limit {body['limit']}: give the same, or remove the file")
        missing = [row for row in chosen if row.name not in body["scores"]]
        if not missing:
            continue
        body |= {"step": position.step, "tokens": position.sequence * position.seq_len, "limit": limit}
        for name, score in evaluate(str(folder), missing):
            body["scores"][name] = score
            write_json(path, body)
        count += 1
    return count


def points(run: str) -> list[Point]:
    """All that is known of a run: the scores in its folder, and the held-out losses in metrics.jsonl.

    A step that was done twice, after a resume, counts as it was the last time. Raises UserError when nothing is known.
    """
    found: dict[tuple[str, int], Point] = {}
    for name in names(join(run, FOLDER)) if exists(join(run, FOLDER)) else []:
        if name.startswith("step-"):
            body = read_json(join(run, FOLDER, name))
            for row, score in body["scores"].items():
                found[row, body["step"]] = Point(body["tokens"], body["step"], row, score["score"])
    start: dict[str, Any] = {}
    checkpoints = complete(Path(run))
    seq_len = read_position(checkpoints[0]).seq_len if checkpoints else None
    for record in read_records(run):
        if record["event"] == "start":
            start = record
        elif record["event"] == "heldout" and seq_len and start:
            windows = start["sequence"] + (record["step"] - start["step"]) * start["batch"]
            for source, held_out in record["sources"].items():
                what = f"{PERPLEXITY}{source}"
                value = math.exp(min(held_out["loss"], 700))
                found[what, record["step"]] = Point(windows * seq_len, record["step"], what, value)
    if not found:
        raise UserError(f"{run} has neither scores nor held-out losses: give --task and --data, or run.eval_every")
    order = [row.name for row in rows()]
    return sorted(
        found.values(),
        key=lambda p: (order.index(p.what) if p.what in order else len(order), p.what, p.step),
    )


def write_csv(path: str, known: Sequence[Point]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["tokens", "step", "what", "value"])
    writer.writerows((p.tokens, p.step, p.what, f"{p.value:.6g}") for p in known)
    commit(path, lambda sink: sink.write(text.getvalue().encode()))


def draw(path: str, known: Sequence[Point]) -> None:
    """One panel a score and one for the perplexities; the file's type is that of its name (svg, png, pdf).

    Raises UserError when matplotlib is not installed, or does not write such files.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise UserError("matplotlib is not installed: pip install '.[eval]' in the project's folder") from None
    lines: dict[str, list[Point]] = {}
    for point in known:
        lines.setdefault(point.what, []).append(point)
    panels = [[what] for what in lines if not what.startswith(PERPLEXITY)]
    if sources := [what for what in lines if what.startswith(PERPLEXITY)]:
        panels.append(sources)
    columns = min(3, len(panels))
    deep = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(4 * columns, 3 * deep), layout="constrained")
    scale, unit = next(
        ((size, name) for size, name in ((1e9, "billion"), (1e6, "million")) if known and _last(known) >= size),
        (1e3, "thousand"),
    )
    for place, panel in enumerate(panels, 1):
        axes = figure.add_subplot(deep, columns, place)
        for what in panel:
            tokens = [point.tokens / scale for point in lines[what]]
            axes.plot(tokens, [p.value for p in lines[what]], marker="o", label=what.removeprefix(PERPLEXITY))
        axes.set_xlabel(f"{unit} tokens")
        axes.grid(alpha=0.3)
        if panel is sources:
            axes.set_title("held-out perplexity")
            axes.set_yscale("log")
            axes.legend()
        else:
            axes.set_title(f"{panel[0]}, %")
    suffix = Path(path).suffix.lstrip(".")
    if suffix not in figure.canvas.get_supported_filetypes():
        raise UserError(f"{path}: end its name in .svg, .png or .pdf")
    image = io.BytesIO()
    figure.savefig(image, format=suffix)
    commit(path, lambda sink: sink.write(image.getvalue()))


def _last(known: Sequence[Point]) -> int:
    return max(point.tokens for point in known)
