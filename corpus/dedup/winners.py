"""The order in which near duplicates compete: source, then a stated preference, then the hash of the id."""

import json
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import StringConstraints

from corpus.dedup.blocks import document_columns
from corpus.rules import PartRef
from corpus.text.buffers import text_buffers

Prefer = Annotated[str, StringConstraints(pattern=r"^(longest|newest|metadata\..+)$")]
"""Of documents of one source: the one with the most bytes of text, the latest `timestamp`, or the highest number under
a key of its metadata. Documents without come last."""

MOST_SOURCES = 256
"""The order of so many can be told from `short`; those after them come last together."""

_WORST = 0xFFFFFFFF


def reads(prefer: Prefer | None) -> tuple[str, ...]:
    """The document columns that `competitors` looks at."""
    return "id", "text", *(("timestamp",) if prefer == "newest" else ()), *(("metadata",) if _key(prefer) else ())


def competitors(part: PartRef, batch: pa.RecordBatch, first_row: int, prefer: Prefer | None) -> dict[str, Any]:
    """The columns of `corpus.rules.Winner` for each row, the lowest wins: `priority` (int64) holds the source's in its
    upper half, the preference in its lower. `short` (uint32) are the first bits of all that.

    Args:
        batch: documents, or what an index keeps of them: `id` and `preference`.
    """
    documents = document_columns(part, batch, first_row)
    preference = batch.column("preference").to_numpy() if part.kept else preferences(batch, prefer)
    documents["priority"] = np.int64(part.priority) << 32 | preference.astype(np.int64)
    short = preference >> np.uint32(8) if prefer else (documents["id_hash"] >> np.uint64(40)).astype(np.uint32)
    documents["short"] = np.uint32(min(part.priority, MOST_SOURCES - 1)) << np.uint32(24) | short
    return documents


def preferences(batch: pa.RecordBatch, prefer: Prefer | None) -> npt.NDArray[np.uint32]:
    """What each document has of what is preferred, the lowest wins; uint32, (rows,)."""
    if prefer is None:
        return np.zeros(batch.num_rows, np.uint32)
    if prefer == "newest":
        times = batch.column("timestamp")
        seconds = np.asarray(pc.fill_null(times.cast(pa.int64()), 0)) // 1000
        late = _WORST - 1 - seconds.clip(0, _WORST - 1)
        return np.where(np.asarray(times.is_valid()), late, _WORST).astype(np.uint32)
    if prefer == "longest":
        return _falling(np.diff(text_buffers(batch.column("text"))[1]).astype(np.float32))
    scores = [_number(metadata, _key(prefer)) for metadata in batch.column("metadata").to_pylist()]
    return _falling(np.array(scores, np.float32))


def _key(prefer: Prefer | None) -> str:
    """The key of the metadata that is looked at, or ""."""
    return (prefer or "").partition("metadata.")[2]


def _number(metadata: str | None, key: str) -> float:
    found = json.loads(metadata).get(key) if metadata else None
    return found if isinstance(found, int | float) and found == found else -np.inf


def _falling(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint32]:
    """Numbers that fall as the values rise."""
    bits = (values + np.float32(0)).view(np.uint32)  # no negative zero
    return ~np.where(bits >> np.uint32(31) != 0, ~bits, bits | np.uint32(1 << 31))
