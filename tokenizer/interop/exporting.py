"""A token folder in another format: the same documents in the same shards."""

from collections.abc import Callable, Mapping

from corpus.errors import UserError
from corpus.storage import join, names, read_json, write_json
from tokenizer.index import read_index
from tokenizer.interop import datatrove, megatron, rows
from tokenizer.remote import open_shard
from tokenizer.shards import Shard

WRITERS: Mapping[str, Callable[[Shard, str], None]] = {
    "megatron": megatron.write,
    "datatrove": datatrove.write,
    "datasets": rows.write,
}
"""Name of a format -> writes a shard to files whose path begins with the given one."""

_FINISHED = ".finished"  # hidden, so that no reader takes it for data


def export_folder(folder: str, output: str, format: str, say: Callable[[str], None]) -> None:
    """Writes each shard of a token folder that holds documents as files of `format`.

    Training shards become `OUTPUT/train/shard-NNNNN.*`, held-out ones `OUTPUT/validation/shard-NNNNN.*`. A shard that
    is finished is left.

    Args:
        output: a folder anywhere fsspec reaches.
        say: takes one line for each shard.

    Raises:
        UserError: no such format; `folder` has no index; `output` holds the export of something else.
        DamagedFile: a shard or the index is damaged.
    """
    if format not in WRITERS:
        raise UserError(f"--format {format} is unknown: known are {', '.join(WRITERS)}")
    index = read_index(folder)
    shards = {
        f"{split}/{entry.name.rpartition('/')[2].removesuffix('.tok')}": entry
        for split, entries in (("train", index.shards), ("validation", index.heldout))
        for entry in entries
        if entry.documents
    }
    finished = {}
    for split in ("train", "validation"):
        for name in names(join(output, _FINISHED, split)):
            finished[f"{split}/{name.removesuffix('.json')}"] = read_json(join(output, _FINISHED, split, name))
    for name, body in finished.items():
        if name not in shards or (body["format_name"], body["digest"]) != (format, shards[name].digest):
            raise UserError(f"{output} holds the export of something else ({name}): name another folder, or remove it")
    for name, entry in shards.items():
        if name in finished:
            say(f"{join(output, name)} was done")
            continue
        shard = open_shard(join(folder, entry.name), index.header.tokenizer)
        WRITERS[format](shard, join(output, name))
        write_json(join(output, _FINISHED, f"{name}.json"), {"format_name": format, "digest": entry.digest})
        say(f"{join(output, name)} done: {entry.documents:,} documents, {entry.tokens:,} tokens")
