"""Megatron-LM's indexed dataset: NAME.bin holds the ids, NAME.idx where sequences and documents begin.

Written and read as `megatron/core/datasets/indexed_dataset.py` of Megatron core 0.16 does, all little-endian:
"MMIDIDX\\0\\0", u64 version 1, u8 code of the type, u64 sequences, u64 entries of the document index, then i32 lengths
of the sequences in tokens, i64 places of the sequences in NAME.bin in bytes, i64 document index: the first sequence of
each document, and the number of sequences.
"""

import re
import struct
from typing import Any

import numpy as np

from corpus.errors import DamagedFile, UserError
from corpus.storage import commit
from tokenizer.interop.packed import Packed, map_bytes, write_array, write_tokens
from tokenizer.shards import Shard

_HEADER = struct.Struct("<9sQBQQ")
_MAGIC = b"MMIDIDX\0\0"
_DTYPES = {1: "<u1", 2: "<i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}


def write(shard: Shard, base: str) -> None:
    """Commits BASE.bin and then BASE.idx. Every document is one sequence.

    Ids of a vocabulary above 65,536 become int32, as Megatron has no uint32.
    """
    code = 8 if shard.header.dtype.itemsize == 2 else 4
    documents = shard.counts.documents
    commit(f"{base}.bin", lambda sink: write_tokens(sink, shard, _DTYPES[code]))

    def index(sink: Any) -> None:
        sink.write(_HEADER.pack(_MAGIC, 1, code, documents, documents + 1))
        write_array(sink, np.diff(shard.document_offsets), "<i4")
        write_array(sink, shard.document_offsets[:-1] * np.uint64(shard.header.dtype.itemsize), "<i8")
        write_array(sink, np.arange(documents + 1), "<i8")

    commit(f"{base}.idx", index)


def read(path: str) -> Packed:
    """Opens a pair by the path of either file, or without ending, as Megatron takes it.

    Raises:
        UserError: a file is missing; ids that are no integers; documents are not marked, or not in order.
        DamagedFile: the index is cut short, or does not fit the ids.
    """
    base = re.sub(r"\.(bin|idx)$", "", path)
    index_path, path = f"{base}.idx", f"{base}.bin"
    data = map_bytes(index_path)
    if len(data) < _HEADER.size or data[: len(_MAGIC)].tobytes() != _MAGIC:
        raise DamagedFile(f"{index_path} is not the index of a Megatron dataset: its first bytes are wrong")
    _, version, code, sequences, entries = _HEADER.unpack(data[: _HEADER.size].tobytes())
    if version != 1 or code not in _DTYPES:
        raise UserError(
            f"{index_path} has version {version} and type {code}; known are version 1 and types of integers"
        )
    ends = np.cumsum([_HEADER.size, 4 * sequences, 8 * sequences, 8 * entries])
    if len(data) < ends[-1]:
        raise DamagedFile(f"{index_path} is cut short: it has {len(data)} bytes of {ends[-1]}")
    lengths, places, documents = (
        data[start:stop].view(dtype)
        for start, stop, dtype in zip(ends[:-1], ends[1:], ("<i4", "<i8", "<i8"), strict=True)
    )
    tokens = map_bytes(path)
    width = np.dtype(_DTYPES[code]).itemsize
    starts = np.zeros(sequences + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    if (lengths < 0).any() or starts[-1] * width != len(tokens):
        raise DamagedFile(f"{path} has {len(tokens)} bytes and {index_path} lists {starts[-1]} ids of {width}")
    if (places != starts[:-1] * width).any():
        raise UserError(
            f"{index_path} names sequences in another order than that of {path}: merge it with Megatron first"
        )
    if not entries or documents[0] != 0 or documents[-1] != sequences or (documents[1:] < documents[:-1]).any():
        raise UserError(f"{index_path} does not say which sequences are a document: its document index has {entries}")
    return Packed(path, tokens.view(_DTYPES[code]), starts[documents])
