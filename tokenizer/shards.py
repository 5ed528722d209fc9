"""Packed shards: tokens, where documents start, and which row of which part each came from. docs/tokens.md."""

import hashlib
import mmap
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from corpus.errors import DamagedFile, UserError
from corpus.schema import FORMAT
from tokenizer.encode import Tokens, token_dtype

MAGIC = b"\x89TOKENS\n"
END_MAGIC = b"\nSNEKOT\x89"
HEADER_BYTES = 4096
FOOTER_BYTES = 4096
BLOCK_BYTES = 1 << 20
_VERIFIED_BLOCKS = 8

# magic, format, header bytes, bytes a token, vocabulary, bos, eos, sha256 of the tokenizer, digest of the documents
_HEADER = struct.Struct("<8sIIIIii32s32s")
# tokens, documents, parts, text bytes, checksums
_FOOTER = struct.Struct("<QQQQQ")
_SUM = struct.Struct("<Q")


@dataclass(frozen=True)
class ShardHeader:
    """What is known of a shard before its first token.

    Attributes:
        vocab_size: pieces of the tokenizer; decides the type of a token (`token_dtype`).
        tokenizer: SHA-256 of the tokenizer model, hexadecimal.
        dataset: SHA-256 digest of the step whose documents were tokenised, hexadecimal.
        bos, eos: the id that stands before, after each document, or -1.
    """

    vocab_size: int
    tokenizer: str
    dataset: str
    bos: int
    eos: int

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(token_dtype(self.vocab_size)).newbyteorder("<")

    def pack(self) -> bytes:
        body = _HEADER.pack(
            MAGIC,
            FORMAT,
            HEADER_BYTES,
            self.dtype.itemsize,
            self.vocab_size,
            self.bos,
            self.eos,
            bytes.fromhex(self.tokenizer),
            bytes.fromhex(self.dataset),
        ).ljust(HEADER_BYTES - _SUM.size, b"\0")
        return body + _SUM.pack(xxhash.xxh3_64_intdigest(body))


@dataclass(frozen=True)
class ShardCounts:
    """What is known of a shard after its last token.

    Attributes:
        tokens: with those at the start and end of documents.
        documents: in the shard.
        parts: part ranges; a part without a document in the shard has none.
        text_bytes: UTF-8 bytes of the documents' text.
        checksums: blocks of `BLOCK_BYTES`, the last one shorter.
    """

    tokens: int
    documents: int
    parts: int
    text_bytes: int
    checksums: int

    def pack(self) -> bytes:
        body = _FOOTER.pack(self.tokens, self.documents, self.parts, self.text_bytes, self.checksums).ljust(
            FOOTER_BYTES - _SUM.size - len(END_MAGIC), b"\0"
        )
        return body + _SUM.pack(xxhash.xxh3_64_intdigest(body)) + END_MAGIC


class _Layout(NamedTuple):
    """Byte offsets of the sections in a file, each a multiple of eight."""

    tokens: int
    documents: int
    rows: int
    parts: int
    checksums: int
    footer: int
    end: int


def _layout(header: ShardHeader, counts: ShardCounts) -> _Layout:
    offsets = [HEADER_BYTES]
    for length in (
        counts.tokens * header.dtype.itemsize,
        (counts.documents + 1) * 8,
        counts.documents * 4,
        counts.parts * 16,
        counts.checksums * 8,
    ):
        offsets.append(_aligned(offsets[-1] + length))
    tokens, documents, rows, parts, checksums, footer = offsets
    return _Layout(tokens, documents, rows, parts, checksums, footer, footer + FOOTER_BYTES)


