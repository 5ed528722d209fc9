"""The card of an export: README.md, by which Hugging Face `datasets` opens the folder, one configuration a source."""

import io
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pyarrow as pa
from ruamel.yaml import YAML

from corpus.dataset import StepFolder
from corpus.errors import DamagedFile, UserError
from corpus.storage import commit, join, local_path


def require() -> Any:
    """The library `datasets`.

    Raises:
        UserError: it is not installed.
    """
    try:
        return import_module("datasets")
    except ModuleNotFoundError:
        raise UserError(
            "the formats parquet and jsonl.zst need datasets: pip install '.[datasets]' in the project's folder"
        ) from None


def write(output: str, steps: Mapping[str, StepFolder], format: str, schema: pa.Schema) -> None:
    """Writes the card into a folder whose files are there; on a local disk `datasets` then opens each source by it.

    Args:
        steps: by source.

    Raises:
        DamagedFile: what `datasets` reads is not what was written.
    """
    datasets = require()
    configs = [
        {"config_name": source, "data_files": [{"split": "train", "path": f"{source}/*.{format}"}]} for source in steps
    ]
    head: dict[str, Any] = {"configs": configs}
    if format == "parquet":
        features = datasets.Features.from_arrow_schema(schema)._to_yaml_list()
        head["dataset_info"] = [_info(source, step, features) for source, step in steps.items()]
    front = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.representer.ignore_aliases = lambda *_: True
    yaml.dump(head, front)
    text = f"---\n{front.getvalue()}---\n\n# Documents\n\n{_table(steps)}"
    commit(join(output, "README.md"), lambda sink: sink.write(text.encode()))
    folder = local_path(output)
    for source in steps if folder else ():
        first = next(iter(datasets.load_dataset(folder, source, split="train", streaming=True)))
        if list(first) != schema.names:
            raise DamagedFile(
                f"{folder}: datasets reads the columns {', '.join(first)} of {source}: please report this"
            )


def _info(source: str, step: StepFolder, features: Any) -> dict[str, Any]:
    manifest = step.manifest()
    split = {
        "name": "train",
        "num_bytes": manifest["text_bytes"]["out"],
        "num_examples": manifest["documents"]["out"],
    }
    return {"config_name": source, "features": features, "splits": [split]}


def _table(steps: Mapping[str, StepFolder]) -> str:
    lines = ["| source | documents | bytes of text | step |", "|---|---:|---:|---|"]
    for source, step in steps.items():
        manifest = step.manifest()
        counts = f"{manifest['documents']['out']:,} | {manifest['text_bytes']['out']:,}"
        lines.append(f"| {source} | {counts} | {manifest['step']} {manifest['digest'][:8]} |")
    return "\n".join(lines) + "\n"
