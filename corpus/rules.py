"""What a cleaner, a filter and a dedup are, and the values they return.

A rule is a frozen `Settings` class: its fields are its settings, its docstring says what it does and where each number
comes from. Everything else about it is said by the class too, and has a default that a new rule can do with.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from corpus.schema import SCHEMA
from corpus.settings import IndexFolder, Settings
from corpus.thresholds import check_order, compare, thresholds_of


class Rule(Settings):
    """What every rule says of itself.

    Attributes:
        version: raised when the result changes, so that finished steps are done again.
        keeps: the share of the text that it is expected to keep, for `corpus plan` before anything was run.
        reasons: that it drops documents for; a filter's thresholds name theirs themselves.
        shows_dropped: whether a step's samples hold some of the documents that it drops.
    """

    version: ClassVar[int] = 1
    keeps: ClassVar[float] = 1.0
    reasons: ClassVar[tuple[str, ...]] = ()
    shows_dropped: ClassVar[bool] = True


class Cleaned(NamedTuple):
    """What a cleaner, or the `apply` of a dedup, makes of a batch. Every array has one row for each input row.

    Attributes:
        text: large_string, the new text; what stands in a dropped row is ignored.
        reason: string, null where the row is kept, else a short snake_case reason.
        kept_lines: list<uint32> of line numbers kept of the input text, or None where the rule does not remove
            whole lines.
        counts: flat columns of what was removed from each document, which are stored beside the scores of filters so
            that a report can show outliers; None where the rule counts nothing.
    """

    text: pa.Array
    reason: pa.Array
    kept_lines: pa.Array | None = None
    counts: pa.RecordBatch | None = None


class Cleaner(Rule):
    """Rewrites text."""

    @abstractmethod
    def clean(self, batch: pa.RecordBatch) -> Cleaned:
        """`batch` has the document schema. Must not depend on how documents are grouped into batches."""


class Filter(Rule):
    """Scores text, then decides. Scores are stored, so that another threshold does not score again.

    A field that only `decide` reads is marked as a threshold where it stands (`corpus.thresholds`).

    Attributes:
        reads: the document columns that `score` looks at. A filter that says it is only the text keeps its stored
            scores when a filter before it writes another column in another way (`language`).
        other_scores: columns of `score` that no threshold names.
    """

    reads: ClassVar[tuple[str, ...]] = tuple(SCHEMA.names)
    other_scores: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _can_keep_something(self) -> Self:
        check_order(self)
        return self

    @abstractmethod
    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Flat score columns, one row for each document, floats already rounded to the digits the rule states.

        A column named as a document column (`language`) is also written into the document.
        """

    def decide(self, scores: pa.RecordBatch) -> pa.Array:
        """String array: null where the document is kept, else a short snake_case reason. Here: that of the first
        threshold, in the order of the fields, that it is on the wrong side of."""
        return compare(self, scores)

    @classmethod
    def threshold_fields(cls) -> frozenset[str]:
        """The fields that leave the scores as they are."""
        return frozenset(threshold.field for threshold in thresholds_of(cls))

    @classmethod
    def score_names(cls) -> tuple[str, ...]:
        """The columns of `score`: those that thresholds name, then the others."""
        named = [threshold.mark.score for threshold in thresholds_of(cls)]
        return tuple(dict.fromkeys([*named, *cls.other_scores]))


@dataclass(frozen=True)
class PartRef:
    """One part as a dedup sees it.

    Attributes:
        index: number of the part among all parts of the step (of all sources, for a step across sources).
        priority: of its source; the lower wins.
        group: the snapshot it belongs to, or ""; line dedup works within a group.
        kept: it is of an index: in place of its documents there is what the index keeps of them (`Memory`).
    """

    index: int
    priority: int = 0
    group: str = ""
    kept: bool = False


Block = tuple[int | npt.NDArray[np.integer[Any]], pa.RecordBatch]
"""(partition of all its rows, or of each row; narrow columnar block). Partitions count from 0. All blocks of one
exchange share one schema. Rows that are not yet cut by partition cost least: `Exchange` cuts those of many parts at
once, and a block for each part and partition would cost by their number, not by bytes."""


@dataclass(frozen=True)
class Round:
    """One regrouping of a dedup.

    Attributes:
        decide: called once for each partition that got a block, as `decide(blocks, partitions)` with all blocks
            of the partition in no particular order, each with rows of one part or of several, and the number of
            partitions of the next round; gives blocks for the next round. The last round gives decisions keyed by
            part index.
        partitions: how many partitions this round regroups into; None = from the estimated bytes.
    """

    decide: Callable[[Sequence[pa.RecordBatch], int], Iterator[Block]]
    partitions: int | None = None


