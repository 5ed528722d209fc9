from pathlib import Path

import pytest
import torch

from corpus.errors import UserError
from trainer.convert.export import compare, export
from trainer.convert.open import open_weights


def test_each_layout_is_found_out(run: Path, tokenizer: str, tmp_path: Path) -> None:
    checkpoint = run / "checkpoints" / "step-00000007"
    folders = [checkpoint]
    for layout in ("huggingface", "meta"):
        folders.append(tmp_path / layout)
        export(str(run), str(folders[-1]), layout, "float32", tokenizer)
    expected = open_weights(run)
    assert expected.folder == checkpoint
    for folder in folders:
        found = open_weights(str(folder))
        assert found.folder == folder
        compare(expected, found, torch.float32)


def test_no_model_at_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model is there; give a checkpoint \(checkpoint\.json\)"):
        open_weights(tmp_path)
