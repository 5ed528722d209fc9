"""Which folders of a run its recipe no longer names."""

from collections.abc import Mapping

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.recipe import SOURCES, Recipe, load
from corpus.sources.raw import list_files
from corpus.steps.plan import ACROSS_NUMBER, EXTRACT_NUMBER, Step, extract_digest, folder_name, step_digest, steps_of
from corpus.storage import exists, join, names
from pipelines.mix import mixture_folder
from pipelines.tokenize import token_digest
from pipelines.train_tokenizer import recipe_shares, tokenizer_digest
from tokenizer.model import MODEL, model_sha256


def stale_folders(run: str) -> list[str]:
    """Folders below `run` that its recipe, as it stands there, does not use; sorted.

    Raises:
        UserError: `run` is not a run's folder, its raw files are gone, or it is not finished: the digest of a step
            whose input is missing is not known yet, and nothing should be removed on a guess.
    """
    path = join(run, "recipe.yaml")
    if not exists(path):
        raise UserError(f"{run} has no recipe.yaml: give the folder of a run")
    recipe = load(path, {"output": run})
    used = set(_used(recipe))
    present = []
    for source in SOURCES:  # also those that the recipe has lost
        present += [join(run, source, name) for name in names(join(run, source))]
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
        used.append(_finished(folder).path)
        for step in steps_of(plan.steps):
            folder = StepFolder(join(home, folder_name(step.number, step.name, step_digest(step, [folder]))))
            used.append(_finished(folder).path)
        last[plan.name] = folder
    for place, named in enumerate(recipe.across):
        step = Step(ACROSS_NUMBER + place, named, ())
        digest = step_digest(step, list(last.values()))
        for name in last:
            last[name] = StepFolder(join(recipe.output, name, folder_name(step.number, step.name, digest)))
            used.append(_finished(last[name]).path)
    tokens = _used_tokens(recipe, last, used) if recipe.tokenizer is not None else {}
    if recipe.mixture is not None:
        used.append(mixture_folder(recipe.mixture, tokens, recipe.output))
    return used


def _used_tokens(recipe: Recipe, last: Mapping[str, StepFolder], used: list[str]) -> dict[str, str]:
    """The token folder of each source; they and the model's folder are added to `used`."""
    assert recipe.tokenizer is not None
    model = recipe.tokenizer.model
    if model is None:
        home = join(recipe.output, f"tokenizer-{tokenizer_digest(recipe.tokenizer, recipe_shares(recipe), last)[:8]}")
        used.append(home)
        model = join(home, MODEL)
    if not exists(model):
        raise _unfinished(model)
    sha256 = model_sha256(model)
    tokens = {
        name: join(recipe.output, "tokens", f"{name}-{token_digest(folder, sha256, recipe.tokenizer)[:8]}")
        for name, folder in last.items()
    }
    for folder_path in tokens.values():
        if not exists(join(folder_path, "index.json")):
            raise _unfinished(folder_path)
        used.append(folder_path)
    return tokens


def _finished(folder: StepFolder) -> StepFolder:
    if not folder.finished:
        raise _unfinished(folder.path)
    return folder


def _unfinished(path: str) -> UserError:
    return UserError(f"{path} is not finished: run the recipe to its end before gc")
