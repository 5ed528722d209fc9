"""Extract: raw files of a source to parts of documents."""

from dataclasses import dataclass

import apache_beam as beam

from corpus.dataset import StepFolder, claim
from corpus.dedup.ids import BYTES_PER_DOCUMENT
from corpus.recipe import SourcePlan
from corpus.sources.raw import list_files
from corpus.steps.dedupe import partitions_for
from corpus.steps.extract import DecideIds, DropDuplicateIds, SignIds, extract_part
from corpus.steps.plan import (
    EXTRACT_NUMBER,
    ExtractTasks,
    extract_digest,
    folder_name,
    versions,
    write_extract_plan,
)
from corpus.storage import join, remove
from pipelines.exchange import Exchange
from pipelines.finish import finish_step
from pipelines.partmap import PartMap
from pipelines.runner import Runner

DOCUMENT_BYTES = 2000
"""Raw bytes a document is taken to have when the search for duplicate ids is cut into partitions."""


@dataclass
class Extract(beam.PTransform):
    """Path of a plan -> counts of the parts that were written again without duplicate ids."""

    tasks: ExtractTasks
    partitions: int
    parts: int
    work: str
    runner: Runner

    def expand(self, plan: beam.PCollection) -> beam.PCollection:
        output = self.tasks.output
        extracted = (
            plan
            | "Read plan" >> beam.FlatMap(self.tasks)
            | "Extract" >> PartMap(extract_part, self.runner, f"extract {self.tasks.source.name}")
        )
        ids = extracted | "Ids" >> Exchange(
            SignIds(output, self.partitions), self.partitions, join(self.work, "ids"), self.runner, "ids"
        )
        return (
            ids
            | "Duplicates"
            >> Exchange(DecideIds(self.parts), self.parts, join(self.work, "again"), self.runner, "again")
            | "Drop" >> PartMap(DropDuplicateIds(output), self.runner, "duplicate ids")
        )


def extract(
    plan: SourcePlan, folder: str, work: str, runner: Runner, named: str | None = None
) -> tuple[StepFolder, bool]:
    """Runs the extract step of a source below `folder` (or in the folder `named`). Returns it, and whether it ran.

    Raises:
        UserError: the input has no files, a part failed, or `named` holds something else.
    """
    files = list_files(plan.input, plan.include)
    splits = plan.source.plan(files, plan.split_bytes)
    digest = extract_digest(plan.source, files, splits)
    output = StepFolder(named or join(folder, folder_name(EXTRACT_NUMBER, "extract", digest)))
    if named:
        claim(output, digest)
    if output.finished:
        return output, False
    plan_path = write_extract_plan(output, files, splits)
    spill = join(work, digest[:8])
    documents = sum(file.size for file in files) // DOCUMENT_BYTES
    transform = Extract(
        ExtractTasks(plan.source, plan.input, output, digest),
        partitions_for(documents * BYTES_PER_DOCUMENT),
        len(splits),
        spill,
        runner,
    )
    runner.run(lambda pipeline: pipeline | beam.Create([plan_path]) | transform)
    finish_step(
        output,
        {
            "step": "extract",
            "digest": digest,
            "source": plan.source.name,
            "input": plan.input,
            "settings": plan.source.model_dump(mode="json"),
            "dedup": None,
            "rules": [],
            "score_keys": {},
            "versions": versions(),
        },
        digest,
        range(len(splits)),
    )
    remove(spill)
    return output, True
