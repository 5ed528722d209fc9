"""What the data of a recipe will take before it is run: files, core-hours, disk, shuffle. Imports no Beam.

Sizes are decimal (1 GB = 10^9 bytes). Where a source's raw files are there, their bytes are the start; where not, the
source is taken to be as large as the mixture needs at the epochs of LLaMA-1's Table 1: at Table 1's shares and 1.4T
tokens that is Table 1's disk size. What a step keeps is assumed (`KEPT`), or read from a finished step of this run, so
that a run over some of the raw files plans the run over all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, prod

from rich.console import Group
from rich.table import Table
from rich.text import Text

from corpus.dataset import StepFolder
from corpus.dedup.ids import BYTES_PER_DOCUMENT
from corpus.errors import UserError
from corpus.recipe import Recipe, SourcePlan
from corpus.report.tables import new_table
from corpus.sources.raw import file_sizes
from corpus.steps.plan import Step, steps_of
from corpus.steps.rule import NamedRule
from corpus.storage import exists, join, names
from pipelines.rates import Rates
from tokenizer.encode import token_dtype
from tokenizer.index import read_index
from tokenizer.mixture import TABLE_1
from tokenizer.tokenize import SHARD_TEXT_BYTES

TABLE_1_TOKENS = 1.4e12
TABLE_1_DISK = {
    "commoncrawl": 3.3e12,
    "c4": 783e9,
    "github": 328e9,
    "wikipedia": 83e9,
    "books": 85e9,
    "arxiv": 92e9,
    "stackexchange": 78e9,
}
"""Bytes of finished text (LLaMA-1, Table 1, "disk size")."""

TEXT_PER_RAW = {
    "commoncrawl": 3.0,
    "c4": 3.0,
    "github": 2.2,
    "wikipedia": 3.4,
    "books": 1.0,
    "arxiv": 0.04,
    "stackexchange": 0.6,
}
"""Bytes of extracted text in a byte of raw file: WET in gzip and C4 as `corpus.sources` cut them into splits; a .tar.gz
of a repository, pages-articles in bzip2, and Posts.xml as measured on a few MB of real files; arXiv from its size in
Amazon S3, a few TB with figures and PDF, against Table 1."""

DOCUMENT_BYTES = {
    "commoncrawl": 5000,
    "c4": 2100,
    "github": 7000,
    "wikipedia": 3500,
    "books": 450_000,
    "arxiv": 55_000,
    "stackexchange": 2600,
}
"""Text of a document: of the order that RedPajama-v1's counts give for the same sources; of Common Crawl, assumed."""

KEPT = {
    "lines": 0.3,  # assumed, of the order that the CCNet paper reports for English
    "language": 0.45,  # assumed: English in Common Crawl
    "perplexity": 0.6,  # head and middle: the cut-offs are the 30th and 60th percentile
    "reference": 0.5,  # assumed
    "license_header": 0.97,  # measured on a few MB of real files, as are wikitext, gutenberg and latex
    "code": 0.8,  # assumed
    "exact": 0.7,  # assumed, of code
    "wikitext": 0.47,
    "gutenberg": 0.98,
    "overlap": 0.9,  # assumed
    "latex": 0.75,
    "near": 0.8,  # assumed
}
"""Share of the text that a rule keeps; a rule that is not here is taken to keep all."""

ZSTD = 0.35
"""Bytes of a part over those of its text, measured on Wikipedia, books and StackExchange."""

SPILL_FORMULAS = {
    "lines": "text / 8: 8 B + 1 bit for each distinct line of 60 B",
    "exact": "36 B x documents",
    "near": "bands x (permutations + 28 B) x documents",
    "overlap": "40 B x documents + 8 B for each sampled n-gram",
}
"""What `estimate` of each dedup counts."""

ASSUMED = "What a step keeps of the text is assumed, or read from the finished steps of this run (docs/plan.md)."
NOT_MODELLED = (
    "Not in it: downloads and every other network, storage slower than the cores, machines that fail or wait, uneven "
    "parts at the end of a step, training the tokenizer in more than one process."
)


