"""Damage in compressed files costs what it touches, and no wrong byte comes through."""

import bz2
import gzip
import io
import random

import pytest

from corpus.sources.compressed import CHUNK, decompressed, read_range


def text(seed: int, size: int = 50_000) -> bytes:
    return bytes(random.Random(seed).choices(b"abcdefgh \n", k=size))


def chunks(data: bytes) -> list[bytes | None]:
    return list(decompressed(io.BytesIO(data)))


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress])
def test_whole_files(compress) -> None:  # type: ignore[no-untyped-def]
    content = text(1, 2_500_000)
    found = chunks(compress(content))
    assert b"".join(found) == content
    assert all(0 < len(chunk) <= CHUNK for chunk in found)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_several_streams_and_padding(compress) -> None:  # type: ignore[no-untyped-def]
    parts = [text(seed) for seed in range(4)]
    assert b"".join(chunks(b"".join(map(compress, parts)) + bytes(512))) == b"".join(parts)


def test_a_damaged_bzip2_stream_costs_that_stream() -> None:
    parts = [text(seed) for seed in range(4)]
    streams = [bz2.compress(part) for part in parts]
    data = bytearray(b"".join(streams))
    data[len(streams[0]) + len(streams[1]) // 2] ^= 0xFF
    assert chunks(bytes(data)) == [parts[0], None, parts[2], parts[3]]


def test_no_byte_of_a_damaged_bzip2_block_is_given() -> None:
    content = text(2, 3_000_000)
    data = bytearray(bz2.compress(content))
    data[len(data) // 2] ^= 0x10
    *good, last = chunks(bytes(data))
    assert last is None
    given = b"".join(good)
    assert content.startswith(given)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_cut_short(compress) -> None:  # type: ignore[no-untyped-def]
    content = text(3, 3_000_000)
    data = compress(content)
    *good, last = chunks(data[: len(data) * 2 // 3])
    assert last is None
    assert len(b"".join(good)) > 1_000_000
    assert content.startswith(b"".join(good))


def test_a_bomb_is_given_in_chunks() -> None:
    bomb = bz2.compress(bytes(30_000_000))
    assert len(bomb) < 100
    assert max(len(chunk or b"") for chunk in decompressed(io.BytesIO(bomb))) <= CHUNK


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress])
def test_ranges(compress) -> None:  # type: ignore[no-untyped-def]
    content = text(4, 2_200_000)
    file = compress(content)
    for offset, length in ((0, 10), (CHUNK - 5, 10), (100, 1_500_000), (2_199_990, 100), (3_000_000, 5)):
        assert read_range(io.BytesIO(file), offset, length) == content[offset : offset + length]
