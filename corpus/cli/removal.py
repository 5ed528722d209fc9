"""The command that takes documents out of a run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import CORES, Workers, make_runner, pipelines
from corpus.errors import UserError

if TYPE_CHECKING:
    from pipelines.removal import Removal, Taken, Training

_SHOWN = 10  # sequences or steps in a line


def remove(
    folder: Annotated[str, typer.Argument(help="a run's folder")],
    ids: Annotated[str | None, typer.Option(help="a text file, one id a line")] = None,
    urls: Annotated[str | None, typer.Option(help="a text file, one URL a line")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="output of a training run that is not in the folder; may come again")
    ] = None,
    workers: Workers = CORES,
) -> None:
    """Take documents out of a run for good, and say which shards and training steps held them.

    The next `corpus run` makes the tokens and the order of training without them. Fails where none was found.

    Example: `corpus remove --urls takedown.txt runs/llama`
    """
    from corpus.removal import read_values
    from corpus.steps.find import Wanted
    from corpus.storage import exists, join, names
    from trainer.records import METRICS, steps_with

    wanted = Wanted(read_values(ids) if ids else (), read_values(urls) if urls else ())
    if not wanted:
        raise UserError("give --ids FILE or --urls FILE: see corpus remove --help")
    trained = [join(folder, name) for name in names(folder) if exists(join(folder, name, METRICS))]
    trained += model or ()

    def steps_of(fingerprint: str, sequences: Sequence[int]) -> dict[str, list[int]]:
        steps = {run: steps_with(run, fingerprint, sequences) for run in trained}
        return {run: some for run, some in steps.items() if some}

    done = pipelines("removal").take_out(folder, wanted, make_runner("local", workers, None), steps_of, print)
    _print(done, folder)


def _print(done: "Removal", folder: str) -> None:
    for one in done.taken:
        print("\n".join(_lines(one)))
    for value in done.missing:
        print(f"not found: {value}")
    print(f"documents out: {len(done.taken):,}; ids and URLs not found: {len(done.missing):,}; record: {done.record}")
    if any(one.tokens for one in done.taken):
        print("the shards above hold them until `corpus run` has made others and `corpus gc --remove` removed these")
    print(f"{folder} keeps them out from now on; their text is still in the raw files and in the steps before")


def _lines(one: "Taken") -> list[str]:
    lines = [f"{one.id}: source {one.source}, part {one.part} row {one.row} of {one.step}, raw file {one.file}"]
    if one.dropped:
        lines.append("  dropped by a rule before: in no shard of this run")
    for tokens in one.tokens:
        held_out = ", held out: never trained on" if tokens.held_out else ""
        last = tokens.first + tokens.count - 1
        lines.append(f"  tokens {tokens.first:,} to {last:,} of {tokens.shard}{held_out}")
        for training in tokens.trained:
            lines += _training_lines(training)
    return lines


def _training_lines(training: "Training") -> list[str]:
    lines = [f"    {training.manifest}: {_some('sequence', training.sequences)}"]
    lines += [f"    {run}: {_some('step', steps)}" for run, steps in training.steps.items()]
    return lines


def _some(what: str, numbers: Sequence[int]) -> str:
    if not numbers:
        return f"no {what}"
    rest = f" and {len(numbers) - _SHOWN:,} more" if len(numbers) > _SHOWN else ""
    plural = "s" if len(numbers) > 1 else ""
    return f"{what}{plural} {', '.join(map(str, numbers[:_SHOWN]))}{rest}"
