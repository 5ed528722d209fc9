from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from corpus.errors import DamagedFile, UserError
from tests.tokenizer.range_server import Served, serve
from tests.tokenizer.token_folders import write_shard
from tokenizer import remote
from tokenizer.remote import RemoteShard, open_shard
from tokenizer.shards import BLOCK_BYTES, HEADER_BYTES, Shard

DOCUMENTS = [400_000, 1, 0, 700_000, 300_001]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    write_shard(str(folder / "big.tok"), DOCUMENTS, 1)
    write_shard(str(folder / "small.tok"), [5, 6], 2)
    write_shard(str(folder / "empty.tok"), [], 3)
    return folder


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    with serve(folder) as served:
        yield served


@pytest.mark.parametrize("name", ["big.tok", "small.tok", "empty.tok"])
@pytest.mark.parametrize("tail", [remote.TAIL_BYTES, 4096])
def test_all_is_as_in_the_local_shard(
    folder: Path, served: Served, name: str, tail: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "TAIL_BYTES", tail)
    local = Shard(str(folder / name), "ab" * 32)
    far = RemoteShard(f"{served.url}/{name}", "ab" * 32)
    assert (far.header, far.counts) == (local.header, local.counts)
    for attribute in ("document_offsets", "rows", "parts", "tokens"):
        got, wanted = getattr(far, attribute), getattr(local, attribute)
        assert got.dtype == wanted.dtype
        assert np.array_equal(got, wanted)
    far.verify()
    count = local.counts.tokens
    for start, stop in (
        (0, count),
        (0, 0),
        (count, count),
        (count // 3, count // 3 + min(1, count)),
        (count // 2, count),
    ):
        assert np.array_equal(far.read(start, stop), local.tokens[start:stop])
    if count:
        assert far.locate(count - 1) == local.locate(count - 1)


def test_requests_are_few_and_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "REQUEST_BYTES", BLOCK_BYTES)
    shard = RemoteShard(f"{served.url}/big.tok")
    assert sorted(first for _, first, _ in served.requests)[0] == 0
    assert len(served.requests) == 2  # both ends
    shard.read(600_000, 600_010)
    assert served.requests[2:] == [("big.tok", HEADER_BYTES + BLOCK_BYTES, HEADER_BYTES + 2 * BLOCK_BYTES - 1)]
    del served.requests[:]
    shard.read(0, shard.counts.tokens)
    assert len(served.requests) == 3
    assert max(last + 1 - first for _, first, last in served.requests) == BLOCK_BYTES


def test_what_comes_damaged_is_asked_for_again(folder: Path, served: Served) -> None:
    shard = RemoteShard(f"{served.url}/big.tok")
    served.spoil = 1
    again = len(served.requests)
    assert np.array_equal(shard.read(0, 10), Shard(str(folder / "big.tok")).tokens[:10])
    assert len(served.requests) == again + 2
    served.spoil = 2
    with pytest.raises(DamagedFile, match=rf"{served.url}/big.tok is altered in bytes 4096 to {4095 + BLOCK_BYTES}"):
        shard.read(0, 10)
    served.spoil = 2
    with pytest.raises(DamagedFile, match=r"big\.tok is not a token shard"):
        RemoteShard(f"{served.url}/big.tok")


def test_what_is_damaged_or_not_there(folder: Path, served: Served) -> None:
    with pytest.raises(UserError, match=r"cannot open http.*absent\.tok \(no such file\)"):
        RemoteShard(f"{served.url}/absent.tok")
    with pytest.raises(DamagedFile, match="made with the tokenizer abababab"):
        RemoteShard(f"{served.url}/small.tok", "12" * 32)
    for name, data, message in (
        ("cut.tok", (folder / "big.tok").read_bytes()[:-1], "cut short"),
        ("none.tok", b"", "is empty"),
    ):
        fsspec.filesystem("memory").pipe(f"/remote/{name}", data)
        with pytest.raises(DamagedFile, match=message):
            RemoteShard(f"memory://remote/{name}")
    served.ranges = False
    with pytest.raises(UserError, match="does not answer range requests"):
        RemoteShard(f"{served.url}/big.tok")


def test_a_local_url_is_memory_mapped(folder: Path) -> None:
    shard = open_shard(f"file://{folder}/small.tok")
    assert type(shard) is Shard
    assert len(shard.tokens) == 11
