"""The tokenizer of a recipe: one that exists, or one trained on a sample of the finished documents."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import apache_beam as beam

from corpus.dataset import StepFolder
from corpus.recipe import Recipe
from corpus.storage import clear_attempts, digest_of, exists, join, remove, write_json
from pipelines.partmap import PartMap
from pipelines.runner import Runner
from tokenizer.sample import SampleTask, sample_lines, sample_part
from tokenizer.train import train

VERSION = 1
"""Raised when equal documents give another model."""

REPORT = "report.json"
"""Written after the model: the training is finished when it exists."""


@dataclass(frozen=True)
class SampleTasks:
    """Reads the manifest of one source's documents into tasks; its parts count from `first`."""

    output: str
    held_out: int

    def __call__(self, of: tuple[StepFolder, int, float]) -> Iterator[SampleTask]:
        documents, first, fraction = of
        for part in documents.parts():
            path = documents.data(part.number)
            yield SampleTask(first + part.number, path, self.output, fraction, self.held_out)


def tokenizer_digest(recipe: Recipe, documents: Mapping[str, StepFolder]) -> str:
    """The digest of a model trained for a recipe."""
    assert recipe.tokenizer is not None
    return digest_of(
        {
            "step": "tokenizer",
            "version": VERSION,
            "documents": {name: folder.manifest_digest() for name, folder in documents.items()},
            "shares": _shares(recipe, documents),
            "settings": recipe.tokenizer.model_dump(mode="json"),
        }
    )


def train_tokenizer(recipe: Recipe, documents: Mapping[str, StepFolder], work: str, runner: Runner) -> tuple[str, bool]:
    """The path of the recipe's model, and whether it was trained now.

    Each source gives text by its share of the mixture, as far as it has it.

    Raises:
        UserError: what `tokenizer.train.train` raises.
    """
    section = recipe.tokenizer
    assert section is not None
    if section.model is not None:
        return section.model, False
    digest = tokenizer_digest(recipe, documents)
    folder = join(recipe.output, f"tokenizer-{digest[:8]}")
    model = join(folder, "tokenizer.model")
    if exists(join(folder, REPORT)):
        return model, False
    shares = _shares(recipe, documents)
    sample = join(work, digest[:8])
    inputs, first = [], 0
    for name, step in documents.items():
        manifest = step.manifest()
        fraction = min(1.0, shares.get(name, 0.0) * section.sample_bytes / max(1, manifest["text_bytes"]["out"]))
        inputs.append((step, first, fraction))
        first += len(manifest["parts"])
    tasks = SampleTasks(sample, section.held_out)
    runner.run(
        lambda pipeline: (
            pipeline
            | beam.Create(inputs)
            | "Read manifests" >> beam.FlatMap(tasks)
            | "Sample" >> PartMap(sample_part, runner, "sample for the tokenizer")
        )
    )
    report = train(sample_lines(sample, first, section.sample_bytes), model, section.vocab_size)
    clear_attempts(folder)
    write_json(join(folder, REPORT), asdict(report))
    remove(sample)
    return model, True


def _shares(recipe: Recipe, documents: Mapping[str, StepFolder]) -> dict[str, float]:
    """Shares of the mixture, or equal ones without a mixture."""
    if recipe.mixture is None:
        return {name: 1 / len(documents) for name in documents}
    return {name: float(share) for name, share in recipe.mixture.shares.items()}
