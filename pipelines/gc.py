"""Which folders of a run none of its recipes names."""

import re

from corpus.errors import UserError
from corpus.recipe.load import load
from corpus.storage import join, names
from pipelines.graph import compile_graph
from pipelines.record import KeptRecipe, kept_recipes

_STEP = re.compile(r"\d+-.+-[0-9a-f]{8}")  # corpus.steps.identity.folder_name


def stale_folders(run: str) -> list[str]:
    """Folders below `run` that none of the recipes it was made by uses, as they stand there; sorted.

    Raises:
        UserError: `run` is not a run's folder, raw files are gone, or a recipe is not finished: the digest of a stage
            whose input is missing is not known yet, and nothing should be removed on a guess.
    """
    kept = kept_recipes(run)
    if not kept:
        raise UserError(f"{run} has no recipe.yaml: give the folder of a run")
    used = {folder for recipe in kept for folder in _used(recipe, run)}
    present = []
    for source in names(run):
        present += [join(run, source, name) for name in names(join(run, source)) if _STEP.fullmatch(name)]
    present += [join(run, "tokens", name) for name in names(join(run, "tokens"))]
    present += [join(run, name) for name in names(run) if name.startswith(("tokenizer-", "mixture-"))]
    return sorted(set(present) - used)


def _used(kept: KeptRecipe, run: str) -> list[str]:
    folders: list[str] = []
    for stage in compile_graph(load(kept.path, {"output": run})).stages:
        if not stage.finished():
            places = ", ".join(stage.folders()) or stage.name
            raise UserError(
                f"{places} is not finished: run {kept.origin} to its end before gc, or remove {kept.path} if that "
                "recipe is not wanted any more"
            )
        folders += stage.folders()
    return folders
