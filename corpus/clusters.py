"""The largest clusters of near duplicates that a finished step dropped."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from corpus.dataset import StepFolder
from corpus.dedup.components import components, node_of, part_of, row_of
from corpus.errors import UserError
from corpus.parts import read_part
from corpus.storage import exists, read_json

PARTNER = "partner_part", "partner_row"


@dataclass(frozen=True)
class Cluster:
    """Documents of which one stayed.

    Attributes:
        documents: how many went, and the one that stayed.
        id: of the one for which most of them went.
        least, most: similarity of those that went to the one for which they did.
        gone: part and row, as the dedup counts them, of the document that went for it and is the least like it.
        stayed: its own part and row.
    """

    documents: int
    id: str
    least: float
    most: float
    gone: tuple[int, int]
    stayed: tuple[int, int]


def largest_clusters(folders: Sequence[StepFolder], limit: int) -> list[Cluster]:
    """The largest clusters among what a dedup dropped, largest first; about 200 bytes of memory a document dropped.

    Args:
        folders: of one source, or those of one dedup across sources.

    Raises:
        UserError: a step has no near or overlap dedup.
    """
    tables = [table for folder in folders for table in _decisions(folder)]
    if not tables:
        return []
    found = pa.concat_tables(tables).combine_chunks()
    gone, partner, score = (found.column(name).to_numpy() for name in ("node", "partner_node", "score"))
    nodes, place = np.unique(np.concatenate([partner, gone]), return_inverse=True)
    label = components(len(nodes), place[: len(gone)], place[len(gone) :])
    labels, documents = np.unique(label, return_counts=True)
    clusters = []
    for chosen in np.lexsort((labels, -documents))[:limit]:
        rows = np.flatnonzero(label[place[: len(gone)]] == labels[chosen])
        _, first, times = np.unique(partner[rows], return_index=True, return_counts=True)
        some = int(rows[first[np.argmax(times)]])
        name = found.column("partner")[some].as_py()
        for_it = rows[partner[rows] == partner[some]]
        pair = np.array([gone[for_it[np.argmin(score[for_it])]], partner[some]])
        places = zip(part_of(pair).tolist(), row_of(pair).tolist(), strict=True)
        least, most = float(score[rows].min()), float(score[rows].max())
        clusters.append(Cluster(int(documents[chosen]), name, least, most, *places))
    return clusters


def names_partners(folders: Sequence[StepFolder]) -> bool:
    """Whether the dedup of some steps dropped something and says for which document: `near` and `overlap` do."""
    for folder in folders:
        for part in folder.parts() if folder.manifest()["dedup"] else ():
            if exists(path := folder.meta("dedup", part.number)):
                return "partner" in next(read_part(path)).schema.names
    return False


def _decisions(folder: StepFolder) -> Sequence[pa.Table]:
    """What was decided for each part, with the nodes of both documents."""
    if folder.manifest()["dedup"] is None:
        raise UserError(f"{folder.path} has no dedup: name a step of near or overlap")
    tables = []
    first = read_json(folder.dedup_index)["first"]
    for part in folder.parts():
        path = folder.meta("dedup", part.number)
        if exists(path):
            table = pa.Table.from_batches(list(read_part(path)))
            if "partner" not in table.schema.names:
                raise UserError(f"{folder.path} does not say what is like what: name a step of near or overlap")
            row, partner_part, partner_row = (table.column(name).to_numpy() for name in ("row", *PARTNER))
            table = table.append_column("node", pa.array(node_of(first + part.number, row)))
            tables.append(table.append_column("partner_node", pa.array(node_of(partner_part, partner_row))))
    return tables
