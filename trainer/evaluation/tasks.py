"""lm-evaluation-harness's tasks for the rows of `benchmarks`, and what the paper scores otherwise than they do.

Items come from local files or, without a folder of them, from the Hugging Face hub. Needs the extra `eval`.
"""

import csv
import json
import logging
import os
import re
import signal
import string
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import datasets
import lm_eval.tasks
import pyarrow.parquet as pq
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml

from corpus.errors import DamagedFile, UserError
from corpus.lifeline import kill_with, lifeline
from trainer.evaluation.benchmarks import SUFFIXES, Benchmark, Row, find_file

Item = dict[str, Any]

SEED = 1234
"""Of the draw of examples: lm-eval's own default."""
SECONDS = 10
"""A program that was written for a test may run, with the test."""

logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns of each default that the paper's setting is
datasets.disable_progress_bars()


class AnswerNormalised(ConfigurableTask):
    """Multiple choice by P(completion | context) / P(completion | "Answer:"); lm-eval's own has an empty context."""

    def construct_requests(self, doc: Item, ctx: Any, **kwargs: Any) -> list[Instance]:
        requests: list[Instance] = super().construct_requests(doc, ctx, **kwargs)
        for request in requests[len(requests) // 2 :]:
            request.arguments = ("Answer:", request.arguments[1])
        return requests


def normalise(answer: str) -> str:
    """Appendix A: lower case, without articles, punctuation and repeated spaces."""
    kept = "".join(character for character in answer.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def closed_book(item: Item, results: Sequence[str]) -> dict[str, float]:
    """1 where the answer is one of the item's, both normalised."""
    answers = item["answer"]
    known = answers if isinstance(answers, list) else [answers["value"], *answers["aliases"]]
    return {"exact_match": float(normalise(results[0]) in {normalise(answer) for answer in known})}


def group_race(items: datasets.Dataset) -> datasets.Dataset:
    """One item a text, with all its questions, as lm-eval's functions for RACE want it."""
    if "problems" in items.column_names:
        return items
    texts = [
        {
            "article": article,
            "problems": repr([{key: q[key] for key in ("question", "options", "answer")} for q in some]),
        }
        for article, some in groupby(items, key=lambda item: item["article"])
    ]
    return datasets.Dataset.from_list(texts)


def mbpp_examples(items: datasets.Dataset) -> list[Item]:
    """The three that Austin et al. 2021 show before a task, in the form of lm-eval's template."""
    return [{**item, "is_fewshot": True} for item in items if item["task_id"] in (2, 3, 4)]


def passes(program: str) -> bool:
    """Whether a Python program ends by itself, without an error, in `SECONDS`. It can do what this user can do; what it
    started ends with it."""
    with tempfile.TemporaryDirectory() as folder, lifeline() as pipe:
        file = Path(folder) / "program.py"
        file.write_text(program, encoding="utf-8", errors="replace")
        process = subprocess.Popen(
            [sys.executable, "-I", str(file)], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, pass_fds=[pipe], start_new_session=True,
        )  # fmt: skip
        kill_with(pipe, -process.pid)  # if this process is killed
        try:
            return process.wait(SECONDS) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def humaneval(item: Item, results: Sequence[str]) -> dict[str, float]:
    program = f"{item['prompt']}{results[0]}\n{item['test']}\ncheck({item['entry_point']})\n"
    return {"pass@1": float(passes(program))}


def mbpp(item: Item, results: Sequence[str]) -> dict[str, float]:
    return {"pass@1": float(passes("\n".join([results[0], *item["test_list"]])))}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (closed_book, group_race, mbpp_examples, humaneval, mbpp)
}
"""What a benchmark's changes name."""


def read_items(folder: str, benchmark: Benchmark, split: str) -> list[Item]:
    """The items of a local file, folder/DATA/SPLIT.SUFFIX.

    Raises UserError when there is none, DamagedFile when it cannot be read or lacks a column.
    """
    path = find_file(folder, benchmark, split)
    if path is None:
        raise UserError(
            f"{folder}/{benchmark.data}/{split}.jsonl does not exist (nor {', '.join(SUFFIXES[1:])}):"
            f" {benchmark.paper} needs it, with {', '.join(benchmark.columns)}; `corpus eval --list` names its origin"
        )
    try:
        items = _read(path)
    except (OSError, ValueError) as error:
        raise DamagedFile(f"{path}: {' '.join(str(error).split())}") from None
    if items and "problems" in items[0]:  # RACE by texts, not by questions
        return [{"article": item["article"], "problems": item["problems"]} for item in items]
    # No other column: lm-eval takes a text that is a column's name, even an empty one, for that column.
    columns = [column.split()[0] for column in benchmark.columns]
    for number, item in enumerate(items, 1):
        if lacking := [column for column in columns if column not in item]:
            raise DamagedFile(
                f"{path}: item {number} lacks {', '.join(lacking)}; one holds {', '.join(benchmark.columns)}"
            )
    if not items:
        raise DamagedFile(f"{path} has no items")
    return [{column: item[column] for column in columns} for item in items]


def _read(path: str) -> list[Item]:
    if path.endswith(".parquet"):
        rows: list[Item] = pq.read_table(path).to_pylist()
        return rows
    with open(path, encoding="utf-8", newline="") as file:
        if path.endswith(".csv"):
            return list(csv.DictReader(file))
        if path.endswith(".json"):
            return list(json.load(file))
        return [json.loads(line) for line in file if line.strip()]


def build(row: Row, folder: str | None, window: int) -> list[ConfigurableTask]:
    """The tasks of one row, whose items together make its score.

    An answer may take half of the model's window at most. Raises UserError when the items cannot be had, DamagedFile.
    """
    benchmark = row.benchmark
    root = Path(lm_eval.tasks.__file__).parent
    local: dict[str, list[Item]] | None = None
    paths = sorted(root.glob(benchmark.base))
    if folder is not None:
        local = {split: read_items(folder, benchmark, split) for split in row.splits}
        if benchmark.subject is None:
            paths = paths[:1]
    tasks = []
    for path in paths:
        config = _config(row, path, window)
        if local is not None:
            subject = config.get("dataset_name")
            items = {
                split: [i for i in rows if benchmark.subject is None or i[benchmark.subject] == subject]
                for split, rows in local.items()
            }
            if not items[benchmark.split]:
                continue
            config["custom_dataset"] = partial(_dataset, items)
        kind = AnswerNormalised if benchmark.metric.startswith("acc_mutual_info") else ConfigurableTask
        try:
            task = kind(config=config)
        except (OSError, ValueError) as error:
            if local is not None:
                raise
            raise UserError(
                f"{benchmark.origin} cannot be had from the Hugging Face hub"
                f" ({' '.join(str(error).split())[:200]}); give --data FOLDER with its items"
            ) from None
        task.set_fewshot_seed(SEED)
        tasks.append(task)
    if not tasks:
        raise DamagedFile(f"{folder}/{benchmark.data}: no item of a subject that {benchmark.paper} has")
    return tasks


def _dataset(items: Mapping[str, list[Item]], **_: Any) -> dict[str, datasets.Dataset]:
    return {split: datasets.Dataset.from_list(rows) for split, rows in items.items()}


def _config(row: Row, path: Path, window: int) -> dict[str, Any]:
    """lm-eval's configuration of a task, with the paper's changes."""
    benchmark = row.benchmark
    # The functions of these two fetch a program from the hub when they are imported; ours replace them all.
    config: dict[str, Any] = {**load_yaml(path, resolve_func=not benchmark.runs_code), **_resolve(benchmark.changes)}
    for key in ("tag", "group", "include", "training_split", "validation_split", "test_split", "fewshot_split"):
        config.pop(key, None)
    config["task"] = f"{row.name}:{path.stem}"
    config["num_fewshot"] = row.shots
    config["test_split"] = benchmark.split
    if row.shots and benchmark.shots_split:
        config["fewshot_split"] = benchmark.shots_split
    elif benchmark.shots_split:
        config.pop("fewshot_config", None)
    if "generation_kwargs" in config:
        generation = dict(config["generation_kwargs"])
        generation["max_gen_toks"] = min(generation.get("max_gen_toks", 512), window // 2)
        config["generation_kwargs"] = generation
    return config


def _resolve(value: Any) -> Any:
    """Names of functions become the functions."""
    if isinstance(value, Mapping):
        return {key: _resolve(each) for key, each in value.items()}
    return FUNCTIONS.get(value, value) if isinstance(value, str) else value
