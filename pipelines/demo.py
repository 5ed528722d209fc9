"""The demo: raw files, a language model, the whole pipeline, and, where torch is installed, a tiny model."""

import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from corpus.demo.languages import train_language_model
from corpus.demo.raw import make
from corpus.errors import UserError
from corpus.recipe.load import Recipe, bundled, load
from corpus.storage import exists, join, read_json, write_json
from pipelines.engine.runner import Runner
from pipelines.report import report_after
from pipelines.run import RunResult, run
from pipelines.summary import summary_table
from tokenizer.mixture import read_manifest


def demo(output: str, runner: Runner, console: Console) -> None:
    """Makes raw files of all seven sources below `output`, runs the recipe `demo` over them, and trains a tiny model.

    What is there already is left as it is. Nothing is fetched.

    Raises:
        UserError: `output` is not on a local disk, a step failed, or the trained model is no better than the
            frequencies of tokens.
    """
    if "://" in output:
        raise UserError(f"{output} is not a local folder: the demo makes its raw files on a local disk")
    begun = time.monotonic()
    home = Path(output)
    home.mkdir(parents=True, exist_ok=True)
    did = False
    if make(home / "raw"):
        did = True
        _say(console, f"raw files of seven sources: {home / 'raw'}", begun)
    language_model = home / "models" / "lid.bin"
    if not language_model.exists():
        did = True
        language_model.parent.mkdir(exist_ok=True)
        accuracy = train_language_model(str(language_model))
        _say(console, f"language model: {accuracy:.1%} of the sentences it was not trained on", begun)
    recipe = load(bundled("demo"), variables={**os.environ, "DEMO": output})
    result = run(recipe, runner)
    assert result.mixture is not None
    did = did or result.ran > 0
    _say(console, "documents, tokens and their order are there", begun)
    report_after(result.graph, False, lambda line: _say(console, line, begun))

    found = join(output, "run", f"model-{os.path.basename(os.path.dirname(result.mixture)).removeprefix('mixture-')}")
    has_torch = find_spec("torch") is not None
    if has_torch and not exists(_report(found)):
        did = True
        _train(recipe, result.mixture, found)
        _say(console, f"model: {found}", begun)

    console.print(summary_table(result.graph))
    console.print(read_manifest(result.mixture).table(), markup=False, highlight=False, soft_wrap=True)
    if has_torch:
        _judge(read_json(_report(found)), console)
    else:
        line = "no model trained, torch is not installed: pip install '.[train]' in the project's folder, and run again"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not did:
        console.print(f"nothing to do: the demo is in {output}", markup=False, highlight=False, soft_wrap=True)
    _show_ways_on(output, result, console)


def _say(console: Console, line: str, begun: float) -> None:
    console.print(f"[{time.monotonic() - begun:.0f} s] {line}", markup=False, highlight=False, soft_wrap=True)


def _report(model: str) -> str:
    return join(model, "heldout.json")


def _train(recipe: Recipe, manifest: str, output: str) -> None:
    """Trains on the mixture and writes the held-out losses, by source and of all, beside the checkpoints."""
    import torch

    from tokenizer.reader import TokenReader
    from trainer.config import TrainingSettings
    from trainer.heldout import read_heldout, unigram_entropy
    from trainer.train import run as train

    settings = recipe.section("training", TrainingSettings)
    assert settings is not None
    # Matrices this small gain nothing from a second thread, and lose much where a core has other work besides.
    torch.set_num_threads(1)
    sources = train(settings, manifest, output)["heldout"]
    windows = read_heldout(TokenReader(manifest), settings.run.eval_sequences)
    tokens = sum(source["tokens"] for source in sources.values())
    overall = {
        "loss": sum(source["loss"] * source["tokens"] for source in sources.values()) / tokens,
        "unigram_entropy": unigram_entropy(np.concatenate(list(windows.values()))[:, 1:]),
        "tokens": tokens,
    }
    write_json(_report(output), {"sources": sources, "all": overall})


def _judge(report: dict[str, Any], console: Console) -> None:
    """Prints the held-out losses.

    Raises:
        UserError: the loss over all sources is not below the entropy.
    """
    table = Table(title="Held-out loss of the model, in nats a token")
    for heading in ("source", "tokens", "loss", "unigram entropy", "below it"):
        table.add_column(heading, justify="left" if heading == "source" else "right")
    for name, held_out in [*report["sources"].items(), ("all", report["all"])]:
        loss, entropy = held_out["loss"], held_out["unigram_entropy"]
        below = "yes" if loss < entropy else "no"
        table.add_row(name, f"{held_out['tokens']:,}", f"{loss:.3f}", f"{entropy:.3f}", below)
    console.print(table)
    if report["all"]["loss"] >= report["all"]["unigram_entropy"]:
        raise UserError("the model has not learned more than the frequencies of tokens: train it for more steps")


def _show_ways_on(output: str, result: RunResult, console: Console) -> None:
    steps = result.graph.finished_documents()
    language = steps["commoncrawl"][1].path
    overlap = steps["books"][2].path
    console.print("Look further:")
    for command in (
        f"corpus show {language} --dropped language_unwanted",
        f"corpus show {overlap} --dropped overlap",
        f"corpus trace {steps['arxiv'][-1].path} 0 --chars 0",
        f"corpus trace {join(result.graph.tokens['wikipedia'].folder, 'shard-00000.tok')} 1000",
    ):
        console.print(f"  {command}", markup=False, highlight=False, soft_wrap=True)
