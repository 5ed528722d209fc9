"""The summary tables of a run."""

from fractions import Fraction

from rich.console import Group

from corpus.recipe import Recipe
from corpus.report.summary import summarise, table
from pipelines.run import RunResult
from tokenizer.index import read_index
from tokenizer.mixture import read_manifest


def summary_table(recipe: Recipe, result: RunResult) -> Group:
    """Counts of every source as far as the run went, tokens and shares where it went that far."""
    summaries = [summarise(name, steps) for name, steps in result.steps.items()]
    folders = {**result.tokens, **(recipe.mixture.folders if recipe.mixture and result.mixture else {})}
    tokens = {name: read_index(folder).tokens for name, folder in folders.items()}
    shares = recipe.mixture.shares if recipe.mixture else {}
    wanted = {name: float(Fraction(str(share))) for name, share in shares.items()}
    got = read_manifest(result.mixture).shares_got() if result.mixture else {}
    return table(summaries, tokens, wanted, got)
