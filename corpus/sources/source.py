"""What a source is."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from corpus.errors import UserError
from corpus.rules import Block
from corpus.schema import Document, Origin, Rejected
from corpus.settings import Settings
from corpus.sources.raw import SPLIT_BYTES, RawFile, Split, file_sizes, group_files, list_files
from corpus.storage import exists


class Source(Settings):
    """Plans raw files into splits and reads one split into documents. Its fields are its settings in a recipe.

    The class docstring says what one raw record of the source is. `read` gives every raw record exactly once, as a
    document or as a `Rejected`; damage costs the records it touches and never raises. A file that cannot be read at
    all is one `Rejected`. Ids are those of docs/format.md; the same bytes give the same documents in the same order.

    Attributes:
        version: raised when the result changes, so that finished steps are done again.
        formats: the raw files that it reads, in a few words.
        text_per_raw: bytes of extracted text in a byte of raw file, for `corpus plan`.
        document_bytes: text of a document, for `corpus plan`.
        ids_from_rows: ids are the data's own, not made from where a record lies. Then two documents with one id and
            other text both stay, and are counted; else the second document with an id is dropped.
        hands_over: a document may be made of rows of several splits: those with rows of others' documents hand them
            over before any split is read.
    """

    version: ClassVar[int] = 1
    formats: ClassVar[str] = ""
    text_per_raw: ClassVar[float] = 1.0
    document_bytes: ClassVar[int] = 3000
    ids_from_rows: ClassVar[bool] = False
    hands_over: ClassVar[bool] = False

    def check(self, root: str) -> None:
        """Says, before anything is read, that there is no such input.

        Raises:
            UserError: there is none.
        """
        if not exists(root):
            raise UserError(f"input {root} does not exist: set `input` to the folder that holds the raw files")

    def files(self, root: str, include: Sequence[str]) -> list[RawFile]:
        """The raw files below `root` that match a pattern of `include`, in a fixed order.

        Raises:
            UserError: there is none.
        """
        return list_files(root, include)

    def raw_bytes(self, root: str, include: Sequence[str]) -> float | None:
        """How many bytes of raw files there are, for `corpus plan`; None where it is not known."""
        return float(sum(file_sizes(root, include).values())) if exists(root) else None

    def splits(self, files: Sequence[RawFile], split_bytes: int = SPLIT_BYTES) -> list[Split]:
        """Splits of about `split_bytes` of text in a fixed order; split N becomes part N. Every file is in a split,
        also one that `read` will reject. Here: whole files together."""
        return group_files(files, split_bytes)

    @abstractmethod
    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        """Documents and rejected records, in the order of the raw bytes as far as a document is one record."""

    def hand_over(self, root: str, splits: Sequence[Split], number: int) -> Iterator[Block]:
        """Rows of split `number` for other splits, each block with the number of the split it is for, all of one
        schema. A split hands at least one row to itself too, since it is read only when it was handed some."""
        raise NotImplementedError

    def read_handed(self, root: str, split: Split, handed: Iterable[pa.RecordBatch]) -> Iterator[Document | Rejected]:
        """`read`, with the blocks that were handed to the split, which come in no particular order."""
        return self.read(root, split)

    def read_batches(self, root: str, split: Split, source: str) -> Iterator[Document | Rejected | pa.RecordBatch]:
        """What extract reads: as `read`, but documents may come many at a time, as batches of `SCHEMA`.

        Args:
            source: their source's name in the recipe.
        """
        return self.read(root, split)

    def second_id(self, document: dict[str, Any]) -> str | None:
        """Another id for a document whose id one before it has; None where the id says that they are the same.

        For ids that the source makes of something that can come again, as a URL; with `ids_from_rows`.

        Args:
            document: its row, by column.
        """
        return None

    @abstractmethod
    def raw(self, root: str, origin: Origin) -> bytes:
        """The raw bytes of one record (decompressed), for `corpus trace`."""
