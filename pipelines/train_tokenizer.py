"""Training the tokenizer on a sample of finished documents."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction

import apache_beam as beam

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.recipe import Recipe, TokenizerSection
from corpus.storage import clear_attempts, digest_of, exists, join, parent, read_json, remove, write_json
from pipelines.partmap import PartMap
from pipelines.runner import Runner
from tokenizer.model import MODEL, REPORT
from tokenizer.sample import SampleTask, sample_lines, sample_part
from tokenizer.train import train

VERSION = 1
"""Raised when equal documents give another model."""


@dataclass(frozen=True)
class SampleSource:
    """What one source gives to the sample.

    Attributes:
        parts: their numbers among the parts of all sources.
        limit: bytes of text.
        fraction: of its documents that hold about so much, 0 to 1.
    """

    name: str
    documents: StepFolder
    parts: range
    limit: int
    fraction: float


@dataclass(frozen=True)
class SampleTasks:
    """Reads the manifest of one source's documents into tasks."""

    output: str
    held_out: int

    def __call__(self, source: SampleSource) -> Iterator[SampleTask]:
        for number, part in zip(source.parts, source.documents.parts(), strict=True):
            path = source.documents.data(part.number)
            yield SampleTask(number, path, self.output, source.fraction, self.held_out)


def recipe_shares(recipe: Recipe) -> dict[str, float]:
    """Shares of the mixture among the recipe's sources, which add up to 1; equal ones where it names none of them."""
    names = [plan.name for plan in recipe.sources]
    wanted = recipe.mixture.shares if recipe.mixture else {}
    shares = {name: Fraction(str(wanted[name])) for name in names if name in wanted} or dict.fromkeys(
        names, Fraction(1)
    )
    return {name: float(share / sum(shares.values())) for name, share in shares.items()}


def tokenizer_digest(
    section: TokenizerSection, shares: Mapping[str, float], documents: Mapping[str, StepFolder]
) -> str:
    """The digest of a trained model: of all that decides its bytes."""
    return digest_of(
        {
            "step": "tokenizer",
            "version": VERSION,
            "documents": {name: documents[name].manifest_digest() for name in shares},
            "shares": dict(shares),
            "settings": section.model_dump(mode="json", include={"vocab_size", "sample_bytes", "held_out"}),
        }
    )


def train_tokenizer(
    section: TokenizerSection,
    shares: Mapping[str, float],
    documents: Mapping[str, StepFolder],
    home: str,
    work: str,
    runner: Runner,
    output: str | None = None,
) -> tuple[str, bool]:
    """Trains a model on the documents of each source by its share, as far as it has that much text.

    Args:
        shares: of text, by source; they add up to 1. Other documents are not read.
        home: folder that gets the folder of the model, named by the digest.
        work: folder for the sample, which is removed in the end.
        output: folder of the model, instead of one below `home`.

    Returns:
        The path of the model, and whether it was trained now.

    Raises:
        UserError: a step is not finished, `output` holds another model, a part failed, or what `tokenizer.train.train`
            raises.
    """
    digest = tokenizer_digest(section, shares, documents)
    folder = output or join(home, f"tokenizer-{digest[:8]}")
    model, report = join(folder, MODEL), join(folder, REPORT)
    sample = join(work, digest[:8])
    if exists(report):
        found = read_json(report)["digest"]
        if found != digest:
            raise UserError(
                f"{folder} holds the tokenizer {found[:8]}, and this one is {digest[:8]}: name another folder, or "
                "remove it"
            )
        if exists(model):
            return model, False
    elif output and exists(model) and not exists(sample):
        raise UserError(f"{model} was not trained by this command: name another folder")
    sources = _sources(section, shares, documents)
    tasks = SampleTasks(sample, section.held_out)
    runner.run(
        lambda pipeline: (
            pipeline
            | beam.Create(sources)
            | "Read manifests" >> beam.FlatMap(tasks)
            | "Sample" >> PartMap(sample_part, runner, "sample for the tokenizer")
        )
    )
    given = dict.fromkeys(shares, 0)

    def lines() -> Iterator[bytes]:
        for source in sources:
            for line in sample_lines(sample, source.parts, source.limit):
                given[source.name] += len(line)
                yield line

    trained = train(lines(), model, section.vocab_size, section.max_skipped)
    clear_attempts(folder)
    write_json(report, {"digest": digest, **asdict(trained), "text_bytes": given})
    remove(sample)
    return model, True


def training_lines(model: str) -> list[str]:
    """What the report beside a trained model says, for people."""
    report = read_json(join(parent(model), REPORT))
    whole = sum(report["text_bytes"].values())
    shares = ", ".join(f"{name} {size / whole:.1%}" for name, size in report["text_bytes"].items())
    skipped = report["skipped_bytes"] / whole
    return [
        f"SHA-256 {report['sha256']}",
        f"trained on {report['lines']:,} lines, {report['bytes']:,} bytes",
        f"left out {report['skipped_lines']:,} lines, {report['skipped_bytes']:,} bytes ({skipped:.2%}): too long "
        "or with U+2585",
        f"text by source: {shares}",
    ]


def _sources(
    section: TokenizerSection, shares: Mapping[str, float], documents: Mapping[str, StepFolder]
) -> list[SampleSource]:
    """In the order of their names, so that the order in which they are given changes nothing."""
    sources = []
    first = 0
    for name in sorted(shares):
        manifest = documents[name].manifest()
        limit = int(shares[name] * section.sample_bytes)
        parts = range(first, first + len(manifest["parts"]))
        fraction = min(1.0, limit / max(1, manifest["text_bytes"]["out"]))
        sources.append(SampleSource(name, documents[name], parts, limit, fraction))
        first = parts.stop
    return sources
