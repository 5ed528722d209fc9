"""What a run will cost before it is run: data and training."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from corpus.cli.options import CORES, WIDE, pipelines
from corpus.errors import UserError

if TYPE_CHECKING:
    from trainer.plan.cost import Hardware

TRAIN = "train"
PAPER_VOCAB, PAPER_WINDOW = 32_000, 2048  # LLaMA-1, sections 2.1 and 2.3


def plan(
    what: Annotated[str, typer.Argument(help="a recipe file, a bundled recipe (llama), or the word train")],
    cores: Annotated[int, typer.Option(min=1, help="processor cores that the pipelines get")] = CORES,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="measure first how fast this machine is, and keep that for later plans")
    ] = False,
    model: Annotated[str | None, typer.Option(help="7B, 13B, 33B or 65B, instead of the recipe's")] = None,
    gpu: Annotated[str, typer.Option(help="kind of GPU, as in H200 or A100-80GB")] = "A100-80GB",
    gpus: Annotated[int | None, typer.Option(min=1, help="how many; else as few as hold the model")] = None,
    tokens: Annotated[float | None, typer.Option(min=1, help="to train on, as in 1.4e12; else the recipe's")] = None,
    mfu: Annotated[float | None, typer.Option(min=0.01, max=1, help="model FLOPs utilisation; else 0.45")] = None,
    tokens_per_second: Annotated[float | None, typer.Option(min=1e-3, help="of one GPU, instead of an MFU")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="a training setting: parallel.tensor=8; may come again")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="with train: training and serving of every size and number of tokens")
    ] = False,
    served: Annotated[float, typer.Option(min=1, help="tokens that --compare serves")] = 1e12,
) -> None:
    """Say what a recipe, or a training run, will take: files, disk, core-hours, GPU memory, days, energy.

    Example: `corpus plan train --model 65B --gpus 2048 --gpu A100-80GB`
    """
    from trainer.gpus import find
    from trainer.plan.cost import MFU, Hardware

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    if mfu is not None and tokens_per_second is not None:
        raise UserError("--mfu and --tokens-per-second are two ways to give one speed: give one")
    hardware = Hardware(find(gpu), gpus, mfu or MFU, tokens_per_second)
    changes: dict[str, Any] = {} if model is None else {"model.size": model}
    changes |= dict(_setting(text) for text in set_ or ())
    if what == TRAIN:
        if calibrate:
            raise UserError("--calibrate measures the steps of a recipe: name one instead of `train`")
        _train(console, changes, tokens, hardware, served if compare else None)
        return
    if compare:
        raise UserError(f"--compare is not about {what}: write `corpus plan train --compare`")
    _recipe(console, what, cores, calibrate, changes, tokens, hardware)


def _recipe(
    console: Console,
    path: str,
    cores: int,
    calibrate: bool,
    changes: dict[str, Any],
    tokens: float | None,
    hardware: "Hardware",
) -> None:
    from corpus.recipe.load import load
    from trainer.config import TrainingSettings, override, parse
    from trainer.plan.cost import plan, tables

    recipe = load(path, needs_models=False, sections={"training": TrainingSettings})
    rates = pipelines("plan.rates")
    if calibrate and recipe.sources:
        print(f"kept in {rates.save(pipelines('plan.calibrate').calibrate(recipe))}\n")
    reference = rates.reference()
    data = pipelines("plan.estimate").data_plan(recipe, rates.newest() or reference, reference, tokens)
    console.print(pipelines("plan.tables").tables(data, cores))
    if recipe.body.get("training") is None:
        return
    console.print()
    settings = override(parse(recipe.body["training"], f"{recipe.path}: training"), changes)
    vocab = recipe.tokenizer.vocab_size if recipe.tokenizer else PAPER_VOCAB
    window = recipe.mixture.sequence_length if recipe.mixture else PAPER_WINDOW
    if tokens is None:
        run = settings.run
        tokens = run.steps * run.batch * window if run.steps else data.tokens or None
    console.print(tables(plan(settings, vocab, window, tokens, hardware)))


def _train(
    console: Console, changes: dict[str, Any], tokens: float | None, hardware: "Hardware", served: float | None
) -> None:
    from trainer.config import override, parse
    from trainer.plan import compare
    from trainer.plan.cost import plan, tables

    settings = override(parse({}), changes)
    if served is not None:
        if hardware.tokens_per_s is not None:
            raise UserError("--tokens-per-second is of one size, and --compare is about all: give --mfu")
        console.print(compare.table(compare.Costs(settings, PAPER_VOCAB, PAPER_WINDOW, hardware, served)))
        return
    console.print(tables(plan(settings, PAPER_VOCAB, PAPER_WINDOW, tokens, hardware)))


def _setting(text: str) -> tuple[str, Any]:
    """A training setting and its value, which is YAML, as `python -m trainer.train` takes it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    key, equals, value = text.partition("=")
    try:
        parsed = YAML(typ="safe").load(value)
    except YAMLError:
        equals = ""
    if not equals:
        raise UserError(f"--set {text}: write SECTION.NAME=VALUE, as in parallel.tensor=8")
    return key, parsed
