"""A folder of packed shards: the names in it and its index. docs/tokens.md."""

from dataclasses import asdict, dataclass
from typing import Any

from corpus.errors import DamagedFile, UserError
from corpus.storage import exists, join, names, read_json, write_json
from tokenizer.shards import ShardHeader

HELD_OUT = "heldout"
"""Folder of the held-out shards below a token folder."""

MATERIALISED = "materialised"
"""Folder of a run's sequences in the order of training, beside the order's manifest."""


def shard_name(number: int) -> str:
    return f"shard-{number:05d}.tok"


def heldout_name(number: int) -> str:
    return f"{HELD_OUT}/{shard_name(number)}"


def sidecar_path(folder: str, shard: int) -> str:
    """Of the counts of one shard, written after its files."""
    return join(folder, "meta", f"shard-{shard:05d}.json")


@dataclass(frozen=True)
class IndexedShard:
    """One shard as the index lists it.

    Attributes:
        name: file name below the token folder, with forward slashes.
        digest: SHA-256 of the file.
    """

    name: str
    tokens: int
    documents: int
    text_bytes: int
    digest: str


@dataclass(frozen=True)
class TokenIndex:
    """What a token folder holds (`index.json`).

    Attributes:
        shards: in order; training sequences run over their concatenation.
        heldout: the shards of held-out documents, in order.
        heldout_one_in: see `TokenizeTask.heldout`; 0 where nothing was held out.
    """

    header: ShardHeader
    shards: tuple[IndexedShard, ...]
    heldout: tuple[IndexedShard, ...]
    heldout_one_in: int

    @property
    def tokens(self) -> int:
        return sum(shard.tokens for shard in self.shards)

    @property
    def documents(self) -> int:
        return sum(shard.documents for shard in self.shards)


def write_index(folder: str, shards: int) -> TokenIndex:
    """Writes `index.json` of a token folder whose shards 0 to `shards` - 1 are finished.

    Raises:
        UserError: a shard is missing, or was made differently from the first one.
    """
    bodies = []
    for number in range(shards):
        if not exists(sidecar_path(folder, number)):
            raise UserError(
                f"{join(folder, shard_name(number))} is not finished: run the same command again to its end"
            )
        bodies.append(read_json(sidecar_path(folder, number)))
    if not bodies:
        raise UserError(f"{folder} would have no shard: there is nothing to tokenise in this source")
    made = {key: bodies[0][key] for key in ("header", "heldout_one_in")}
    for body in bodies:
        if any(body[key] != value for key, value in made.items()):
            raise UserError(
                f"{join(folder, shard_name(body['part']))} was made with another tokenizer or other settings than "
                f"{shard_name(0)}: remove {folder} and run tokenize again"
            )
    index = index_of(
        {
            **made,
            "shards": [body["shard"] for body in bodies],
            "heldout": [body["heldout"] for body in bodies if "heldout" in body],
        }
    )
    write_json(join(folder, "index.json"), asdict(index))
    return index


def is_whole(folder: str) -> bool:
    """Whether a folder has its index and every shard that it lists."""
    if not exists(join(folder, "index.json")):
        return False
    index = read_index(folder)
    present = {*names(folder), *(f"{HELD_OUT}/{name}" for name in names(join(folder, HELD_OUT)))}
    return all(entry.name in present for entry in index.shards + index.heldout)


def read_index(folder: str) -> TokenIndex:
    """The index of a token folder.

    Raises:
        UserError: there is none.
        DamagedFile: it cannot be read.
    """
    path = join(folder, "index.json")
    if not exists(path):
        raise UserError(f"{path} does not exist: check the path, or run tokenize to its end")
    try:
        return index_of(read_json(path))
    except (KeyError, TypeError) as error:
        raise DamagedFile(f"{path} is not an index of shards ({error}): run tokenize again") from None


def index_of(body: dict[str, Any]) -> TokenIndex:
    """The index as JSON holds it: the inverse of `dataclasses.asdict`; other keys are left aside."""
    return TokenIndex(
        header=ShardHeader(**body["header"]),
        shards=tuple(IndexedShard(**entry) for entry in body["shards"]),
        heldout=tuple(IndexedShard(**entry) for entry in body["heldout"]),
        heldout_one_in=body["heldout_one_in"],
    )
