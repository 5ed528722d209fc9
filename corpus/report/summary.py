"""The table at the end of a run: documents and bytes in, dropped by reason, tokens, share wanted and got."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table

from corpus.dataset import StepFolder


@dataclass(frozen=True)
class SourceSummary:
    """Counts of one source through all its steps.

    Attributes:
        records: raw records read.
        documents: documents after the last step.
        text_bytes: of text after extract and after the last step.
        dropped: (rule, reason) -> records or documents.
    """

    name: str
    records: int
    documents: int
    text_bytes: tuple[int, int]
    dropped: dict[tuple[str, str], int]

    @property
    def adds_up(self) -> bool:
        return self.records == self.documents + sum(self.dropped.values())


def summarise(name: str, steps: Sequence[StepFolder]) -> SourceSummary:
    """Adds up the manifests of a source's steps."""
    manifests = [step.manifest() for step in steps]
    dropped: dict[tuple[str, str], int] = {}
    for manifest in manifests:
        for rule, reasons in manifest["dropped"].items():
            for reason, count in reasons.items():
                dropped[rule, reason] = dropped.get((rule, reason), 0) + count
    first, last = manifests[0], manifests[-1]
    return SourceSummary(
        name,
        first["documents"]["in"],
        last["documents"]["out"],
        (first["text_bytes"]["out"], last["text_bytes"]["out"]),
        dropped,
    )


def table(
    summaries: Sequence[SourceSummary],
    tokens: Mapping[str, int],
    wanted: Mapping[str, float],
    got: Mapping[str, float],
) -> Group:
    """One row a source, and below it what was dropped and why.

    `tokens` are those of the packed shards, of sources without steps too; `wanted` and `got` are shares of the mixture.
    """
    result = Table(title="From raw records to tokens", box=None, padding=(0, 1, 0, 0), header_style="underline")
    for heading in ("source", "records", "docs", "MB in", "MB out", "tokens", "wanted", "got"):
        result.add_column(heading, justify="left" if heading == "source" else "right", no_wrap=True)
    dropped = Table(title="Dropped", box=None, padding=(0, 1, 0, 0), header_style="underline")
    for heading in ("source", "rule", "reason", "count"):
        dropped.add_column(heading, justify="right" if heading == "count" else "left", no_wrap=True)
    for source in summaries:
        before, after = source.text_bytes
        result.add_row(
            source.name,
            f"{source.records:,}",
            f"{source.documents:,}",
            f"{before / 1e6:,.2f}",
            f"{after / 1e6:,.2f}",
            f"{tokens[source.name]:,}" if source.name in tokens else "",
            f"{wanted[source.name]:.1%}" if source.name in wanted else "",
            f"{got[source.name]:.1%}" if source.name in got else "",
        )
        for place, ((rule, reason), count) in enumerate(source.dropped.items()):
            dropped.add_row("" if place else source.name, rule, reason, f"{count:,}")
    for name in sorted(tokens.keys() - {source.name for source in summaries}):  # folders that were there already
        cells = [f"{share[name]:.1%}" if name in share else "" for share in (wanted, got)]
        result.add_row(name, "", "", "", "", f"{tokens[name]:,}", *cells)
    return Group(result, dropped) if dropped.row_count else Group(result)
