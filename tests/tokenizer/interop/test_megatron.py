"""Against a reader written from the table of the format, and real damage."""

import struct
from pathlib import Path

import numpy as np
import pytest

from corpus.errors import DamagedFile, UserError
from tests.tokenizer.test_shards import Documents, header, written
from tokenizer.interop.megatron import read, write
from tokenizer.shards import Shard


def independent(base: Path) -> list[list[int]]:
    """The documents of a pair of files: `struct` and the table, nothing of ours."""
    index, data = Path(f"{base}.idx").read_bytes(), Path(f"{base}.bin").read_bytes()
    magic, version, code, sequences, entries = struct.unpack_from("<9sQBQQ", index)
    assert (magic, version) == (b"MMIDIDX\0\0", 1)
    kind = {8: "H", 4: "i"}[code]
    lengths = struct.unpack_from(f"<{sequences}i", index, 34)
    places = struct.unpack_from(f"<{sequences}q", index, 34 + 4 * sequences)
    documents = struct.unpack_from(f"<{entries}q", index, 34 + 12 * sequences)
    assert len(index) == 34 + 12 * sequences + 8 * entries
    assert documents == tuple(range(sequences + 1))
    return [list(struct.unpack_from(f"<{n}{kind}", data, at)) for n, at in zip(lengths, places, strict=True)]


DOCUMENTS: Documents = [(0, 0, [1, 300, 2]), (0, 4, []), (1, 0, [1, 2]), (7, 1, [1, *range(3, 900), 2])]


def shard_of(path: Path, documents: Documents, vocab_size: int = 32000) -> Shard:
    path.write_bytes(written(documents, header(vocab_size)))
    return Shard(str(path))


@pytest.mark.parametrize("vocab_size", [32000, 65536, 65537])
def test_round_trip(tmp_path: Path, vocab_size: int) -> None:
    shard = shard_of(tmp_path / "shard.tok", DOCUMENTS, vocab_size)
    write(shard, str(tmp_path / "out"))
    assert independent(tmp_path / "out") == [tokens for _, _, tokens in DOCUMENTS]
    for name in ("out", "out.bin", "out.idx"):
        packed = read(str(tmp_path / name))
        assert packed.path == str(tmp_path / "out.bin")
        assert packed.tokens.tobytes() == shard.tokens.tobytes()
        assert packed.offsets.tolist() == shard.document_offsets.tolist()


def pair(base: Path, lengths: list[int], documents: list[int], code: int = 8, tail: bytes = b"") -> str:
    """A pair as Megatron writes it, of ids 0, 1, 2, ..."""
    kind = {1: "u1", 2: "i1", 3: "i2", 4: "i4", 5: "i8", 6: "f8", 8: "u2"}[code]
    width = np.dtype(kind).itemsize
    Path(f"{base}.bin").write_bytes(np.arange(sum(lengths)).astype(kind).tobytes())
    places = [width * sum(lengths[:n]) for n in range(len(lengths))]
    Path(f"{base}.idx").write_bytes(
        struct.pack("<9sQBQQ", b"MMIDIDX\0\0", 1, code, len(lengths), len(documents))
        + np.array(lengths, "<i4").tobytes() + np.array(places, "<i8").tobytes() + np.array(documents, "<i8").tobytes()
        + tail
    )  # fmt: skip
    return str(base)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 8])
def test_documents_of_several_sequences(tmp_path: Path, code: int) -> None:
    packed = read(pair(tmp_path / "a", [3, 0, 4, 5, 1], [0, 2, 2, 5], code, tail=bytes(5)))  # modes: multimodal
    assert packed.offsets.tolist() == [0, 3, 3, 13]
    assert packed.tokens.tolist() == list(range(13))


def test_an_empty_pair(tmp_path: Path) -> None:
    write(shard_of(tmp_path / "shard.tok", []), str(tmp_path / "out"))
    packed = read(str(tmp_path / "out"))
    assert (packed.tokens.size, packed.offsets.tolist()) == (0, [0])


def test_what_cannot_be_read(tmp_path: Path) -> None:
    base = pair(tmp_path / "a", [3, 4], [0, 1, 2])
    index, data = Path(f"{base}.idx").read_bytes(), Path(f"{base}.bin").read_bytes()

    def refused(message: str, new: bytes = index, ids: bytes = data, kind: type[UserError] = DamagedFile) -> None:
        Path(f"{base}.idx").write_bytes(new)
        Path(f"{base}.bin").write_bytes(ids)
        with pytest.raises(kind, match=message):
            read(base)

    refused("first bytes are wrong", b"")
    refused("first bytes are wrong", b"PAR1" + index[4:])
    refused("is cut short: it has 81 bytes of 82", index[:-1])
    refused("has 12 bytes and .* lists 7 ids of 2", ids=data[:-2])
    refused("version 2 and type 8", index[:9] + b"\2" + index[10:], kind=UserError)
    refused("version 1 and type 7", index[:17] + b"\7" + index[18:], kind=UserError)
    moved = index[:42] + struct.pack("<qq", 8, 0) + index[58:]
    refused("sequences in another order", moved, kind=UserError)
    refused("does not say which sequences are a document", index[:58] + struct.pack("<qqq", 0, 2, 1), kind=UserError)
    Path(f"{base}.bin").unlink()
    with pytest.raises(UserError, match=r"cannot open .*a\.bin"):
        read(base)
