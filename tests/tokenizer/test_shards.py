import hashlib
import io
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.errors import DamagedFile, UserError
from corpus.storage import commit
from tokenizer import shards
from tokenizer.shards import BLOCK_BYTES, HEADER_BYTES, Shard, ShardHeader, ShardWriter

SHA, STEP = "ab" * 32, "cd" * 32

# (part, row, tokens) of one document
Documents = list[tuple[int, int, list[int]]]


def header(vocab_size: int = 32000) -> ShardHeader:
    return ShardHeader(vocab_size, SHA, STEP, 1, 2)


def written(documents: Documents, head: ShardHeader, group: int = 3) -> bytes:
    sink = io.BytesIO()
    writer = ShardWriter(sink, head)
    for i in range(0, len(documents), group):
        for part in sorted({p for p, _, _ in documents[i : i + group]}):
            some = [(row, tokens) for p, row, tokens in documents[i : i + group] if p == part]
            offsets = np.cumsum([0] + [len(tokens) for _, tokens in some])
            writer.write(
                part,
                np.array([row for row, _ in some], np.uint32),
                np.array([t for _, tokens in some for t in tokens], head.dtype),
                offsets,
                10 * len(some),
            )
    writer.close()
    return sink.getvalue()


@st.composite
def some_documents(draw: st.DrawFn) -> Documents:
    parts = sorted(draw(st.lists(st.integers(0, 2**40), max_size=12)))
    rows = sorted(draw(st.lists(st.integers(0, 2**32 - 1), min_size=len(parts), max_size=len(parts))))
    return [(p, r, draw(st.lists(st.integers(0, 31999), max_size=9))) for p, r in zip(parts, rows, strict=True)]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=some_documents(), vocab_size=st.sampled_from([32000, 65536, 65537]), group=st.integers(1, 5))
def test_round_trip(tmp_path: Path, documents: Documents, vocab_size: int, group: int) -> None:
    head = header(vocab_size)
    data = written(documents, head)
    assert data == written(documents, head, group)
    path = tmp_path / "shard.tok"
    path.write_bytes(data)
    shard = Shard(str(path), SHA)
    shard.verify()
    assert shard.header == head
    assert shard.counts.documents == len(documents)
    assert shard.counts.text_bytes == 10 * len(documents)
    assert shard.tokens.tolist() == [t for _, _, tokens in documents for t in tokens]
    assert shard.tokens.dtype == (np.uint16 if vocab_size <= 65536 else np.uint32)
    position = 0
    for number, (part, row, tokens) in enumerate(documents):
        assert int(shard.document_offsets[number]) == position
        for offset in range(len(tokens)):
            assert shard.locate(position) == (number, part, row, offset)
            position += 1
    with pytest.raises(IndexError, match="not one of number"):
        shard.origin(len(documents))
    for outside in (-1, position):
        with pytest.raises(IndexError, match="tokens, not one at"):
            shard.locate(outside)


def many(count: int) -> Documents:
    return [(n // 100, n % 100, list(range(n % 7))) for n in range(count)]


def test_the_bytes_are_those_of_the_document(tmp_path: Path) -> None:
    """A reader written from docs/tokens.md alone."""
    documents = [(4, 7, [1, 300, 2]), (4, 9, [1, 2]), (6, 0, [1, 5, 6, 2])]
    data = written(documents, header())
    assert data[:8] == b"\x89TOKENS\n"
    assert struct.unpack("<IIII", data[8:24]) == (1, 4096, 2, 32000)
    assert struct.unpack("<ii", data[24:32]) == (1, 2)
    assert data[32:64].hex() == SHA
    assert data[64:96].hex() == STEP
    assert not any(data[96:4088])
    assert struct.unpack("<Q", data[4088:4096])[0] == xxhash.xxh3_64_intdigest(data[:4088])

    foot = data[-4096:]
    tokens, docs, parts, text_bytes, checksums = struct.unpack("<QQQQQ", foot[:40])
    assert (tokens, docs, parts, text_bytes, checksums) == (9, 3, 2, 30, 1)
    assert struct.unpack("<Q", foot[-16:-8])[0] == xxhash.xxh3_64_intdigest(foot[:-16])
    assert foot[-8:] == b"\nSNEKOT\x89"

    at = 4096
    assert struct.unpack("<9H", data[at : at + 18]) == (1, 300, 2, 1, 2, 1, 5, 6, 2)
    at += 24
    assert struct.unpack("<4Q", data[at : at + 32]) == (0, 3, 5, 9)
    at += 32
    assert struct.unpack("<3I", data[at : at + 12]) == (7, 9, 0)
    at += 16
    assert struct.unpack("<4Q", data[at : at + 32]) == (4, 0, 6, 2)
    at += 32
    assert struct.unpack("<Q", data[at : at + 8])[0] == xxhash.xxh3_64_intdigest(data[4096:at])
    assert len(data) == at + 8 + 4096


def test_every_flipped_byte_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "BLOCK_BYTES", 64)
    data = written(many(40), header())
    path = tmp_path / "shard.tok"
    for place in [*range(0, HEADER_BYTES, 97), *range(4080, len(data) - 4000), *range(len(data) - 90, len(data))]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :])
        with pytest.raises(DamagedFile, match=r"shard\.tok"):
            Shard(str(path), SHA).verify()


