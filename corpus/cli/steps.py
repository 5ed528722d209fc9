"""One step on one folder of documents: extract, clean, filter, dedupe."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import CORES, Options, RunnerName, Workers, make_runner, pipelines, run_alone
from corpus.cli.tuning import print_dry_run
from corpus.errors import UserError

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner

RULE_HELP = "a step as in a recipe: 'language: {keep: [en]}'; see `corpus rules`; may come again"
Rules = Annotated[list[str], typer.Option("--rule", help=RULE_HELP)]


def extract(
    source: Annotated[str, typer.Argument(help="what kind: see `corpus rules`")],
    input: Annotated[str, typer.Argument(help="folder of raw files")],
    output: Annotated[str, typer.Argument(help="folder for the documents")],
    setting: Annotated[str, typer.Option(help="settings of the source as YAML: '{languages: [de]}'")] = "{}",
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Turn raw files of one source into documents.

    Example: `corpus extract wikipedia dumps/ documents/wikipedia`
    """
    from corpus.recipe.load import source_entry

    stage = pipelines("stages.extract").Extract(source_entry(source, input, setting), output, target=output)
    run_alone(stage, output, make_runner(runner, workers, beam_option))


def clean(
    input: Annotated[str, typer.Argument(help="a finished step's folder")],
    output: Annotated[str, typer.Argument(help="folder for this step")],
    rule: Rules,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Rewrite the text of documents with one or more cleaners.

    Example: `corpus clean documents/books cleaned/books --rule gutenberg`
    """
    _single_step(input, output, rule, "cleaner", make_runner(runner, workers, beam_option))


def filter(
    input: Annotated[str, typer.Argument(help="a finished step's folder")],
    output: Annotated[str | None, typer.Argument(help="folder for this step")] = None,
    rule: Annotated[list[str] | None, typer.Option("--rule", help=RULE_HELP)] = None,
    dry_run: Annotated[
        bool, typer.Option(help="only say what INPUT, a step or a run, would keep with other thresholds")
    ] = False,
    set: Annotated[list[str] | None, typer.Option(help="RULE.FIELD=VALUE to try; may come again")] = None,
    sweep: Annotated[
        str | None, typer.Option(help="RULE.FIELD whose values to try, from all that documents score")
    ] = None,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Score documents with one or more filters and drop those they decide against. Or, with `--dry-run`, say what a
    finished step would keep with other thresholds, from the scores that it stored.

    Example: `corpus filter cleaned/books filtered/books --rule 'length: {min_chars: 1000}'`

    Example: `corpus filter --dry-run filtered/books --set length.min_chars=500`

    Example: `corpus filter --dry-run runs/mine --sweep gopher_quality.min_stop_words`
    """
    if dry_run:
        if output is not None or rule:
            raise UserError(
                "--dry-run takes one folder, of a finished step or a run, and writes nothing: give --set or --sweep"
            )
        print_dry_run(input, set or [], sweep)
    elif set or sweep is not None:
        raise UserError("--set and --sweep come with --dry-run")
    elif output is None or not rule:
        raise UserError("give a folder for the step and at least one --rule: see corpus filter --help")
    else:
        _single_step(input, output, rule, "filter", make_runner(runner, workers, beam_option))


def dedupe(
    input: Annotated[str, typer.Argument(help="a finished step's folder")],
    output: Annotated[str, typer.Argument(help="folder for this step")],
    rule: Rules,
    against: Annotated[
        str | None, typer.Option(help="an index of documents seen before, which come first: their text is not read")
    ] = None,
    index: Annotated[str | None, typer.Option(help="folder for an index of all documents seen, to go against")] = None,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Remove what comes more than once: lines, passages, or exact, near or overlapping documents.

    Example: `corpus dedupe filtered/books deduped/books --rule 'overlap: {}'`
    """
    folders = {name: folder for name, folder in (("against", against), ("index", index)) if folder is not None}
    _single_step(input, output, rule, "dedup", make_runner(runner, workers, beam_option), folders)


def _single_step(
    input: str, output: str, rules: list[str], kind: str, runner: "Runner", settings: Mapping[str, str] | None = None
) -> None:
    from corpus.dataset import StepFolder
    from corpus.recipe.load import parse_rules
    from corpus.steps.identity import Step
    from corpus.storage import parent

    named = parse_rules(rules, settings or {})
    for rule in named:
        if rule.kind != kind:
            raise UserError(f"--rule {rule.key} is a {rule.kind}, not a {kind}: use the command of its kind")
    if kind == "dedup" and len(named) > 1:
        raise UserError("--rule comes once in dedupe: each dedup is a step of its own")
    step = Step(0, named[0], ()) if kind == "dedup" else Step(0, None, named)
    before = pipelines("stages.given").Given(StepFolder(input))
    # Stored scores are looked for beside the output: a changed threshold scores nothing again.
    process = pipelines("stages.process").Process
    stage = process(step, before.sources, (before,), (parent(output),), target=output)
    run_alone(stage, output, runner)
