"""What a cleaner, a filter and a dedup are: protocols, and the values they return.

A rule is a frozen `Settings` class whose fields are its settings. It is found by the name the recipe gives it
(`corpus.recipe.RULES`). `version` is raised when the result of the rule changes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import pyarrow as pa


class Cleaned(NamedTuple):
    """What a cleaner, or the `apply` of a dedup, makes of a batch. Every array has one row for each input row.

    Attributes:
        text: large_string, the new text; what stands in a dropped row is ignored.
        reason: string, null where the row is kept, else a short snake_case reason.
        kept_lines: list<uint32> of line numbers kept of the input text, or None where the rule does not remove
            whole lines.
    """

    text: pa.Array
    reason: pa.Array
    kept_lines: pa.Array | None = None


class Cleaner(Protocol):
    """Rewrites text."""

    version: ClassVar[int]

    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        """`batch` has the document schema. Must not depend on how documents are grouped into batches."""


class Filter(Protocol):
    """Scores text, then decides. Scores are stored, so that another threshold does not score again.

    `thresholds` names the fields that only `decide` reads.
    """

    version: ClassVar[int]
    thresholds: ClassVar[frozenset[str]]

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Flat score columns, one row for each document, floats already rounded to the digits the rule states.

        A column named as a document column (`language`) is also written into the document.
        """

    def decide(self, scores: pa.RecordBatch) -> pa.Array:
        """String array: null where the document is kept, else a short snake_case reason."""


@dataclass(frozen=True)
class PartRef:
    """One part as a dedup sees it.

    Attributes:
        index: number of the part among all parts of the step (of all sources, for a step across sources).
        priority: of its source; the lower wins.
        group: the snapshot it belongs to, or ""; line dedup works within a group.
    """

    index: int
    priority: int = 0
    group: str = ""


Block = tuple[int, pa.RecordBatch]
"""(partition, narrow columnar block). Partitions count from 0. All blocks of one exchange share one schema."""


@dataclass(frozen=True)
class Round:
    """One regrouping of a dedup.

    Attributes:
        decide: called once for each partition that got a block, as `decide(blocks, partitions)` with all blocks
            of the partition in no particular order, and the number of partitions of the next round; gives blocks
            for the next round. The last round gives decisions keyed by part index.
        partitions: how many partitions this round regroups into; None = from the estimated bytes.
    """

    decide: Callable[[Sequence[pa.RecordBatch], int], Iterator[Block]]
    partitions: int | None = None


class Dedup(Protocol):
    """Signs parts, decides by partition, applies the decisions to each part again.

    `sign` and the `Round.decide` functions must be picklable (methods of the rule, or module functions).
    The result may depend on nothing but the documents: never on the order of blocks or the number of partitions.
    """

    version: ClassVar[int]

    def estimate(self, documents: int, text_bytes: int) -> int:
        """Bytes that `sign` will give for this much input: the number of partitions follows from it."""

    def sign(self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        """Blocks for the first round. Row numbers count from 0 at the first batch of the part."""

    def rounds(self) -> Sequence[Round]:
        """The rounds in order, at least one."""

    def apply(self, batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> Cleaned:
        """`batch` starts at row `first_row` of its part. `decisions`: what the last round gave for this part, in no
        particular order, or None when it gave nothing."""


class Winner(NamedTuple):
    """Order in which copies compete; the lowest is kept. Never arrival order."""

    priority: int
    id_hash: int
    part: int
    row: int
