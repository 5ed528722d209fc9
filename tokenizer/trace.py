"""From a position in a shard to the document its token belongs to."""

import posixpath
from dataclasses import dataclass

import sentencepiece

from corpus.dataset import StepFolder
from corpus.errors import UserError
from corpus.storage import exists, join, read_json, write_json
from corpus.trace import row_of
from tokenizer.index import HELD_OUT
from tokenizer.shards import Shard

_DOCUMENTS = "documents.json"


@dataclass(frozen=True)
class Found:
    """A token and where it comes from.

    Attributes:
        piece: the token as its model writes it.
        step: folder of the step whose documents were tokenised.
        id: of the document.
        part, row: of the document in that step.
        offset: of the token among the document's tokens, where a BOS counts.
    """

    piece: str
    step: str
    id: str
    part: int
    row: int
    offset: int


def write_documents(folder: str, step: str, model: str) -> None:
    """Notes beside the shards which step was tokenised and with which model, for `locate`."""
    write_json(join(folder, _DOCUMENTS), {"step": _relative(step, folder), "model": _relative(model, folder)})


def locate(shard_path: str, position: int) -> Found:
    """The document of the token at `position` of a shard.

    Raises:
        UserError: no such position, or the documents are gone.
        DamagedFile: the shard is not whole.
    """
    shard = Shard(shard_path)
    folder = posixpath.dirname(shard_path)
    if posixpath.basename(folder) == HELD_OUT:
        folder = posixpath.dirname(folder)
    notes = read_json(join(folder, _DOCUMENTS))
    try:
        location = shard.locate(position)
    except IndexError as error:
        raise UserError(f"{error}: give a smaller position") from None
    step, model = (posixpath.normpath(join(folder, notes[key])) for key in ("step", "model"))
    if not exists(step):
        raise UserError(f"{step}, whose documents {shard_path} holds, is gone: run the recipe again")
    pieces = sentencepiece.SentencePieceProcessor(model_file=model)
    document = row_of(StepFolder(step), location.part, location.row)
    return Found(
        pieces.id_to_piece(int(shard.tokens[position])),
        step,
        document["id"][0].as_py(),
        location.part,
        location.row,
        location.offset,
    )


def _relative(path: str, start: str) -> str:
    """`path` from the folder `start`, so that a run can be moved; an URL stays what it is."""
    return path if "://" in path else posixpath.relpath(path, start)
