"""datatrove's tokenised files: NAME.ds is the ids alone, NAME.ds.index where each document ends (u64, in tokens), and
NAME.ds.metadata says in text which tokenizer made them, of how many bytes, how many ids there are.

Written and read as `datatrove/pipeline/tokens/tokenizer.py` of datatrove 0.10 does, all little-endian.
"""

import re
from typing import Any

import numpy as np

from corpus.errors import DamagedFile
from corpus.storage import commit
from tokenizer.interop.packed import Packed, map_bytes, write_array, write_tokens
from tokenizer.shards import Shard


def write(shard: Shard, base: str) -> None:
    """Commits BASE.ds, BASE.ds.metadata and then BASE.ds.index. The tokenizer is named by its SHA-256."""
    tokens, width = shard.counts.tokens, shard.header.dtype.itemsize
    commit(f"{base}.ds", lambda sink: write_tokens(sink, shard))

    def metadata(sink: Any) -> None:
        sink.write(f"{shard.header.tokenizer}|{width}\n{tokens}\n{tokens / 1e6:.3g} MT".encode())

    commit(f"{base}.ds.metadata", metadata)
    commit(f"{base}.ds.index", lambda sink: write_array(sink, shard.document_offsets[1:]))


def read(path: str) -> Packed:
    """Opens a file by the path of its ids or of its index. Losses (NAME.ds.loss) are left aside.

    Raises:
        UserError: a file is missing.
        DamagedFile: the index does not fit the ids.
    """
    path = re.sub(r"\.index$", "", path)
    index = map_bytes(f"{path}.index")
    tokens = map_bytes(path)
    offsets = np.zeros(len(index) // 8 + 1, np.int64)
    offsets[1:] = index[: len(index) // 8 * 8].view("<u8")
    # Nothing in the file says how wide an id is: the index does, by how many there are.
    width = len(tokens) // int(offsets[-1]) if offsets[-1] else 2
    fits = len(index) % 8 == 0 and width in (2, 4) and offsets[-1] * width == len(tokens)
    if not fits or (offsets[1:] < offsets[:-1]).any():
        raise DamagedFile(
            f"{path} has {len(tokens)} bytes, and its index lists {offsets[-1]} ids of 2 or 4 bytes: copy both again"
        )
    return Packed(path, tokens.view(f"<u{width}"), offsets)
