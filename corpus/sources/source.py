"""What a source is."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Protocol

from corpus.schema import Document, Origin, Rejected
from corpus.sources.raw import SPLIT_BYTES, RawFile, Split


class Source(Protocol):
    """Plans raw files into splits and reads one split into documents. A frozen `Settings` class.

    The class docstring says what one raw record of the source is. `read` gives every raw record exactly once, as a
    document or as a `Rejected`; damage costs the records it touches and never raises. A file that cannot be read at
    all is one `Rejected`. Ids are those of docs/format.md; the same bytes give the same documents in the same order.
    """

    name: ClassVar[str]
    version: ClassVar[int]

    def plan(self, files: Sequence[RawFile], split_bytes: int = SPLIT_BYTES) -> list[Split]:
        """Splits of about `split_bytes` of text in a fixed order; split N becomes part N. Every file is in a split,
        also one that `read` will reject."""

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        """Documents and rejected records in the order of the raw bytes."""

    def raw(self, root: str, origin: Origin) -> bytes:
        """The raw bytes of one record (decompressed), for `corpus trace`."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """The settings, as `Settings` gives them."""