@dataclass(frozen=True)
class Reread:
    """A turn between two rounds in which parts read their documents again, with answers in hand: the round before it
    gives blocks keyed by part index, as the last round does.

    Attributes:
        answer: called once for each part that got a block, as `answer(part, batches, blocks, partitions)`: the part's
            documents as in `sign`, all its blocks in no particular order, and the number of partitions of the next
            round; gives blocks for that. Documents that are not asked for need not be read.
        columns: of the documents, that it looks at.
        kept: columns of what an index keeps of a part (`Memory`), that it looks at where the part is of an index.
    """

    answer: Callable[[PartRef, Iterator[pa.RecordBatch], Sequence[pa.RecordBatch], int], Iterator[Block]]
    columns: tuple[str, ...] = tuple(SCHEMA.names)
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Memory:
    """What a dedup keeps of the parts that it saw, so that later documents are compared with them without their text.

    What is decided of the later documents must be what is decided of them when all are compared at once, those of the
    index first. So nothing that is decided of documents may depend on those that come after them.

    Attributes:
        schema: of what an index keeps.
        columns: of the documents, that `keep` looks at.
        keep: called as `keep(part, batches, decisions)` when all is decided: the part's documents as in `sign`, and
            what was decided for it, or None; gives what the index keeps of the part.
        sign: called as `sign(part, kept, partitions)` with what `keep` gave, in place of `Dedup.sign`.
        most_sources: that may come one after another, where the dedup cannot tell the order of more; 0 = any number.
    """

    schema: pa.Schema
    columns: tuple[str, ...]
    keep: Callable[[PartRef, Iterator[pa.RecordBatch], pa.Table | None], Iterator[pa.RecordBatch]]
    sign: Callable[[PartRef, Iterator[pa.RecordBatch], int], Iterator[Block]]
    most_sources: int = 0


class Dedup(Rule):
    """Signs parts, decides by partition, applies the decisions to each part again.

    `sign` and the functions of `rounds` must be picklable (methods of the rule, or module functions).
    The result may depend on nothing but the documents: never on the order of blocks or the number of partitions.

    Attributes:
        removes: whole documents, of which one copy stays, or lines or passages of documents.
        names_partners: its decisions say for which document another one goes.
        spills: in words, the bytes that `shipped` counts.
        against: folder of an index of documents seen before; they come first, and their text is not read.
        index: folder for an index of all documents seen, those of `against` among them, to go against later.
    """

    removes: ClassVar[Literal["documents", "lines", "passages"]] = "documents"
    names_partners: ClassVar[bool] = False
    spills: ClassVar[str] = "40 B x documents"

    # Not dumped with the settings: an index counts by its digest, wherever it is.
    against: IndexFolder = Field(default=None, exclude=True)
    index: str | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _can_remember(self) -> Self:
        if self.against is None and self.index is None:
            return self
        if isinstance(why := self.memory(), str):
            raise ValueError(f"no index can be kept: {why}")
        if self.against == self.index:
            raise ValueError(f"`index` is the folder of `against`, {self.index}: name another one")
        return self

    @property
    def rewrites(self) -> bool:
        """Whether it changes texts that stay."""
        return self.removes != "documents"

    @property
    def only_reports(self) -> bool:
        """Whether it neither drops nor changes anything."""
        return False

    def memory(self) -> Memory | str:
        """What an index keeps, or why none can be kept: in words that follow "no index can be kept: "."""
        return "this rule says nothing of what later documents could be compared with"

    def estimate(self, documents: int, text_bytes: int) -> int:
        """Bytes that `sign` will give for this much input: the number of partitions follows from it."""
        return documents * 40

    def shipped(self, documents: int, text_bytes: int) -> int:
        """Bytes that go through all regroupings together, for `corpus plan`: those of `sign`, and what rounds add where
        that is not little beside them."""
        return self.estimate(documents, text_bytes)

    @abstractmethod
    def sign(self, part: PartRef, batches: Iterator[pa.RecordBatch], partitions: int) -> Iterator[Block]:
        """Blocks for the first round. Row numbers count from 0 at the first batch of the part."""

    @abstractmethod
    def rounds(self) -> Sequence[Round | Reread]:
        """What happens between `sign` and `apply`, in order; begins with a round."""

    @abstractmethod
    def apply(self, batch: pa.RecordBatch, first_row: int, decisions: pa.Table | None) -> Cleaned:
        """`batch` starts at row `first_row` of its part. `decisions`: what the last round gave for this part, in no
        particular order, or None when it gave nothing."""


class Winner(NamedTuple):
    """Order in which copies compete; the lowest is kept. Never arrival order."""

    priority: int
    id_hash: int
    part: int
    row: int
