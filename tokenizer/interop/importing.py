"""A token folder from packed tokens of another format."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.errors import UserError
from corpus.storage import clear_attempts, commit, digest_of, exists, join, names, read_json, write_json
from tokenizer.encode import Encoder
from tokenizer.index import IndexedShard, TokenIndex, shard_name, sidecar_path, write_index
from tokenizer.interop import datatrove, megatron
from tokenizer.interop.packed import Packed, document_blocks
from tokenizer.model import SPACE, ModelFile, PieceType, read_model
from tokenizer.shards import ShardCounts, ShardHeader, ShardWriter
from tokenizer.trace import write_imported

READERS: Mapping[str, Callable[[str], Packed]] = {"megatron": megatron.read, "datatrove": datatrove.read}
"""Name of a format -> opens one file of it."""

NO_DATASET = "00" * 32
"""Stands in a shard's header for the step that its documents come from, where there is none."""


def import_files(
    files: Sequence[str], output: str, format: str, model: str, say: Callable[[str], None] = print
) -> TokenIndex:
    """Makes a token folder of which shard N holds the documents of file N. A shard that is finished is left.

    No document is held out. Document ids and text are not known: part N and row R stand for document R of file N, and
    the bytes of text are those that the ids decode to.

    Args:
        files: local paths.
        output: the token folder, anywhere fsspec reaches.
        model: local path of the SentencePiece model that the ids are of.
        say: takes one line for each shard.

    Raises:
        UserError: no such format; a file or the model cannot be read; an id beyond the model's pieces; `output` holds
            something else.
        DamagedFile: a file is damaged.
    """
    if format not in READERS:
        raise UserError(f"--format {format} is unknown: known are {', '.join(READERS)}")
    packed = [READERS[format](path) for path in files]
    encoder, pieces = Encoder(model), _PieceBytes(read_model(model))
    header = ShardHeader(
        encoder.vocab_size,
        encoder.sha256,
        NO_DATASET,
        _everywhere(packed, encoder.bos_id, first=True),
        _everywhere(packed, encoder.eos_id, first=False),
    )
    identities = [_identity(header, packed_file) for packed_file in packed]
    for name in names(join(output, "meta")):
        if name.endswith(".json"):  # not what a killed attempt left
            body = read_json(join(output, "meta", name))
            if body["identity"] not in identities[body["part"] : body["part"] + 1]:
                raise UserError(f"{output} holds other shards ({name}): name another folder, or remove it")
    for number, (packed_file, identity) in enumerate(zip(packed, identities, strict=True)):
        path = join(output, shard_name(number))
        if exists(sidecar_path(output, number)) and exists(path):
            say(f"{path} was done")
            continue
        counts = _import(packed_file, number, output, header, identity, pieces)
        say(f"{path} done: {counts.documents:,} documents, {counts.tokens:,} tokens of {packed_file.path}")
    clear_attempts(output)
    write_imported(output, [packed_file.path for packed_file in packed], model)
    return write_index(output, len(packed))


def _identity(header: ShardHeader, packed_file: Packed) -> str:
    status = os.stat(packed_file.path)
    documents = hashlib.sha256(packed_file.offsets.data).hexdigest()  # which stand in a file of their own
    file = [os.path.abspath(packed_file.path), status.st_size, status.st_mtime_ns, documents]
    return digest_of({"header": asdict(header), "file": file})


def _everywhere(packed: Sequence[Packed], piece: int, first: bool) -> int:
    """`piece` where it is the first (or last) id of every document of every file, else -1."""
    for packed_file in packed:
        starts, stops = packed_file.offsets[:-1], packed_file.offsets[1:]
        if (starts == stops).any() or (packed_file.tokens[starts if first else stops - 1] != piece).any():
            return -1
    return piece


def _import(
    packed_file: Packed, number: int, output: str, header: ShardHeader, identity: str, pieces: "_PieceBytes"
) -> ShardCounts:
    counts: list[ShardCounts] = []

    def write(sink: Any) -> None:
        writer = ShardWriter(sink, header)
        for first, stop in document_blocks(packed_file.offsets):
            offsets = packed_file.offsets[first : stop + 1]
            ids = packed_file.tokens[offsets[0] : offsets[-1]]
            for wrong in (int(ids.min()), int(ids.max())) if ids.size else ():
                if not 0 <= wrong < header.vocab_size:
                    raise UserError(
                        f"{packed_file.path} has the id {wrong}, and the tokenizer {header.vocab_size} pieces: "
                        "give the model that made the file"
                    )
            tokens = ids.astype(header.dtype)
            offsets = offsets - offsets[0]
            writer.write(
                number, np.arange(first, stop, dtype=np.uint32), tokens, offsets, pieces.count(tokens, offsets)
            )
        counts.append(writer.close())

    name = shard_name(number)
    digest = commit(join(output, name), write)
    (done,) = counts
    write_json(
        sidecar_path(output, number),
        {
            "identity": identity,
            "part": number,
            "parts": [number],
            "header": asdict(header),
            "heldout_one_in": 0,
            "shard": asdict(IndexedShard(name, done.tokens, done.documents, done.text_bytes, digest)),
        },
    )
    return done


class _PieceBytes:
    """How many bytes of text ids decode to."""

    def __init__(self, model: ModelFile) -> None:
        self._bytes = np.array([_decoded(*piece) for piece in zip(model.pieces, model.types, strict=True)], np.int64)
        self._space = np.array([piece.startswith(SPACE) for piece in model.pieces]) & model.add_dummy_prefix

    def count(self, tokens: npt.NDArray[Any], offsets: npt.NDArray[np.int64]) -> int:
        """Of documents tokens[offsets[d]:offsets[d + 1]], without the space that encoding puts in front of each."""
        if not len(tokens):
            return 0
        heads = offsets[:-1].clip(max=len(tokens) - 1)
        heads = heads + (self._bytes[tokens[heads]] == 0)  # the first id with text stands behind a BOS
        heads = heads[heads < offsets[1:]]
        counts = np.bincount(tokens, minlength=len(self._bytes))
        return int(counts @ self._bytes) - int(self._space[tokens[heads]].sum())


def _decoded(piece: str, kind: PieceType) -> int:
    match kind:
        case PieceType.CONTROL:
            return 0
        case PieceType.BYTE:
            return 1
        case PieceType.UNKNOWN:
            return len(" \u2047 ".encode())
        case _:
            return len(piece.replace(SPACE, " ").encode())
