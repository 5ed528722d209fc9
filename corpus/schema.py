"""A document, its Arrow schema, and where it came from. The contract is docs/format.md."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

FORMAT = 1
"""Stands in every file of ours that has a header or a JSON body; a reader refuses another number."""

BATCH_ROWS = 4000
BATCH_BYTES = 16 << 20

ORIGIN_TYPE = pa.struct(
    [
        pa.field("file", pa.string()),
        pa.field("member", pa.string()),
        pa.field("offset", pa.int64()),
        pa.field("length", pa.int64()),
        pa.field("record", pa.int64()),
    ]
)

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("license", pa.string()),
        pa.field("url", pa.string()),
        pa.field("timestamp", pa.timestamp("ms", tz="UTC")),
        pa.field("origin", ORIGIN_TYPE, nullable=False),
        pa.field("kept_lines", pa.list_(pa.uint32())),
        pa.field("metadata", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Leads back to the raw bytes of a record.

    Attributes:
        file: path below the source's input root, with forward slashes.
        member: name inside an archive, or None.
        offset: first byte of the record in the file (in the decompressed stream of the file or member where
            the file is compressed as a whole), or None where the record is the whole file or member.
        length: bytes from `offset`, or None.
        record: running number of the record in its file, from 0.
    """

    file: str
    member: str | None = None
    offset: int | None = None
    length: int | None = None
    record: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One document as a source makes it. `text` may hold lone surrogates; the batch writer replaces them.

    Attributes:
        records: how many raw records went into it (a question and its answers are several), so that counts add up.
        metadata: JSON-able; written with sorted keys, or null when empty.
    """

    id: str
    text: str
    origin: Origin
    language: str | None = None
    license: str | None = None
    url: str | None = None
    timestamp: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    records: int = 1


@dataclass(frozen=True, slots=True)
class Rejected:
    """One raw record (or `records` of them) that gives no document, and why.

    Attributes:
        reason: snake_case, from a small fixed set for each source: it becomes a counter.
        detail: free text for the sample a person reads.
    """

    origin: Origin
    reason: str
    detail: str = ""
    records: int = 1


def well_formed(text: str) -> str:
    """`text` with every lone surrogate replaced by U+FFFD, so that it can be written as UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # surrogatepass joins valid pairs written as two surrogates before the lone ones are replaced.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def document_batch(documents: list[Document], source: str) -> pa.RecordBatch:
    """Documents of a source as one batch of `SCHEMA`; `kept_lines` is null."""
    columns = [
        pa.array([well_formed(d.id) for d in documents], pa.string()),
        pa.array([well_formed(d.text) for d in documents], pa.large_string()),
        pa.array([source] * len(documents), pa.string()),
        pa.array([d.language for d in documents], pa.string()),
        pa.array([d.license for d in documents], pa.string()),
        pa.array([None if d.url is None else well_formed(d.url) for d in documents], pa.string()),
        pa.array([d.timestamp for d in documents], SCHEMA.field("timestamp").type),
        pa.array([_origin_row(d.origin) for d in documents], ORIGIN_TYPE),
        pa.nulls(len(documents), SCHEMA.field("kept_lines").type),
        pa.array(
            [
                well_formed(json.dumps(d.metadata, sort_keys=True, ensure_ascii=False)) if d.metadata else None
                for d in documents
            ],
            pa.string(),
        ),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def batched(documents: Iterable[Document | pa.RecordBatch], source: str) -> Iterator[pa.RecordBatch]:
    """Batches of at most `BATCH_ROWS` documents and about `BATCH_BYTES` of text, in order; batches pass through."""
    held: list[Document] = []
    size = 0
    for document in documents:
        if isinstance(document, Document):
            held.append(document)
            size += len(document.text)
            if len(held) < BATCH_ROWS and size < BATCH_BYTES:
                continue
        if held:
            yield document_batch(held, source)
            held, size = [], 0
        if isinstance(document, pa.RecordBatch):
            yield document
    if held:
        yield document_batch(held, source)


def _origin_row(origin: Origin) -> dict[str, Any]:
    return {
        "file": well_formed(origin.file),
        "member": None if origin.member is None else well_formed(origin.member),
        "offset": origin.offset,
        "length": origin.length,
        "record": origin.record,
    }
