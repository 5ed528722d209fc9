"""Which folders of a run its recipe no longer names."""

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.recipe import Recipe, load
from corpus.sources.raw import list_files
from corpus.steps.plan import ACROSS_NUMBER, EXTRACT_NUMBER, Step, extract_digest, folder_name, step_digest, steps_of
from corpus.storage import exists, join, names
from pipelines.mix import mixture_folder
from pipelines.tokenize import token_digest
from pipelines.train_tokenizer import tokenizer_digest
from tokenizer.encode import Encoder


def stale_folders(run: str) -> list[str]:
    """Folders below `run` that its recipe, as it stands there, would not use; sorted.

    A step whose input is not finished has no digest yet, so what lies beyond it counts as stale.

    Raises:
        UserError: `run` is not a run's folder, or its raw files are gone.
    """
    path = join(run, "recipe.yaml")
    if not exists(path):
        raise UserError(f"{run} has no recipe.yaml: give the folder of a run")
    recipe = load(path, {"output": run})
    used = set(_used(recipe))
    present = []
    for plan in recipe.sources:
        present += [join(run, plan.name, name) for name in names(join(run, plan.name))]
    present += [join(run, "tokens", name) for name in names(join(run, "tokens"))]
    present += [join(run, name) for name in names(run) if name.startswith(("tokenizer-", "mixture-"))]
    return sorted(set(present) - used)


def _used(recipe: Recipe) -> list[str]:
    used: list[str] = []
    last: dict[str, StepFolder] = {}
    for plan in recipe.sources:
        home = join(recipe.output, plan.name)
        files = list_files(plan.input, plan.include)
        digest = extract_digest(plan.source, files, plan.source.plan(files, plan.split_bytes))
        folder = StepFolder(join(home, folder_name(EXTRACT_NUMBER, "extract", digest)))
        used.append(folder.path)
        for step in steps_of(plan.steps):
            if not folder.finished:
                return used
            folder = StepFolder(join(home, folder_name(step.number, step.name, step_digest(step, [folder]))))
            used.append(folder.path)
        last[plan.name] = folder
    for place, named in enumerate(recipe.across):
        if not all(folder.finished for folder in last.values()):
            return used
        step = Step(ACROSS_NUMBER + place, named, ())
        digest = step_digest(step, list(last.values()))
        for name in last:
            last[name] = StepFolder(join(recipe.output, name, folder_name(step.number, step.name, digest)))
            used.append(last[name].path)
    if recipe.tokenizer is None or not all(folder.finished for folder in last.values()):
        return used
    model = recipe.tokenizer.model
    if model is None:
        home = join(recipe.output, f"tokenizer-{tokenizer_digest(recipe, last)[:8]}")
        used.append(home)
        model = join(home, "tokenizer.model")
    if not exists(model):
        return used
    sha256 = Encoder(model).sha256
    tokens = {
        name: join(recipe.output, "tokens", f"{name}-{token_digest(folder, sha256, recipe.tokenizer.held_out)[:8]}")
        for name, folder in last.items()
    }
    used += tokens.values()
    if recipe.mixture is not None and all(exists(join(tokens[name], "index.json")) for name in recipe.mixture.shares):
        used.append(
            mixture_folder(recipe.mixture, {name: tokens[name] for name in recipe.mixture.shares}, recipe.output)
        )
    return used
