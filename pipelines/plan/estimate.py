"""What the data of a recipe will take before it is run: files, core-hours, disk, shuffle. Imports no Beam.

Where a source's raw files are there, their bytes are the start; where not, the source is taken to be as large as the
mixture needs at the epochs of LLaMA-1's Table 1: at Table 1's shares and 1.4T tokens that is Table 1's disk size; one
that Table 1 does not have, at one epoch. What a step keeps is assumed (each rule says how much), or read from a
finished step of this run, so that a run over some of the raw files plans the run over all.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, prod

from corpus.errors import UserError
from corpus.llama import BYTES_PER_TOKEN, TABLE_1
from corpus.recipe.load import Recipe, SourceEntry
from corpus.recipe.notes import recipe_notes
from corpus.storage import join
from pipelines.graph import Graph, compile_graph
from pipelines.plan.rates import Rates
from pipelines.stages.process import Process
from pipelines.stages.stage import Flow, Spill, Work
from tokenizer.encode import token_dtype
from tokenizer.index import read_index
from tokenizer.tokenize import SHARD_TEXT_BYTES

ZSTD = 0.35
"""Bytes of a part over those of its text, measured on Wikipedia, books and StackExchange."""


@dataclass(frozen=True)
class RatedWork:
    """Work and how fast it goes.

    Attributes:
        rate: bytes/s of a core; None = never measured.
        by_reference: the rate is not this machine's.
    """

    work: Work
    rate: float | None
    by_reference: bool = False

    @property
    def core_hours(self) -> float:
        return self.work.bytes / self.rate / 3600 if self.rate else 0.0


@dataclass
class SourceData:
    """One source from raw files to tokens, in bytes, documents and tokens.

    Attributes:
        basis: where the size comes from.
        texts: text after extract and after each step, those across sources among them.
        bytes_per_token: of finished text.
        drawn: tokens of the run.
    """

    name: str
    basis: str
    raw: float
    document_bytes: float
    parts: int
    bytes_per_token: float
    texts: list[float] = field(default_factory=list)
    drawn: float = 0.0

    @property
    def documents(self) -> float:
        return self.texts[0] / self.document_bytes

    @property
    def available(self) -> float:
        """Tokens in one epoch."""
        return self.texts[-1] / self.bytes_per_token

    @property
    def shards(self) -> int:
        return ceil(self.texts[-1] / SHARD_TEXT_BYTES)


@dataclass(frozen=True)
class DataPlan:
    """What a recipe will take.

    Attributes:
        notes: what the order of its rules costs.
    """

    recipe: Recipe
    sources: list[SourceData]
    work: list[RatedWork]
    spills: list[Spill]
    rates: Rates
    calibrated: bool
    notes: list[str]

    @property
    def tokens(self) -> float:
        """Of the run; 0 without a mixture."""
        return sum(source.drawn for source in self.sources)

    @property
    def core_hours(self) -> float:
        return sum(work.core_hours for work in self.work)


def data_plan(recipe: Recipe, rates: Rates, reference: Rates, tokens: float | None = None) -> DataPlan:
    """The plan of a recipe. Rates that `rates` lacks are `reference`'s; `tokens` replaces the mixture's total.

    Raises:
        UserError: no sources; an input folder without files, or of unknown size; a token folder of the mixture that is
            not finished.
    """
    if not recipe.sources:
        raise UserError(f"{recipe.path} has no sources: its token folders are there already, nothing is left to plan")
    graph = compile_graph(recipe)
    total = tokens or (recipe.mixture.tokens if recipe.mixture else None)
    sources = {}
    flows = {}
    for entry in recipe.sources:
        sources[entry.name], flows[entry.name] = _source(graph, entry, total)
    work: list[Work] = []
    spills: list[Spill] = []
    for stage in graph.stages:
        cost = stage.cost(flows)
        work += cost.work
        spills += cost.spills
        flows |= cost.flows
        for name, flow in cost.flows.items():
            sources[name].texts.append(flow.text)
    _draw(recipe, list(sources.values()), total)
    everywhere = reference.bytes_per_s | rates.bytes_per_s
    rated = [RatedWork(one, everywhere.get(one.name), one.name not in rates.bytes_per_s) for one in work]
    calibrated = rates is not reference
    return DataPlan(recipe, list(sources.values()), rated, spills, rates, calibrated, recipe_notes(recipe))


def disk(plan: DataPlan) -> list[tuple[str, float, str]]:
    """(what, bytes, formula) of what lies on disk at the end, and of what passes through `.work` on the way."""
    recipe, sources = plan.recipe, plan.sources
    rows = [("raw files", sum(source.raw for source in sources), "text / text in a raw byte, or their listing")]
    texts = sum(sum(source.texts) for source in sources)
    rows.append(("parts of all steps", texts * ZSTD, f"text after each step x {ZSTD} (zstd); all steps stay"))
    if recipe.tokenizer is not None:
        width = token_dtype(recipe.tokenizer.vocab_size)().itemsize
        tokens = sum(source.available for source in sources)
        rows.append(("token shards", tokens * width, f"tokens available x {width} B"))
        if recipe.mixture is not None:
            length = recipe.mixture.sequence_length
            rows.append(
                (
                    "materialised mixture, and as much shuffle",
                    plan.tokens * width * (length + 1) / length,
                    f"tokens drawn x {width} B x (L + 1) / L, L = {length:,}; only with `mix --materialize`",
                )
            )
    return rows + [
        (f".work and shuffle: {one.source}, {one.name}", one.grouping.disk, f"{one.formula}; {one.grouping}")
        for one in plan.spills
    ]


def _source(graph: Graph, entry: SourceEntry, total: float | None) -> tuple[SourceData, Flow]:
    """How large a source is, and its documents as they leave extract."""
    source, paper = entry.source, TABLE_1.get(entry.type)
    bytes_per_token = paper.bytes_per_token if paper else BYTES_PER_TOKEN
    found = source.raw_bytes(entry.input, entry.include)
    if found is not None:
        text, basis = found * source.text_per_raw, "raw files"
    else:
        share = _shares(graph.recipe).get(entry.name)
        if total is not None and share is not None:
            finished = total * share / float(paper.epochs if paper else 1) * bytes_per_token
        elif paper:
            finished = paper.disk_bytes
        else:
            raise UserError(
                f"input {entry.input} of {entry.name} is not there, so its size is not known: bring it, or give the "
                "mixture `tokens` and the source a share"
            )
        text, basis = finished / _kept(graph, entry), "Table 1" if paper else "mixture"
    data = SourceData(
        entry.name,
        basis,
        text / source.text_per_raw,
        source.document_bytes,
        max(1, ceil(text / entry.split_bytes)),
        bytes_per_token,
    )
    return data, Flow(text, source.document_bytes, data.parts)


def _kept(graph: Graph, entry: SourceEntry) -> float:
    """The share of a source's text that its steps keep."""
    home = join(graph.recipe.output, entry.name)
    return prod(stage.keeps(home) for stage in graph.documents[entry.name] if isinstance(stage, Process))


def _draw(recipe: Recipe, sources: list[SourceData], total: float | None) -> None:
    """What the run takes of each source: by its share of the total, or of what the scarcest one allows."""
    shares = _shares(recipe)
    if shares and total is None:
        assert recipe.mixture is not None
        available = {source.name: source.available for source in sources}
        available |= {name: read_index(folder).tokens for name, folder in recipe.mixture.folders.items()}
        total = min(recipe.mixture.max_epochs * available[name] / share for name, share in shares.items())
    for source in sources:
        source.drawn = (total or 0.0) * shares.get(source.name, 0.0)


def _shares(recipe: Recipe) -> dict[str, float]:
    shares = recipe.mixture.shares if recipe.mixture else {}
    return {name: float(Fraction(str(share))) for name, share in shares.items()}
