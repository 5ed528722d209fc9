"""Packed documents as rows of Parquet, which Hugging Face `datasets` opens as it is."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from corpus.parts import write_part
from tokenizer.interop.packed import document_blocks
from tokenizer.shards import Shard


def write(shard: Shard, base: str) -> None:
    """Commits BASE.parquet: a row for each document, with `input_ids` and the part and row it comes from."""
    ids = pa.from_numpy_dtype(shard.header.dtype)
    schema = pa.schema([("input_ids", pa.list_(ids)), ("part", pa.uint64()), ("row", pa.uint32())])
    write_part(f"{base}.parquet", schema, _batches(shard, schema))


def _batches(shard: Shard, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    offsets, documents = shard.document_offsets, shard.counts.documents
    parts = np.repeat(shard.parts[:, 0], np.diff(np.append(shard.parts[:, 1], np.uint64(documents))).astype(np.int64))
    for first, stop in document_blocks(offsets):
        ends = (offsets[first : stop + 1] - offsets[first]).astype(np.int32)
        values = pa.array(shard.read(int(offsets[first]), int(offsets[stop])))
        columns = [
            pa.ListArray.from_arrays(pa.array(ends), values),
            pa.array(parts[first:stop]),
            pa.array(shard.rows[first:stop]),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