@dataclass(frozen=True)
class Work:
    """One piece of work on one source.

    Attributes:
        name: as `pipelines.rates` has it.
        bytes: that the rate is of.
        rate: bytes/s of a core; None = never measured.
        of: what the bytes are.
        by_reference: the rate is not this machine's.
    """

    source: str
    name: str
    bytes: float
    rate: float | None
    of: str
    by_reference: bool = False

    @property
    def core_hours(self) -> float:
        return self.bytes / self.rate / 3600 if self.rate else 0.0


@dataclass
class SourceData:
    """One source from raw files to tokens, in bytes, documents and tokens.

    Attributes:
        basis: where the size comes from.
        texts: text after extract and after each step.
        spills: (dedup, bytes, formula), each of which is gone when its step is done.
        available: tokens in one epoch.
        drawn: tokens of the run.
    """

    name: str
    basis: str
    raw: float
    texts: list[float]
    documents: float
    available: float
    drawn: float = 0.0
    parts: int = 1
    spills: list[tuple[str, float, str]] = field(default_factory=list)

    @property
    def shards(self) -> int:
        return ceil(self.texts[-1] / SHARD_TEXT_BYTES)


@dataclass(frozen=True)
class DataPlan:
    recipe: Recipe
    sources: list[SourceData]
    work: list[Work]
    rates: Rates
    calibrated: bool

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
        UserError: no sources; an input folder without files; a token folder of the mixture that is not finished.
    """
    if not recipe.sources:
        raise UserError(f"{recipe.path} has no sources: its token folders are there already, nothing is left to plan")
    total = tokens or (recipe.mixture.tokens if recipe.mixture else None)
    sources = [_source(recipe, plan, total) for plan in recipe.sources]
    shares = _shares(recipe)
    if shares and total is None:
        assert recipe.mixture is not None
        available = {of.name: of.available for of in sources}
        available |= {name: read_index(folder).tokens for name, folder in recipe.mixture.folders.items()}
        total = min(recipe.mixture.max_epochs * available[name] / share for name, share in shares.items())
    for of in sources:
        of.drawn = (total or 0.0) * shares.get(of.name, 0.0)
    everywhere = reference.bytes_per_s | rates.bytes_per_s
    work = [
        Work(source, name, size, everywhere.get(name), what, name not in rates.bytes_per_s)
        for source, name, size, what in _work(recipe, sources)
    ]
    return DataPlan(recipe, sources, work, rates, rates is not reference)


def _shares(recipe: Recipe) -> dict[str, float]:
    shares = recipe.mixture.shares if recipe.mixture else {}
    return {name: float(Fraction(str(share))) for name, share in shares.items()}


def bytes_per_token(source: str) -> float:
    """Of finished text, by Table 1: disk size over share x 1.4T / epochs."""
    share, epochs = TABLE_1[source]
    return TABLE_1_DISK[source] / (TABLE_1_TOKENS * float(share.rstrip("%")) / 100 / float(epochs))


def _source(recipe: Recipe, plan: SourcePlan, total: float | None) -> SourceData:
    home = join(recipe.output, plan.name)
    steps = steps_of(plan.steps)
    kept = [_measured(home, step) or prod(KEPT.get(rule.name, 1.0) for rule in _rules(step)) for step in steps]
    if exists(plan.input):
        raw = float(sum(file_sizes(plan.input, plan.include).values()))
        text = raw * TEXT_PER_RAW[plan.name]
        basis = "raw files"
    else:
        finished = TABLE_1_DISK[plan.name]
        share = _shares(recipe).get(plan.name)
        if total is not None and share is not None:
            finished = total * share / float(TABLE_1[plan.name][1]) * bytes_per_token(plan.name)
        text = finished / prod(kept)
        raw = text / TEXT_PER_RAW[plan.name]
        basis = "Table 1"
    texts = [text]
    for share_kept in kept:
        texts.append(texts[-1] * share_kept)
    size = DOCUMENT_BYTES[plan.name]
    result = SourceData(
        plan.name, basis, raw, texts, text / size, texts[-1] / bytes_per_token(plan.name),
        parts=max(1, ceil(text / plan.split_bytes)),
    )  # fmt: skip
    result.spills.append(("ids of extract", result.documents * BYTES_PER_DOCUMENT, "24 B x documents"))
    for step, before in zip(steps, texts, strict=False):
        if step.dedup is not None:
            result.spills.append(_spill(step.dedup, before / size, before))
    return result


def _spill(named: NamedRule, documents: float, text: float) -> tuple[str, float, str]:
    return named.key, float(named.dedup.estimate(int(documents), int(text))), SPILL_FORMULAS[named.name]


def _rules(step: Step) -> list[NamedRule]:
    return ([step.dedup] if step.dedup else []) + list(step.rules)


def _measured(home: str, step: Step) -> float | None:
    """What a finished step of this run kept of its text."""
    for name in names(home):
        folder = StepFolder(join(home, name))
        if name.startswith(f"{step.number}-{step.name}-") and folder.finished:
            text = folder.manifest()["text_bytes"]
            return float(text["out"] / text["in"]) if text["in"] else None
    return None


def _work(recipe: Recipe, sources: list[SourceData]) -> Iterator[tuple[str, str, float, str]]:
    """(source, work, bytes, what they are) in the order of a run."""
    for plan, of in zip(recipe.sources, sources, strict=True):
        yield plan.name, f"extract {plan.name}", of.texts[0], "text extracted"
        for step, text in zip(steps_of(plan.steps), of.texts, strict=False):
            yield from _step_work(plan.name, step, text, DOCUMENT_BYTES[plan.name])
    for named in recipe.across:
        for of in sources:
            yield from _step_work(of.name, Step(0, named, ()), of.texts[-1], DOCUMENT_BYTES[of.name])
    if recipe.tokenizer is None:
        return
    finished = sum(of.texts[-1] for of in sources)
    if recipe.tokenizer.model is None:
        yield "all", "train tokenizer", min(recipe.tokenizer.sample_bytes, finished), "sample_bytes of text"
    for of in sources:
        yield of.name, "tokenize", of.texts[-1], "text finished"


def _step_work(source: str, step: Step, text: float, document: int) -> Iterator[tuple[str, str, float, str]]:
    if step.dedup is not None:
        name = step.dedup.name
        yield source, f"{name}: sign", text, "text in"
        yield source, f"{name}: decide", float(step.dedup.dedup.estimate(int(text / document), int(text))), "signatures"
        yield source, f"{name}: apply", text, "text in"
    left = text * (KEPT.get(step.dedup.name, 1.0) if step.dedup else 1.0)
    for named in step.rules:
        yield source, named.name, left, "text in"
        left *= KEPT.get(named.name, 1.0)
    yield source, "read and write parts", text, "text in"


def tables(plan: DataPlan, cores: int) -> Group:
    """Sources, work on so many cores, disk, and what is assumed."""
    mark = " Rates marked * are not from it: that work could not be measured there." if plan.calibrated else ""
    origin = (
        f"Rates: this machine's last calibration, {plan.rates.machine}, {plan.rates.date}.{mark}"
        if plan.calibrated
        else f"Rates: the package's own, {plan.rates.machine}, {plan.rates.date}; "
        "`corpus plan RECIPE --calibrate` measures yours."
    )
    unknown = sorted({work.name for work in plan.work if work.rate is None})
    notes = [
        origin,
        *([f"Never measured, and so not counted: {', '.join(unknown)}."] if unknown else []),
        ASSUMED,
        NOT_MODELLED,
    ]
    return Group(
        _sources_table(plan), Text(), _work_table(plan, cores), Text(), _disk_table(plan), Text(),
        *(Text(note) for note in notes),
    )  # fmt: skip


def _sources_table(plan: DataPlan) -> Table:
    result = new_table(
        "From raw files to tokens (1 GB = 10^9 bytes)",
        ["source", "size from"],
        ["raw GB", "text GB", "finished GB", "documents", "parts", "shards", "tokens", "drawn", "epochs"],
    )
    for of in plan.sources:
        result.add_row(
            of.name, of.basis, gb(of.raw), gb(of.texts[0]), gb(of.texts[-1]), f"{of.documents:,.0f}", f"{of.parts:,}",
            f"{of.shards:,}", short(of.available), short(of.drawn),
            f"{of.drawn / of.available:.2f}" if of.available else "",
        )  # fmt: skip
    total = plan.sources
    result.add_row(
        "all", "", gb(sum(of.raw for of in total)), gb(sum(of.texts[0] for of in total)),
        gb(sum(of.texts[-1] for of in total)), f"{sum(of.documents for of in total):,.0f}",
        f"{sum(of.parts for of in total):,}", f"{sum(of.shards for of in total):,}",
        short(sum(of.available for of in total)), short(plan.tokens), "", style="bold",
    )  # fmt: skip
    return result


def _work_table(plan: DataPlan, cores: int) -> Table:
    result = new_table(
        f"Work: core-hours = bytes / rate, hours = core-hours / {cores} cores",
        ["source", "work"],
        ["GB", "MB/s", "core-hours", "hours"],
        "bytes of",
    )
    for work in plan.work:
        mark = "*" if work.by_reference and plan.calibrated else ""
        rate = f"{work.rate / 1e6:,.1f}{mark}" if work.rate else "?"
        took = [hours(work.core_hours), hours(work.core_hours / cores)] if work.rate else ["?", "?"]
        result.add_row(work.source, work.name, gb(work.bytes), rate, *took, work.of)
    result.add_row("all", "", "", "", hours(plan.core_hours), hours(plan.core_hours / cores), "", style="bold")
    return result


def _disk_table(plan: DataPlan) -> Table:
    result = new_table("Disk and shuffle", ["what"], ["GB"], "how")
    for name, size, how in disk(plan):
        result.add_row(name, gb(size), how)
    return result


def disk(plan: DataPlan) -> list[tuple[str, float, str]]:
    """(what, bytes, formula) of what lies on disk at the end, and of what passes through `.work` on the way."""
    recipe, sources = plan.recipe, plan.sources
    rows = [("raw files", sum(of.raw for of in sources), "text / text in a raw byte, or their listing")]
    texts = sum(sum(of.texts) for of in sources) + len(recipe.across) * sum(of.texts[-1] for of in sources)
    rows.append(("parts of all steps", texts * ZSTD, f"text after each step x {ZSTD} (zstd); all steps stay"))
    if recipe.tokenizer is not None:
        width = token_dtype(recipe.tokenizer.vocab_size)().itemsize
        tokens = sum(of.available for of in sources)
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
    for of in sources:
        rows += [(f".work and shuffle: {of.name}, {name}", size, how) for name, size, how in of.spills]
    for named in recipe.across:
        documents = sum(of.texts[-1] / DOCUMENT_BYTES[of.name] for of in sources)
        name, size, how = _spill(named, documents, sum(of.texts[-1] for of in sources))
        rows.append((f".work and shuffle: across, {name}", size, how))
    return rows


def gb(size: float) -> str:
    """Decimal gigabytes."""
    return f"{size / 1e9:,.1f}" if size >= 1e8 else f"{size / 1e9:,.4f}"


def hours(count: float) -> str:
    """Hours; below one with more digits, so that those of a small recipe are not all zero."""
    return f"{count:,.1f}" if count >= 1 else f"{count:.4f}"


def short(count: float) -> str:
    """A number of tokens with its unit."""
    units: Mapping[str, float] = {"T": 1e12, "B": 1e9, "M": 1e6, "k": 1e3}
    for unit, size in units.items():
        if count >= size:
            return f"{count / size:,.1f}{unit}"
    return f"{count:,.0f}"
