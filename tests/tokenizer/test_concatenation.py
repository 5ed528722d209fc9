from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import DamagedFile
from tests.tokenizer.token_folders import HEADER, flip, tokens_of, write_folder
from tokenizer.concatenation import Concatenation, OpenShards, windows
from tokenizer.index import read_index


def concatenation(folder: str) -> Concatenation:
    return Concatenation(folder, HEADER, read_index(folder).shards, OpenShards())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_folder(str(tmp_path_factory.mktemp("tokens")), [[], [3, 4], [], [], [1], [200, 100], []])


@given(st.data())
@settings(deadline=None)
def test_any_stretch_is_that_of_the_joined_shards(folder: str, data: st.DataObject) -> None:
    whole = [token for n in range(7) for token in tokens_of(f"{folder}/shard-{n:05d}.tok")]
    tokens = concatenation(folder)
    assert tokens.tokens == len(whole) == 308
    position = data.draw(st.integers(0, 308))
    count = data.draw(st.integers(0, 308 - position))
    got = tokens.read(position, count)
    assert got.dtype == np.uint16
    assert got.tolist() == whole[position : position + count]


def test_windows() -> None:
    assert windows(np.arange(8), 3).tolist() == [[0, 1, 2, 3], [3, 4, 5, 6]]
    assert windows(np.arange(4), 3).tolist() == [[0, 1, 2, 3]]


def test_only_what_is_read_is_compared(tmp_path: Path) -> None:
    folder = write_folder(str(tmp_path), [[600_000, 600_000]])
    flip(tmp_path / "shard-00000.tok", 4096 + (1 << 20) + 7)
    tokens = concatenation(folder)
    assert len(tokens.read(0, 1 << 19)) == 1 << 19
    with pytest.raises(DamagedFile, match=r"altered in bytes 1052672 to 2101247"):
        tokens.read((1 << 19) - 1, 2)
