import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import MemoryTokens, losses, records, small

from corpus.errors import DamagedFile, UserError
from trainer import checkpoint
from trainer.parallel import processes
from trainer.train import train


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("finished")
    with processes("cpu") as device:
        train(small(checkpoint__every=5), MemoryTokens(), output, device)
    return output


@pytest.fixture
def output(finished: Path, tmp_path: Path) -> Path:
    """A copy of a run with checkpoints of steps 10, 15 and 20."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def names(output: Path) -> list[str]:
    return sorted(path.name for path in (output / "checkpoints").iterdir())


def test_keeps_the_newest_and_leaves_nothing_else(output: Path) -> None:
    assert names(output) == ["step-00000010", "step-00000015", "step-00000020"]


def flip_a_byte(newest: Path) -> None:
    (shard,) = newest.glob("*.safetensors")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)


def cut_short(newest: Path) -> None:
    (shard,) = newest.glob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:-100])


def lose_a_file(newest: Path) -> None:
    (shard,) = newest.glob("*.safetensors")
    shard.unlink()


def break_the_marker(newest: Path) -> None:
    marker = newest / checkpoint.MARKER
    marker.write_text(marker.read_text()[:200])


def of_a_later_format(newest: Path) -> None:
    marker = newest / checkpoint.MARKER
    marker.write_text(marker.read_text().replace('"format": 1', '"format": 2'))


@pytest.mark.parametrize("damage", [flip_a_byte, cut_short, lose_a_file, break_the_marker, of_a_later_format])
def test_a_damaged_checkpoint_is_refused_and_the_one_before_used(output: Path, damage: Callable[[Path], None]) -> None:
    damage(output / "checkpoints" / "step-00000020")
    before = losses(output)
    with processes("cpu") as device:
        train(small(checkpoint__every=5), MemoryTokens(), output, device)
    (resume,) = records(output, "resume")
    assert resume["step"] == 15
    assert len(resume["damaged"]) == 1
    assert "step-00000020" in resume["damaged"][0]
    assert losses(output) == pytest.approx(before + before[15:], abs=1e-6)
    with processes("cpu"):
        found = checkpoint.newest(output)  # the damaged one was written again, and is whole
    assert found is not None
    assert (found[0].name, found[2]) == ("step-00000020", [])


def test_a_damaged_checkpoint_does_not_push_out_a_whole_one(output: Path) -> None:
    flip_a_byte(output / "checkpoints" / "step-00000020")
    with processes("cpu") as device:
        train(small(checkpoint__keep=1, run__steps=18), MemoryTokens(), output, device)
        found = checkpoint.newest(output)
    assert found is not None
    assert found[1].step == 18
    assert names(output) == ["step-00000018", "step-00000020"]


def test_only_damaged_checkpoints_are_an_error(output: Path) -> None:
    for folder in checkpoint.complete(output):
        flip_a_byte(folder)
    with processes("cpu"), pytest.raises(DamagedFile, match=r"no checkpoint is whole.*XXH3"):
        checkpoint.newest(output)


def test_a_save_that_was_killed_leaves_nothing_to_load(output: Path) -> None:
    """A kill before the rename leaves a temporary folder, perhaps without its marker."""
    folder = output / "checkpoints"
    (folder / "step-00000020").rename(folder / ".tmp-step-00000020")
    with processes("cpu") as device:
        found = checkpoint.newest(output)
        assert found is not None
        assert found[1].step == 15
        train(small(), MemoryTokens(), output, device)
    assert ".tmp-step-00000020" not in names(output)


def test_another_mixture_is_refused(output: Path) -> None:
    other = MemoryTokens(seed=1)
    with (
        processes("cpu") as device,
        pytest.raises(UserError, match=f"{MemoryTokens().fingerprint}.*{other.fingerprint}"),
    ):
        train(small(), other, output, device)


def test_a_checkpoint_fits_only_its_tokens(output: Path) -> None:
    (folder, *_), tokens = checkpoint.complete(output), MemoryTokens()
    saved = checkpoint.read_position(folder)
    checkpoint.check_tokens(folder, saved, tokens)
    imported = saved.model_copy(update={"fingerprint": None})
    checkpoint.check_tokens(folder, imported, MemoryTokens(seed=1))
    checkpoint.check_tokens(folder, imported.model_copy(update={"tokenizer": None}), tokens)
    for wrong, change, message in [
        (saved, {"vocab_size": 32000}, "a model of 32000 pieces, the mixture's tokenizer has 64"),
        (saved, {"fingerprint": "0123"}, f"trained on mixture 0123, this is mixture {tokens.fingerprint}"),
        (imported, {"tokenizer": "ab" * 32}, "know the tokenizer abababab, the mixture was made with 5e5e5e5e"),
    ]:
        with pytest.raises(UserError, match=message):
            checkpoint.check_tokens(folder, wrong.model_copy(update=change), tokens)


def test_another_model_is_refused(output: Path) -> None:
    with processes("cpu") as device, pytest.raises(UserError, match=r"'layers': 2.*'layers': 1"):
        train(small(model__layers=1), MemoryTokens(), output, device)


def test_a_folder_that_cannot_be_written_is_one_line(output: Path) -> None:
    shutil.rmtree(output / "checkpoints")
    (output / "checkpoints").write_text("a file where the folder should be")
    with processes("cpu") as device, pytest.raises(UserError, match="cannot write the checkpoint"):
        train(small(), MemoryTokens(), output, device)