def test_every_length_cut_short_is_found(tmp_path: Path) -> None:
    data = written(many(40), header())
    path = tmp_path / "shard.tok"
    for length in [*range(0, 4200, 13), *range(len(data) - 4200, len(data), 7), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(DamagedFile, match=f"is cut short .*{length}|is empty"):
            Shard(str(path), SHA)


def test_damage_is_named_by_its_place(tmp_path: Path) -> None:
    documents = [(0, n, [n % 60000] * 1000) for n in range(2000)]
    data = written(documents, header(), 50)
    assert len(data) > 3 * BLOCK_BYTES
    path = tmp_path / "shard.tok"
    place = HEADER_BYTES + 2 * BLOCK_BYTES + 5
    path.write_bytes(data[:place] + b"\xff" + data[place + 1 :])
    start = HEADER_BYTES + 2 * BLOCK_BYTES
    with pytest.raises(
        DamagedFile, match=f"altered in bytes {start} to {start + BLOCK_BYTES - 1}.*run the command that wrote it again"
    ):
        Shard(str(path)).verify()


def test_a_whole_file_whose_content_cannot_be(tmp_path: Path) -> None:
    """What a writer of one's own may get wrong: all checksums are right."""
    path = tmp_path / "shard.tok"

    def refused(documents: Documents, message: str, **wrong: Any) -> None:
        sink = io.BytesIO()
        writer = ShardWriter(sink, header())
        for part, row, tokens in documents:
            ids = np.array(tokens, np.uint16)
            writer.write(part, np.array([row], np.uint32), ids, np.array([0, len(ids)]), 1)
        for name, value in wrong.items():
            setattr(writer, name, value)
        writer.close()
        path.write_bytes(sink.getvalue())
        with pytest.raises(DamagedFile, match=message):
            Shard(str(path)).verify()

    some: Documents = [(0, 0, [1, 2]), (1, 0, [1, 2])]
    refused([(0, 0, [1, 32000, 2])], "an id beyond its vocabulary of 32000")
    lengths = [np.array([n], "<u8") for n in (5, 2**64 - 1)]
    refused(some, "document offsets that do not ascend from 0", _lengths=lengths)
    refused(some, "part ranges that do not ascend", _parts=[(1, 0), (0, 1)])
    refused(some, "part ranges that do not ascend", _parts=[(0, 1), (1, 2)])
    refused(some, "documents without a part", _parts=[])
    whole = written(some, header())
    path.write_bytes(whole)
    Shard(str(path)).verify(hashlib.sha256(whole).hexdigest())
    with pytest.raises(DamagedFile, match="is whole, but has the SHA-256"):
        Shard(str(path)).verify("ab" * 32)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    data = written(many(3), header())
    path = tmp_path / "shard.tok"

    def refused(content: bytes, message: str, kind: type[Exception] = DamagedFile, **options: Any) -> None:
        path.write_bytes(content)
        with pytest.raises(kind, match=message):
            Shard(str(path), **options)

    refused(b"PAR1" + data[4:], "not a token shard")
    refused(data + b"\0", "its end is missing")
    body = data[:8] + struct.pack("<I", 2) + data[12:4088]
    refused(
        body + struct.pack("<Q", xxhash.xxh3_64_intdigest(body)) + data[4096:],
        "has format 2, this version reads format 1",
    )
    refused(data[:4096] + b"\0" * 8 + data[4096:], "its footer says")
    refused(data, "made with the tokenizer abababab, not 12121212", tokenizer="12" * 32)
    with pytest.raises(UserError, match=r"cannot open .*absent\.tok"):
        Shard(str(tmp_path / "absent.tok"))


def test_an_empty_shard(tmp_path: Path) -> None:
    path = str(tmp_path / "shard.tok")
    commit(path, lambda sink: ShardWriter(sink, header()).close())
    shard = Shard(path)
    shard.verify()
    assert (shard.counts.tokens, shard.counts.documents, shard.parts.shape) == (0, 0, (0, 2))


def test_a_token_is_located_without_a_copy_of_the_offsets(tmp_path: Path) -> None:
    (tmp_path / "shard.tok").write_bytes(written([(0, row, [7]) for row in range(100_000)], header(), 100_000))
    shard = Shard(str(tmp_path / "shard.tok"))
    assert shard.locate(5).document == 5
    tracemalloc.start()
    try:
        shard.locate(70_000)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
