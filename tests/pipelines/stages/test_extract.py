from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.recipe.load import source_entry
from tests.pipelines.stages.alone import extracted


def test_an_input_without_a_record_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "empty.jsonl").touch()
    with pytest.raises(UserError, match="nothing came in"):
        extracted(source_entry("c4", str(tmp_path / "raw"), "{}"), tmp_path / "step")


def test_an_input_that_is_not_there_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="input /nowhere does not exist: set `input` to the folder"):
        extracted(source_entry("c4", "/nowhere", "{}"), tmp_path / "step")
    assert not (tmp_path / "step").exists()
