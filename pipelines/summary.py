"""The summary tables of a run."""

from fractions import Fraction

from rich.console import Group

from corpus.report.summary import summarise, table
from pipelines.graph import Graph
from tokenizer.index import read_index
from tokenizer.mixture import read_manifest


def summary_table(graph: Graph) -> Group:
    """Counts of every source as far as the run went, tokens and shares where it went that far."""
    mixture = graph.recipe.mixture
    summaries = [summarise(name, steps) for name, steps in graph.finished_documents().items() if steps]
    folders = {name: stage.folder for name, stage in graph.tokens.items() if stage.finished()}
    manifest = graph.mix.manifest if graph.mix and graph.mix.finished() else None
    if mixture and manifest:
        folders |= mixture.folders
    tokens = {name: read_index(folder).tokens for name, folder in folders.items()}
    shares = mixture.shares if mixture else {}
    wanted = {name: float(Fraction(str(share))) for name, share in shares.items()}
    got = read_manifest(manifest).shares_got() if manifest else {}
    return table(summaries, tokens, wanted, got)
