"""A whole recipe: what is not yet done, in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ruamel.yaml import YAML

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.recipe import Recipe
from corpus.steps.plan import ACROSS_NUMBER, Step, steps_of
from corpus.storage import commit, exists, join, remove
from pipelines.extract import extract
from pipelines.mix import mix
from pipelines.process import StepInput, run_step
from pipelines.runner import Runner
from pipelines.tokenize import tokenize
from pipelines.train_tokenizer import recipe_shares, train_tokenizer, training_lines
from tokenizer.index import read_index
from tokenizer.model import check_special, model_sha256


@dataclass(frozen=True)
class RunResult:
    """What a run left.

    Attributes:
        steps: for each source its finished steps in order, as far as the run went.
        tokens: for each source the folder of its packed shards; empty before `tokenize`.
        mixture: path of the order's manifest, or None.
        ran: how many steps there was something to do for; 0 when all was done before.
    """

    steps: dict[str, list[StepFolder]]
    tokens: dict[str, str]
    mixture: str | None
    ran: int


def run(
    recipe: Recipe,
    runner: Runner,
    only: Sequence[str] = (),
    until: str | None = None,
    say: Callable[[str], None] = print,
) -> RunResult:
    """Does what the recipe asks for and is not yet done.

    `only` limits the run to some sources (and stops before `across`); `until` names the last step to do: `extract`, the
    key of a rule, `across`, `tokenizer`, `tokenize` or `mix`.

    Raises:
        UserError: a source or step the recipe does not have, or what a step raises.
    """
    _check_names(recipe, only, until)
    _check_places(recipe, only)
    _keep_recipe(recipe)
    work = join(recipe.output, ".work")
    ran = 0
    folders: dict[str, list[StepFolder]] = {}
    for plan in recipe.sources:
        if only and plan.name not in only:
            continue
        home = join(recipe.output, plan.name)
        output, did = extract(plan, home, work, runner)
        ran += _say(say, plan.name, output, did)
        folders[plan.name] = [output]
        if until == "extract":
            continue
        for step in _until(steps_of(plan.steps), until):
            ((output, did),) = run_step(step, [StepInput(plan.name, output, home)], work, runner)
            ran += _say(say, plan.name, output, did)
            folders[plan.name].append(output)
    result = RunResult(folders, {}, None, ran)
    keys = {rule.key for plan in recipe.sources for rule in plan.steps} | {"extract"}
    if only or until in keys:
        return result

    for place, named in enumerate(recipe.across):
        step = Step(ACROSS_NUMBER + place, named, ())
        inputs = [
            StepInput(plan.name, folders[plan.name][-1], join(recipe.output, plan.name)) for plan in recipe.sources
        ]
        for plan, (output, did) in zip(recipe.sources, run_step(step, inputs, work, runner), strict=True):
            ran += _say(say, plan.name, output, did)
            folders[plan.name].append(output)
    if until == "across":
        return RunResult(folders, {}, None, ran)

    tokens = {}
    if recipe.tokenizer is not None:
        section = recipe.tokenizer
        last = {name: some[-1] for name, some in folders.items()}
        if section.model is not None:
            model, did = section.model, False
        else:
            model, did = train_tokenizer(section, recipe_shares(recipe), last, recipe.output, work, runner)
        ran += did
        say(f"tokenizer: {model} {'trained' if did else 'was there'}")
        for line in training_lines(model) if did else ():
            say(f"tokenizer: {line}")
        if until == "tokenizer":
            return RunResult(folders, {}, None, ran)
        _check_tokenizer(recipe, model)
        for name, folder in last.items():
            tokens[name], did = tokenize(folder, join(recipe.output, "tokens"), name, model, section, runner)
            ran += did
            say(f"{name}: {tokens[name]} {'done' if did else 'was done'}")
    if recipe.mixture is None or until in ("tokenizer", "tokenize"):
        return RunResult(folders, tokens, None, ran)
    manifest, did = mix(recipe.mixture, tokens, recipe.output)
    ran += did
    say(f"mixture: {manifest} {'written' if did else 'was there'}")
    remove(work)  # what a killed run left of steps that are finished now
    return RunResult(folders, tokens, manifest, ran)


def _until(steps: list[Step], until: str | None) -> list[Step]:
    """Steps up to the one that holds the rule `until`, which ends that step."""
    chosen = []
    for step in steps:
        named = ([step.dedup] if step.dedup else []) + list(step.rules)
        keys = [rule.key for rule in named]
        if until in keys:
            rules = named[: keys.index(until) + 1]
            chosen.append(Step(step.number, step.dedup, tuple(rule for rule in rules if not rule.is_dedup)))
            break
        chosen.append(step)
    return chosen


def _say(say: Callable[[str], None], name: str, output: StepFolder, did: bool) -> int:
    documents = output.manifest()["documents"]
    say(f"{name}: {output.path} {'done' if did else 'was done'}: {documents['in']} in, {documents['out']} out")
    return int(did)


def _check_names(recipe: Recipe, only: Sequence[str], until: str | None) -> None:
    names = [plan.name for plan in recipe.sources]
    for name in only:
        if name not in names:
            raise UserError(f"{recipe.path} has no source {name}: it has {', '.join(names)}")
    keys = [rule.key for plan in recipe.sources if not only or plan.name in only for rule in plan.steps]
    known = ["extract", *dict.fromkeys(keys), "across", "tokenizer", "tokenize", "mix"]
    if until is not None and until not in known:
        raise UserError(f"{recipe.path} has no step {until}: it has {', '.join(known)}")


def _check_places(recipe: Recipe, only: Sequence[str]) -> None:
    """Says before the first source is read what would stop the last one."""
    for plan in recipe.sources:
        if (not only or plan.name in only) and not exists(plan.input):
            raise UserError(
                f"{recipe.path}: input {plan.input} of {plan.name} does not exist: set it to the folder that holds the "
                "raw files"
            )
    for name, folder in recipe.mixture.folders.items() if recipe.mixture and not only else ():
        if not exists(join(folder, "index.json")):
            raise UserError(f"{recipe.path}: {folder} of {name} has no index.json: give a finished token folder")
    section = recipe.tokenizer
    if section and section.model is not None and not only:
        if not exists(section.model):
            raise UserError(
                f"{recipe.path}: tokenizer model {section.model} does not exist: give its path, or leave out `model` "
                "to train one"
            )
        check_special(section.model, section.bos, section.eos)
        _check_tokenizer(recipe, section.model)


def _check_tokenizer(recipe: Recipe, model: str) -> None:
    """Refuses token folders of another tokenizer before the recipe's own documents are tokenised."""
    found = model_sha256(model)
    for name, folder in recipe.mixture.folders.items() if recipe.mixture else ():
        made = read_index(folder).header.tokenizer
        if made != found:
            raise UserError(
                f"{recipe.path}: {folder} of {name} was made with the tokenizer {made[:8]}, and {model} is "
                f"{found[:8]}: set `model` of `tokenizer` to the folder's, or make the folder again with this one"
            )


def _keep_recipe(recipe: Recipe) -> None:
    """Writes the recipe as run beside its results."""
    path = join(recipe.output, "recipe.yaml")

    def write(sink: object) -> None:
        YAML(typ="rt").dump(recipe.body, sink)

    commit(path, write)
