"""The `corpus` command. Each command imports what it needs when it runs, so that `--help` is quick and a missing
extra is one clear line."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.console import Console

from corpus.errors import UserError

if TYPE_CHECKING:
    from pipelines.runner import Runner

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)
models_app = typer.Typer(no_args_is_help=True, help="Model files that rules use.")
app.add_typer(models_app, name="models")

RunnerName = Annotated[str, typer.Option("--runner", help="local, spark, flink or dataflow")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="worker processes of the local runner")]
Options = Annotated[
    list[str] | None,
    typer.Option("--beam-option", help="an option for the Beam runner, as in --beam-option=--region=europe-west1"),
]
Rules = Annotated[
    list[str], typer.Option("--rule", help="a step as in a recipe: 'language: {keep: [en]}'; may come again")
]
CORES = os.cpu_count() or 1
INTERRUPTED = 130  # what Typer exits with on Ctrl-C


def main() -> None:
    """Entry point: a UserError is one line on stderr and exit code 2; so is Ctrl-C, with 130."""
    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("corpus: interrupted: run the same command again to do what is missing", file=sys.stderr)
        raise
    except UserError as error:
        print(f"corpus: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(
            f"corpus: {place}{error.strerror or error}: check the path, its permissions and the free space",
            file=sys.stderr,
        )
        sys.exit(2)


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="a recipe file, or a bundled recipe: llama")],
    source: Annotated[list[str] | None, typer.Option(help="only this source; may come again")] = None,
    until: Annotated[
        str | None, typer.Option(help="the last step to do: extract, a rule, across, tokenizer, tokenize, mix")
    ] = None,
    output: Annotated[str | None, typer.Option(help="run folder, instead of the recipe's")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="replace an input: input.books=FOLDER; may come again")
    ] = None,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Do what a recipe asks for and is not yet done.

    Example: `corpus run recipe.yaml --source wikipedia --until wikitext`
    """
    from corpus.recipe import load

    overrides = dict(_assignment(text) for text in set_ or ())
    if output is not None:
        overrides["output"] = output
    read = load(recipe, overrides)
    run_recipe = _pipelines("run").run
    result = run_recipe(read, _runner(runner, workers, beam_option), source or (), until)
    if not result.ran:
        print(f"nothing to do: everything {recipe} asks for is in {read.output}")
        return
    Console().print(_pipelines("summary").summary_table(read, result))


@app.command()
def demo(
    output: Annotated[str, typer.Argument(help="folder for the raw files and the run")] = "corpus-demo",
    workers: Workers = CORES,
) -> None:
    """Make a small corpus of all seven sources out of what this Python installation carries, and train on it.

    Example: `corpus demo my-demo`
    """
    _pipelines("demo").demo(output, _runner("local", workers, None), Console())


@app.command()
def download(
    listing: Annotated[str, typer.Argument(help="a text file, one URL a line, or `URL SHA256`; .gz is read too")],
    output: Annotated[str, typer.Argument(help="folder for the files")],
    base: Annotated[str, typer.Option(help="put before every path of the listing")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="only the first so many files")] = None,
    connections: Annotated[int, typer.Option(min=1, help="requests at the same time, over all workers")] = 4,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Fetch the raw files of a listing; run again, it fetches what is missing.

    Example: `corpus download wet.paths.gz raw/commoncrawl --base https://data.commoncrawl.org/ --limit 10`
    """
    _pipelines("download").download(listing, output, base, limit, connections, _runner(runner, workers, beam_option))


@app.command()
def extract(
    source: Annotated[str, typer.Argument(help="commoncrawl, c4, github, wikipedia, books, arxiv or stackexchange")],
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
    from corpus.recipe import source_plan
    from corpus.storage import join

    plan = source_plan(source, input, setting)
    work = join(output, ".work")
    folder, did = _pipelines("extract").extract(plan, output, work, _runner(runner, workers, beam_option), output)
    _print_step(folder, did)


@app.command()
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
    _single_step(input, output, rule, "cleaner", _runner(runner, workers, beam_option))


@app.command()
def filter(
    input: Annotated[str, typer.Argument(help="a finished step's folder")],
    output: Annotated[str, typer.Argument(help="folder for this step")],
    rule: Rules,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Score documents with one or more filters and drop those they decide against.

    Example: `corpus filter cleaned/books filtered/books --rule 'length: {min_chars: 1000}'`
    """
    _single_step(input, output, rule, "filter", _runner(runner, workers, beam_option))