def _aligned(offset: int) -> int:
    return -(-offset // 8) * 8


class ShardWriter:
    """Writes one shard to a sink, front to back, in 12 bytes of memory a document, and 32 at its end.

    The sink is what `corpus.storage.commit` gives, so that a shard appears whole or not at all, on any file system.
    The same documents give the same bytes, however they are grouped.
    """

    def __init__(self, sink: Any, header: ShardHeader) -> None:
        self._sink = sink
        self._header = header
        self._lengths: list[npt.NDArray[np.uint64]] = []
        self._rows: list[npt.NDArray[np.uint32]] = []
        self._parts: list[tuple[int, int]] = []
        self._block = xxhash.xxh3_64()
        self._block_bytes = 0
        self._checksums: list[int] = []
        self._documents = self._tokens = self._text_bytes = 0
        self._sink.write(header.pack())

    def write(
        self,
        part: int,
        rows: npt.NDArray[np.uint32],
        tokens: Tokens,
        offsets: npt.NDArray[np.int64],
        text_bytes: int,
    ) -> None:
        """Adds documents of one part.

        Args:
            part: not lower than the one before.
            rows: row of each document in the part, ascending, shape (documents,).
            tokens, offsets: as `Encoder.encode_batch` gives them.
            text_bytes: of the documents.
        """
        if not len(rows):
            return
        if not self._parts or self._parts[-1][0] != part:
            self._parts.append((part, self._documents))
        self._lengths.append(np.diff(offsets).astype("<u8"))
        self._rows.append(rows.astype("<u4"))
        whole = np.ascontiguousarray(tokens[offsets[0] : offsets[-1]], self._header.dtype)
        self._put(whole.view(np.uint8).data)
        self._documents += len(rows)
        self._tokens += int(offsets[-1] - offsets[0])
        self._text_bytes += text_bytes

    def close(self) -> ShardCounts:
        """Writes what follows the tokens; the sink stays open."""
        self._pad(self._tokens * self._header.dtype.itemsize)
        starts = np.zeros(self._documents + 1, "<u8")
        if self._lengths:
            np.cumsum(np.concatenate(self._lengths), out=starts[1:])
            rows = np.concatenate(self._rows)
        else:
            rows = np.empty(0, "<u4")
        self._put(starts.tobytes())
        self._put(rows.tobytes())
        self._pad(rows.nbytes)
        self._put(np.array(self._parts, "<u8").tobytes())
        if self._block_bytes:
            self._end_block()
        checksums = np.array(self._checksums, "<u8").tobytes()
        counts = ShardCounts(self._tokens, self._documents, len(self._parts), self._text_bytes, len(self._checksums))
        self._sink.write(checksums)
        self._sink.write(counts.pack())
        return counts

    def _pad(self, length: int) -> None:
        self._put(bytes(_aligned(length) - length))

    def _put(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while len(view):
            piece = view[: BLOCK_BYTES - self._block_bytes]
            self._block.update(piece)
            self._block_bytes += len(piece)
            if self._block_bytes == BLOCK_BYTES:
                self._end_block()
            view = view[len(piece) :]
        self._sink.write(data)

    def _end_block(self) -> None:
        self._checksums.append(self._block.intdigest())
        self._block.reset()
        self._block_bytes = 0


class Location(NamedTuple):
    """Where a token comes from.

    Attributes:
        document: number in the shard.
        part, row: of the document in the tokenised dataset.
        offset: of the token from the start of the document's tokens, where a BOS counts.
    """

    document: int
    part: int
    row: int
    offset: int


def _parse_ends(path: str, length: int, head: bytes, tail: bytes) -> tuple[ShardHeader, ShardCounts]:
    if not length:
        raise _damaged(path, "is empty")
    if not head.startswith(MAGIC[: len(head)]):
        raise _damaged(path, "is not a token shard: its first bytes are wrong")
    if len(head) < HEADER_BYTES:
        raise _damaged(path, f"is cut short in its header, at byte {length}")
    if head[-_SUM.size :] != _SUM.pack(xxhash.xxh3_64_intdigest(head[: -_SUM.size])):
        raise _damaged(path, "has an altered header, in bytes 0 to 4095")
    _, version, _, _, vocab_size, bos, eos, tokenizer, dataset = _HEADER.unpack_from(head)
    if version != FORMAT:
        raise DamagedFile(
            f"{path} has format {version}, this version reads format {FORMAT}: use the version that wrote it"
        )
    header = ShardHeader(vocab_size, tokenizer.hex(), dataset.hex(), bos, eos)
    if length < HEADER_BYTES + FOOTER_BYTES or not tail.endswith(END_MAGIC):
        raise _damaged(path, f"is cut short at byte {length}: its end is missing")
    summed = len(END_MAGIC) + _SUM.size
    if tail[-summed : -len(END_MAGIC)] != _SUM.pack(xxhash.xxh3_64_intdigest(tail[:-summed])):
        raise _damaged(path, f"has an altered footer, in bytes {length - FOOTER_BYTES} to {length - 1}")
    counts = ShardCounts(*_FOOTER.unpack_from(tail))
    expected = _layout(header, counts).end
    if expected != length:
        raise _damaged(path, f"has {length} bytes and its footer says {expected}")
    return header, counts


def _damaged(path: str, what: str) -> DamagedFile:
    return DamagedFile(f"{path} {what}: remove it and run the command that wrote it again")


class Shard:
    """One shard, memory-mapped. Only what is touched is read; opening reads the header and the footer.

    Attributes:
        path: a local path.
        header, counts: see `ShardHeader`, `ShardCounts`.
        tokens: uint16 or uint32, shape (tokens,); read-only, as are the others.
        document_offsets: uint64, shape (documents + 1,); document d is tokens[offsets[d]:offsets[d + 1]].
        rows: uint32, shape (documents,); row of each document in its part.
        parts: uint64, shape (parts, 2): part number, first document that comes from it.

    Raises:
        UserError: there is no such file.
        DamagedFile: empty, cut short, an altered header or footer, another format, or made with a tokenizer other
            than the given one.
    """

    def __init__(self, path: str, tokenizer: str | None = None, scattered: bool = False) -> None:
        """`scattered`: it is read a little here and there, which would otherwise fetch megabytes around each place."""
        try:
            with open(path, "rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise UserError(f"cannot open {path} ({error.strerror}): check the path, or run tokenize again") from None
        except ValueError:  # an empty file cannot be mapped
            raise _damaged(path, "is empty") from None
        if scattered:
            mapped.madvise(mmap.MADV_RANDOM)
        self._data = data = np.frombuffer(mapped, np.uint8)
        self._parse(path, len(data), data[:HEADER_BYTES].tobytes(), data[-FOOTER_BYTES:].tobytes(), tokenizer)

    def _parse(self, path: str, length: int, head: bytes, tail: bytes, tokenizer: str | None) -> None:
        self.path = path
        self.header, self.counts = _parse_ends(path, length, head, tail)
        if tokenizer is not None and self.header.tokenizer != tokenizer:
            raise DamagedFile(
                f"{path} was made with the tokenizer {self.header.tokenizer[:8]}, not {tokenizer[:8]}: "
                "use the shards of that tokenizer, or run tokenize again"
            )
        self._layout = _layout(self.header, self.counts)

    @cached_property
    def tokens(self) -> npt.NDArray[Any]:
        return self._section(self._layout.tokens, self.counts.tokens, self.header.dtype)

    @cached_property
    def document_offsets(self) -> npt.NDArray[np.uint64]:
        return self._section(self._layout.documents, self.counts.documents + 1, np.dtype("<u8"))

    @cached_property
    def rows(self) -> npt.NDArray[np.uint32]:
        return self._section(self._layout.rows, self.counts.documents, np.dtype("<u4"))

    @cached_property
    def parts(self) -> npt.NDArray[np.uint64]:
        return self._section(self._layout.parts, 2 * self.counts.parts, np.dtype("<u8")).reshape(-1, 2)

    @cached_property
    def _checksums(self) -> npt.NDArray[np.uint64]:
        return self._section(self._layout.checksums, self.counts.checksums, np.dtype("<u8"))

    def _section(self, start: int, count: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        return self._bytes(start, start + count * dtype.itemsize).view(dtype)

    def _bytes(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        return self._data[start:stop]

    def read(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Tokens [start, stop), out of blocks that are compared with their checksums.

        Raises:
            DamagedFile: with the first block that differs.
        """
        width = self.header.dtype.itemsize
        return self._checked(HEADER_BYTES + start * width, HEADER_BYTES + stop * width).view(self.header.dtype)

    def _checked(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        if start == stop:
            return np.empty(0, np.uint8)
        first = (start - HEADER_BYTES) // BLOCK_BYTES
        data = self.blocks(first, -(-(stop - HEADER_BYTES) // BLOCK_BYTES))
        skipped = HEADER_BYTES + first * BLOCK_BYTES
        return data[start - skipped : stop - skipped]

    def blocks(self, first: int, stop: int) -> npt.NDArray[np.uint8]:
        """The bytes of the blocks [first, stop), compared with their checksums. Block 0 begins with token 0.

        Raises:
            DamagedFile: with the first block that differs, and differs when it is read again.
        """
        start = HEADER_BYTES + first * BLOCK_BYTES
        end = min(HEADER_BYTES + stop * BLOCK_BYTES, self._layout.checksums)
        for _ in range(2):
            data = self._bytes(start, end)
            altered = self._altered(first, stop, data)
            if altered is None:
                return data
        assert altered is not None
        start = HEADER_BYTES + altered * BLOCK_BYTES
        end = min(start + BLOCK_BYTES, self._layout.checksums)
        raise _damaged(self.path, f"is altered in bytes {start} to {end - 1}, or in their checksum")

    def _altered(self, first: int, stop: int, data: npt.NDArray[np.uint8]) -> int | None:
        for block in range(first, stop):
            at = (block - first) * BLOCK_BYTES
            if xxhash.xxh3_64_intdigest(data[at : at + BLOCK_BYTES].data) != self._checksums[block]:
                return block
        return None

    def locate(self, position: int) -> Location:
        """The document that a token of this shard belongs to.

        Raises:
            IndexError: there is no such token.
        """
        if not 0 <= position < self.counts.tokens:
            raise IndexError(f"{self.path} has {self.counts.tokens} tokens, not one at {position}")
        # numpy would make floats of all offsets to compare them with a Python integer.
        document = int(np.searchsorted(self.document_offsets, np.uint64(position), side="right")) - 1
        return Location(document, *self.origin(document), position - int(self.document_offsets[document]))

    def origin(self, document: int) -> tuple[int, int]:
        """(part, row) of a document, by its number in the shard.

        Raises:
            IndexError: there is no such document.
        """
        if not 0 <= document < self.counts.documents:
            raise IndexError(f"{self.path} has {self.counts.documents} documents, not one of number {document}")
        span = int(np.searchsorted(self.parts[:, 1], np.uint64(document), side="right")) - 1
        return int(self.parts[span, 0]), int(self.rows[document])

    def verify(self, digest: str | None = None) -> None:
        """Reads the whole file: every block against its checksum, then whether what they hold fits together.

        Args:
            digest: SHA-256 that the file must have, hexadecimal.

        Raises:
            DamagedFile: with the first block that differs; offsets, parts or ids that cannot be; another digest.
        """
        sha = hashlib.sha256(self._bytes(0, HEADER_BYTES).data)
        tokens_left, largest = self.counts.tokens * self.header.dtype.itemsize, 0
        for first in range(0, self.counts.checksums, _VERIFIED_BLOCKS):
            data = self.blocks(first, min(first + _VERIFIED_BLOCKS, self.counts.checksums))
            if digest is not None:
                sha.update(data.data)
            ids = data[:tokens_left].view(self.header.dtype)
            largest = max(largest, int(ids.max(initial=0)))
            tokens_left -= ids.nbytes
        if digest is not None:
            sha.update(self._bytes(self._layout.checksums, self._layout.end).data)
            if sha.hexdigest() != digest:
                raise _damaged(self.path, f"is whole, but has the SHA-256 {sha.hexdigest()[:8]}, not {digest[:8]}")
        ends, firsts = self.document_offsets, self.parts[:, 1]
        if ends[0] != 0 or ends[-1] != self.counts.tokens or (ends[1:] < ends[:-1]).any():
            raise _damaged(self.path, "has document offsets that do not ascend from 0 to its tokens")
        if len(firsts) and (
            firsts[0] != 0 or firsts[-1] >= len(self.rows) or (self.parts[1:] <= self.parts[:-1]).any()
        ):
            raise _damaged(self.path, "has part ranges that do not ascend")
        if bool(len(firsts)) != bool(len(self.rows)):
            raise _damaged(self.path, "has documents without a part, or parts without a document")
        if self.counts.tokens and largest >= self.header.vocab_size:
            raise _damaged(self.path, f"has an id beyond its vocabulary of {self.header.vocab_size}")
