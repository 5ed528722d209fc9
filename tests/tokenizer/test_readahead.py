import os
import signal
from pathlib import Path

import numpy as np
import pytest

from corpus.errors import DamagedFile
from tests.tokenizer.range_server import Served, serve
from tests.tokenizer.token_folders import HEADER, flip, tokens_of, write_folder
from tokenizer import readahead
from tokenizer.concatenation import Concatenation, OpenShards
from tokenizer.index import read_index
from tokenizer.readahead import ReadAhead
from tokenizer.shards import BLOCK_BYTES, HEADER_BYTES

SHARDS = [[2_000_000], [1_600_000], [3], [2_500_000]]
BLOCK = BLOCK_BYTES // 2
"""Tokens of two bytes in a block."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(write_folder(str(tmp_path_factory.mktemp("tokens")), SHARDS))


@pytest.fixture(scope="module")
def whole(folder: Path) -> np.ndarray:
    return np.array([token for n in range(len(SHARDS)) for token in tokens_of(f"{folder}/shard-{n:05d}.tok")])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readahead, "AHEAD_BYTES", 4 * BLOCK_BYTES)
    monkeypatch.setattr(readahead, "REQUEST_BYTES", 2 * BLOCK_BYTES)


def reader(folder: Path, url: str) -> ReadAhead:
    return ReadAhead(Concatenation(url, HEADER, read_index(str(folder)).shards, OpenShards()))


def block_requests(served: Served) -> list[tuple[str, int, int]]:
    """Without those that opening a shard takes."""
    return [
        request
        for request in served.requests
        if request[1] >= HEADER_BYTES and (request[1] - HEADER_BYTES) % BLOCK_BYTES == 0
    ]


def blocks_asked_for(served: Served) -> list[tuple[str, int]]:
    """Every block, once for each time it was asked for."""
    return [
        (name, block)
        for name, first, last in block_requests(served)
        for block in range((first - HEADER_BYTES) // BLOCK_BYTES, -(-(last + 1 - HEADER_BYTES) // BLOCK_BYTES))
    ]


@pytest.mark.parametrize("count", [17 * 64, 300_000, BLOCK, 3_000_000])
def test_reading_on_fetches_every_block_once(folder: Path, whole: np.ndarray, count: int) -> None:
    with serve(folder) as served:
        tokens = reader(folder, served.url)
        held = 0
        for position in range(0, len(whole), count):
            taken = min(count, len(whole) - position)
            assert np.array_equal(tokens.read(position, taken), whole[position : position + taken])
            held = max(held, len(tokens._held))
        asked = blocks_asked_for(served)
    assert len(asked) == len(set(asked)) == 4 + 4 + 1 + 5
    assert held <= 4 + 2 + -(-count // BLOCK)
    if count < BLOCK:  # two blocks at a time, but for those at the end of a shard
        assert len(block_requests(served)) <= 10


def test_one_rank_of_many_fetches_its_own_blocks_only(folder: Path, whole: np.ndarray) -> None:
    """Rank 1 of 8, whose share of each batch is 2,000 tokens in every 3 blocks."""
    stride, count = 3 * BLOCK, 2000
    positions = range(BLOCK + 100, len(whole) - count, stride)
    own = {block for position in positions for block in reader(folder, str(folder))._blocks(position, count)}
    with serve(folder) as served:
        tokens = reader(folder, served.url)
        for position in positions:
            assert np.array_equal(tokens.read(position, count), whole[position : position + count])
            assert tokens._held.keys() <= own
        asked = blocks_asked_for(served)
    assert len(asked) == len(set(asked)) == len(own) < 4 + 4 + 1 + 5


def test_what_comes_next_is_there_before_it_is_asked_for(folder: Path, whole: np.ndarray) -> None:
    with serve(folder) as served:
        tokens = reader(folder, served.url)
        for step in range(3):
            tokens.read(step * 1000, 1000)
        held = dict(tokens._held)
        assert len(held) == 1 + 3  # shard 0 to its end, and the first block of the next
        tokens.read(3000, 1000)
        assert dict(tokens._held) == held
        for run, _ in held.values():
            run.result(timeout=60)
        asked = len(served.requests)
        tokens.read(4000, 1_000_000)
        assert [first for _, first, _ in served.requests[asked:] if first == HEADER_BYTES] == []


def test_a_seek_begins_anew(folder: Path, whole: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    with serve(folder) as served:
        tokens = reader(folder, served.url)
        for _ in range(8):
            position = int(rng.integers(0, len(whole) - 20_000))
            for step in range(rng.integers(1, 6)):
                start = position + step * 4000
                assert np.array_equal(tokens.read(start, 4000), whole[start : start + 4000])
        assert len(tokens._held) <= 4 + 2
        assert tokens.read(5, 0).shape == (0,)


def test_damage_is_raised_when_its_tokens_are_read(tmp_path: Path) -> None:
    folder = Path(write_folder(str(tmp_path), [[2 * BLOCK], [2 * BLOCK]]))
    path = folder / "shard-00001.tok"
    flip(path, HEADER_BYTES + BLOCK_BYTES + 1)
    with serve(folder) as served:
        tokens = reader(folder, served.url)
        for step in range(4):  # shard 1 is asked for ahead of the last ones
            tokens.read(step * BLOCK // 2, BLOCK // 2)
        for _ in range(2):
            with pytest.raises(
                DamagedFile, match=rf"shard-00001\.tok is altered in bytes {HEADER_BYTES + BLOCK_BYTES} "
            ):
                tokens.read(2 * BLOCK, 2 * BLOCK)
        flip(path, HEADER_BYTES + BLOCK_BYTES + 1)
        assert len(tokens.read(2 * BLOCK, 2 * BLOCK)) == 2 * BLOCK


def test_a_forked_process_reads_on_its_own(folder: Path, whole: np.ndarray) -> None:
    with serve(folder) as served:
        tokens = reader(folder, served.url)
        tokens.read(0, 10)
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # not to wait forever
            code = 1
            try:
                # Of the shard that the parent has open, and of another.
                code = 0 if np.array_equal(tokens.read(1_900_000, 200_000), whole[1_900_000:2_100_000]) else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert np.array_equal(tokens.read(10, 10), whole[10:20])