@app.command()
def dedupe(
    input: Annotated[str, typer.Argument(help="a finished step's folder")],
    output: Annotated[str, typer.Argument(help="folder for this step")],
    rule: Rules,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Remove what comes more than once: lines, exact, near or overlap.

    Example: `corpus dedupe filtered/books deduped/books --rule 'overlap: {}'`
    """
    _single_step(input, output, rule, "dedup", _runner(runner, workers, beam_option))


@app.command()
def tokenize(
    input: Annotated[str, typer.Argument(help="a finished step's folder")],
    output: Annotated[str, typer.Argument(help="folder for the packed shards of all sources")],
    model: Annotated[str, typer.Option(help="a SentencePiece model")],
    name: Annotated[str, typer.Option(help="name of the source")],
    held_out: Annotated[int, typer.Option(min=2, help="one document in so many goes to the validation set")] = 1000,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Encode documents into packed shards of tokens.

    Example: `corpus tokenize deduped/books tokens --model tokenizer.model --name books`
    """
    from corpus.dataset import StepFolder

    folder, did = _pipelines("tokenize").tokenize(
        StepFolder(input), output, name, model, held_out, _runner(runner, workers, beam_option)
    )
    print(f"{folder} {'done' if did else 'was done: nothing to do'}")


@app.command()
def mix(
    recipe: Annotated[str, typer.Argument(help="a recipe whose sources are tokenised")],
    output: Annotated[str | None, typer.Option(help="run folder, instead of the recipe's")] = None,
    runner: RunnerName = "local",
    workers: Workers = CORES,
    beam_option: Options = None,
) -> None:
    """Write the order of training: which sequence of which source comes when.

    Example: `corpus mix recipe.yaml`
    """
    run(recipe, None, "mix", output, None, runner, workers, beam_option)


@app.command()
def show(
    folder: Annotated[str, typer.Argument(help="a finished step's folder")],
    dropped: Annotated[str | None, typer.Option(help="documents dropped for this reason, instead of kept ones")] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many documents")] = 3,
) -> None:
    """Print documents of a step, and what was dropped and why.

    Example: `corpus show runs/llama/books/20-gutenberg-1f3a9c2e --dropped too_short`
    """
    from corpus import show as view
    from corpus.dataset import StepFolder

    step = StepFolder(folder)
    manifest = step.manifest()
    print(f"{folder}: {manifest['documents']['in']:,} in, {manifest['documents']['out']:,} out")
    for rule, reason, count in view.counts(step):
        print(f"  {rule}.{reason}: {count:,}")
    for row in view.samples(step, dropped, limit):
        place = ", ".join(str(row[name]) for name in ("file", "member", "record") if row[name] is not None)
        print(f"\n=== {row['id'] or place}" + (f" ({place})" if row["id"] else ""))
        print(row["text"] if row["text"] is not None else row["detail"])


@app.command()
def trace(
    place: Annotated[str, typer.Argument(help="a finished step's folder, or a packed shard")],
    position: Annotated[int, typer.Argument(min=0, help="row of the part, or position of a token in the shard")],
    part: Annotated[int, typer.Option(min=0, help="number of the part, for a step's folder")] = 0,
    chars: Annotated[int, typer.Option(min=0, help="characters of each stage to print; 0 = all")] = 2000,
) -> None:
    """Follow a document, or a token, back to its raw bytes: the text after every step.

    Example: `corpus trace runs/llama/tokens/books-1f3a9c2e/shard-00000.tok 1000`
    """
    from corpus.dataset import StepFolder
    from corpus.trace import trace as way

    if place.endswith(".tok"):
        from tokenizer.trace import locate

        found = locate(place, position)
        print(f"token {position} of {place}: {found.piece!r} of document {found.id}")
        folder, part, row = StepFolder(found.step), found.part, found.row
    else:
        folder, row = StepFolder(place), position
    for stage in way(folder, part, row):
        print(f"\n=== {stage.name}" + (f" ({stage.detail})" if stage.detail else ""))
        print(stage.text[: chars or None])
        if chars and len(stage.text) > chars:
            print(f"... and {len(stage.text) - chars:,} characters more (--chars 0 prints all)")


@app.command()
def gc(
    folder: Annotated[str, typer.Argument(help="a run's folder")],
    remove: Annotated[bool, typer.Option("--remove", help="remove them")] = False,
) -> None:
    """List the folders of a run that its recipe no longer names.

    Example: `corpus gc runs/llama --remove`
    """
    from corpus import storage

    stale = _pipelines("gc").stale_folders(folder)
    for path in stale:
        if remove:
            storage.remove(path)
        print(f"{'removed' if remove else 'not named by the recipe:'} {path}")
    if not stale:
        print(f"every folder in {folder} is named by its recipe")


@models_app.command("get")
def models_get(name: Annotated[str, typer.Argument(help="a name of `corpus models list`")]) -> None:
    """Fetch a model file into the user's cache and check its SHA-256.

    Example: `corpus models get lid`
    """
    from corpus import models

    print(models.get(name))


@models_app.command("list")
def models_list() -> None:
    """The models this package knows, their origin, and where they are cached.

    Example: `corpus models list`
    """
    from corpus import models

    for name, model in models.MODELS.items():
        print(f"{name}: {model.url} (sha256 {model.sha256})")


def _single_step(input: str, output: str, rules: list[str], kind: str, runner: "Runner") -> None:
    from corpus.dataset import StepFolder
    from corpus.recipe import parse_rules
    from corpus.steps.plan import Step
    from corpus.storage import join, parent

    named = parse_rules(rules)
    for rule in named:
        if not getattr(rule, f"is_{kind}"):
            raise UserError(f"--rule {rule.key} is not a {kind}: use the command of its kind (clean, filter, dedupe)")
    if kind == "dedup" and len(named) > 1:
        raise UserError("--rule comes once in dedupe: each dedup is a step of its own")
    step = Step(0, named[0], ()) if kind == "dedup" else Step(0, None, named)
    source = StepFolder(input)
    process = _pipelines("process")
    # Stored scores are looked for beside the output: a changed threshold scores nothing again.
    inputs = [process.StepInput(source.manifest()["source"], source, parent(output), output)]
    ((folder, did),) = process.run_step(step, inputs, join(output, ".work"), runner)
    _print_step(folder, did)


def _print_step(folder: Any, did: bool) -> None:
    documents = folder.manifest()["documents"]
    state = "done" if did else "was done: nothing to do"
    print(f"{folder.path} {state}: {documents['in']:,} in, {documents['out']:,} out")


def _assignment(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text}: write KEY=VALUE, as in input.books=/data/books")
    return key, value


def _runner(name: str, workers: int, options: list[str] | None) -> "Runner":
    runner = _pipelines("runner")
    if name not in get_args(runner.RunnerName):
        raise UserError(f"--runner {name} is unknown: known are {', '.join(get_args(runner.RunnerName))}")
    return runner.Runner(name, workers, tuple(options or ()))


def _pipelines(module: str) -> Any:
    """A module of `pipelines`, or a clear line when Beam is not installed."""
    import logging
    from importlib import import_module

    # Beam says this through the root logger whenever its Google extra is not installed.
    logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())
    try:
        return import_module(f"pipelines.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "apache_beam":
            raise
        raise UserError("Apache Beam is not installed: pip install '.[pipelines]' in the project's folder") from None
