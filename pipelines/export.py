"""Export: documents of finished steps as a folder that other programs open, one sub-folder a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from corpus.dataset import StepFolder, group_parts
from corpus.errors import UserError, known
from corpus.lock import HOME, lock
from corpus.recipe.load import load
from corpus.report import card
from corpus.steps.export import FORMATS, ExportTask, Format, export_parts, export_schema
from corpus.storage import clear_attempts, digest_of, exists, join, names, read_json, write_json
from pipelines.graph import compile_graph
from pipelines.stages.remove import RemoveListed

if TYPE_CHECKING:
    from pipelines.engine.runner import Runner

_MARK = ".export.json"


def export_documents(
    paths: Sequence[str],
    output: str,
    format: str,
    columns: Sequence[str],
    shard_bytes: int,
    runner: Runner,
    say: Callable[[str], None] = print,
) -> None:
    """Writes the documents of steps, or of the last step of each source of runs, in files of about `shard_bytes` of
    text. What a killed export has written is used again.

    Raises:
        UserError: a step is not finished, two have one source, an unknown format or column, `output` holds something
            else, or a part failed.
    """
    if format not in FORMATS:
        raise UserError(f"--format {format} is unknown; {known(format, FORMATS)}")
    export_schema(tuple(columns))
    if format != "dolma":
        card.require()
    elif not {"id", "text", "source"} <= set(columns):
        raise UserError("dolma's rows have id, text and source: name these columns too")
    steps = _steps(paths)
    with lock(output, "corpus export documents"):
        _export(steps, output, format, tuple(columns), shard_bytes, runner)
    for source, step in steps.items():
        counts = step.manifest()
        text = counts["text_bytes"]["out"]
        say(f"{join(output, source)}: {counts['documents']['out']:,} documents, {text:,} bytes of text")


def _export(
    steps: dict[str, StepFolder],
    output: str,
    format: str,
    columns: tuple[str, ...],
    shard_bytes: int,
    runner: Runner,
) -> None:
    import apache_beam as beam

    from pipelines.engine.partmap import PartMap

    added = _claim(output, steps, format, columns, shard_bytes)
    tasks: list[ExportTask] = []
    for source, step in steps.items():
        folder = join(output, source, "documents") if format == "dolma" else join(output, source)
        for group in group_parts(step.parts(), shard_bytes):
            numbers = tuple(part.number for part in group)
            tasks.append(ExportTask(len(tasks), step, numbers, folder, _checked(format), columns, shard_bytes, added))
    export = "Export" >> PartMap(export_parts, runner, "export")
    runner.run(lambda pipeline: pipeline | beam.Create(tasks) | export, output)
    clear_attempts(output)
    if format != "dolma":
        card.write(output, steps, format, export_schema(columns))


def _checked(format: str) -> Format:
    return next(known for known in FORMATS if known == format)


def _steps(paths: Sequence[str]) -> dict[str, StepFolder]:
    """The steps to export by their source."""
    found: dict[str, StepFolder] = {}
    for path in paths:
        if exists(join(path, "recipe.yaml")):
            graph = compile_graph(load(join(path, "recipe.yaml"), {"output": path}))
            for stage in graph.stages:
                if isinstance(stage, RemoveListed) and stage.before.finished() and not stage.finished():
                    raise UserError(f"{path} still has documents of {stage.source} to remove: run its recipe first")
            some = {source: steps[-1] for source, steps in graph.finished_documents().items() if steps}
        else:
            step = StepFolder(path)
            some = {str(step.manifest()["source"]): step}
        for source, step in some.items():
            if source in found:
                raise UserError(f"{found[source].path} and {step.path} are both of {source}: export them one by one")
            found[source] = step
    return found


def _claim(output: str, steps: dict[str, StepFolder], format: str, columns: Sequence[str], shard_bytes: int) -> str:
    """Notes what is exported before anything is written, and refuses a folder that holds something else. Returns the
    day of the export."""
    digest = digest_of(
        {
            "steps": {source: step.manifest_digest() for source, step in steps.items()},
            "format": format,
            "columns": list(columns),
            "shard_bytes": shard_bytes,
        }
    )
    mark = join(output, _MARK)
    if exists(mark):
        body = read_json(mark)
        if body["digest"] != digest:
            raise UserError(f"{output} holds another export: name a new folder, or remove it")
        return str(body["added"])
    if set(names(output)) - {HOME}:
        raise UserError(f"{output} is not empty: name a new folder")
    added = datetime.now(UTC).strftime("%Y-%m-%dT00:00:00.000Z")
    write_json(mark, {"digest": digest, "added": added})
    return added
