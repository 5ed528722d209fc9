"""Token folders to be exported."""

from pathlib import Path

import pytest

from tests.tokenizer.folders import run, write_parts

SIZES = [60, 0, 45, 1, 0]
GROUPS = [[0, 1], [2, 3], [4]]
"""Shard 0 has parts of which one is empty, shard 2 has no document."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, model_path: str) -> Path:
    home = tmp_path_factory.mktemp("interop")
    (home / "data").mkdir()
    run(write_parts(home / "data", SIZES), str(home / "tokens"), model_path, GROUPS)
    return home / "tokens"
