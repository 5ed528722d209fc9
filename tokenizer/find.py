"""From documents to their tokens, and from these to the sequences of a run: the way of `tokenizer.trace` backwards."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from corpus.storage import join
from tokenizer.index import read_index
from tokenizer.mixture import Indices, Mixture
from tokenizer.remote import open_shard
from tokenizer.shards import Shard


@dataclass(frozen=True)
class DocumentTokens:
    """Where the tokens of one document lie.

    Attributes:
        part, row: of the document, in the step that was tokenised.
        shard: path.
        first, count: tokens `first` to `first` + `count` - 1 of the shard.
        position: of the first among all tokens to train on of the folder; None where the document is held out.
    """

    part: int
    row: int
    shard: str
    first: int
    count: int
    position: int | None


def find_tokens(folder: str, places: Collection[tuple[int, int]]) -> Iterator[DocumentTokens]:
    """The tokens of the documents at (part, row), in the order of shards. One that is not there is left out.

    Raises:
        UserError, DamagedFile: a shard is missing or damaged.
    """
    index = read_index(folder)
    wanted = sorted(places)
    position = 0
    for entries, is_held_out in ((index.shards, False), (index.heldout, True)):
        for entry in entries if wanted else ():
            shard = open_shard(join(folder, entry.name))
            for part, row in wanted:
                document = _document(shard, part, row)
                if document is not None:
                    first, stop = (int(shard.document_offsets[document + after]) for after in (0, 1))
                    where = None if is_held_out else position + first
                    yield DocumentTokens(part, row, shard.path, first, stop - first, where)
            position += entry.tokens


def _document(shard: Shard, part: int, row: int) -> int | None:
    """The number in a shard of a document, or None."""
    span = int(np.searchsorted(shard.parts[:, 0], np.uint64(part)))
    if span == len(shard.parts) or shard.parts[span, 0] != part:
        return None
    start = int(shard.parts[span, 1])
    stop = int(shard.parts[span + 1, 1]) if span + 1 < len(shard.parts) else shard.counts.documents
    document = start + int(np.searchsorted(shard.rows[start:stop], np.uint32(row)))
    return document if document < stop and shard.rows[document] == row else None


def sequences_with(mixture: Mixture, source: int, position: int, count: int) -> Indices:
    """The sequences of a run, ascending, that hold one of the tokens `position` to `position` + `count` - 1 of a source
    (its number in the mixture), as a token to learn from or as the last label."""
    length = mixture.sequence_length
    first = max(0, -(-position // length) - 1)
    last = min(mixture.available[source] - 1, (position + count - 1) // length)
    sequences = np.arange(first, last + 1 if count else first)
    epochs = -(-mixture.schedule.counts(mixture.sequences)[source] // mixture.available[source])
    found = [mixture.positions(source, epoch, sequences) for epoch in range(epochs)]
    everywhere = np.sort(np.concatenate([np.empty(0, np.int64), *found]))
    return everywhere[everywhere < mixture.sequences]
