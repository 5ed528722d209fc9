"""Tokenize: documents of one source to packed shards."""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from corpus.dataset import StepFolder
from corpus.recipe import TokenizerSection
from corpus.storage import clear_attempts, digest_of, join
from pipelines.partmap import PartMap
from pipelines.runner import Runner
from tokenizer.index import is_whole, write_index
from tokenizer.model import check_special, model_sha256
from tokenizer.tokenize import TokenizeTask, TokenPart, plan_shards, tokenize_parts
from tokenizer.trace import write_documents

VERSION = 1
"""Raised when equal documents and an equal model give other shards."""


@dataclass(frozen=True)
class TokenizeTasks:
    """Reads the manifest of the documents into one task for each shard."""

    output: str
    model: str
    settings: TokenizerSection

    def __call__(self, documents: StepFolder) -> Iterator[TokenizeTask]:
        dataset = documents.manifest()["digest"]
        for number, group in enumerate(plan_shards(documents.parts())):
            parts = tuple(
                TokenPart(part.number, documents.data(part.number), part.digest, part.documents) for part in group
            )
            of = self.settings
            yield TokenizeTask(number, parts, self.output, self.model, dataset, of.bos, of.eos, of.held_out)


@dataclass
class Tokenize(beam.PTransform):
    """Folder of documents -> counts of each shard."""

    tasks: TokenizeTasks
    runner: Runner
    label: str

    def expand(self, documents: beam.PCollection) -> beam.PCollection:
        return (
            documents
            | "Read manifest" >> beam.FlatMap(self.tasks)
            | "Tokenize" >> PartMap(tokenize_parts, self.runner, self.label)
        )


def token_digest(documents: StepFolder, model_sha256: str, settings: TokenizerSection) -> str:
    """The digest of a token folder."""
    return digest_of(
        {
            "step": "tokenize",
            "version": VERSION,
            "documents": documents.manifest_digest(),
            "tokenizer": model_sha256,
            "bos": settings.bos,
            "eos": settings.eos,
            "held_out": settings.held_out,
        }
    )


def tokenize(
    documents: StepFolder, home: str, name: str, model: str, settings: TokenizerSection, runner: Runner
) -> tuple[str, bool]:
    """Packs the documents of a finished step into shards below `home`. Returns their folder, and whether it ran.

    Raises:
        UserError: the step is not finished, the model cannot be read or has not the pieces asked for, or a shard
            failed.
    """
    digest = token_digest(documents, model_sha256(model), settings)
    output = join(home, f"{name}-{digest[:8]}")
    if is_whole(output):
        return output, False
    check_special(model, settings.bos, settings.eos)
    tasks = TokenizeTasks(output, model, settings)
    transform = Tokenize(tasks, runner, f"tokenize {name}")
    runner.run(lambda pipeline: pipeline | beam.Create([documents]) | transform)
    clear_attempts(output)
    write_documents(output, documents.path, model)
    write_index(output, len(plan_shards(documents.parts())))
    return output, True
