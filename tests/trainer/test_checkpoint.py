import errno
import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from harness import MemoryTokens, copy, losses, records, run_groups, small

from corpus.errors import DamagedFile, UserError
from trainer import checkpoint
from trainer.checkpoint import SaveFailed
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


def test_a_damaged_checkpoint_does_not_count_among_the_kept(output: Path) -> None:
    flip_a_byte(output / "checkpoints" / "step-00000020")
    with processes("cpu") as device:
        train(small(checkpoint__every=100, checkpoint__keep=2, run__steps=22), MemoryTokens(), output, device)
    assert names(output) == ["step-00000015", "step-00000022"]


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


def test_settings_of_another_version_are_only_a_record(output: Path) -> None:
    """A checkpoint outlives the names of settings that its weights do not depend on."""
    marker = output / "checkpoints" / "step-00000015" / checkpoint.MARKER
    shutil.rmtree(output / "checkpoints" / "step-00000020")
    saved = json.loads(marker.read_text())
    assert saved["settings"]["parallel"]["recompute"] == "selective"
    assert saved["settings"] == small(checkpoint__every=5).model_dump(mode="json")
    saved["settings"]["parallel"] = {"recompute": "cheap", "another": 1}
    saved["settings"]["gone"] = {"of": "old"}
    marker.write_text(json.dumps(saved))
    with processes("cpu") as device:
        train(small(run__steps=17), MemoryTokens(), output, device)
    assert [record["step"] for record in records(output, "resume")] == [15]

    saved["settings"]["model"]["dim"] = "wide"
    marker.write_text(json.dumps(saved))
    with pytest.raises(DamagedFile, match=r"checkpoint\.json: .*settings\.model"):
        checkpoint.read_position(marker.parent)


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


class Slow:
    """Holds each file's writing until training has read a certain window, and counts the files written at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, wait: float = 0) -> None:
        self.go, self.most, self._now = threading.Event(), 0, 0
        self._write, self._wait = checkpoint._write_safetensors, wait
        monkeypatch.setattr(checkpoint, "_write_safetensors", self)

    def __call__(self, path: Path, tensors: Any) -> checkpoint.Digest:
        self._now += 1
        self.most = max(self.most, self._now)
        if self._wait:
            time.sleep(self._wait)
        else:
            assert self.go.wait(60)
        digest = self._write(path, tensors)
        self._now -= 1
        return digest


class Calling(MemoryTokens):
    """Calls a function when a certain window is read."""

    def __init__(self, window: int, call: Callable[[], None]) -> None:
        super().__init__()
        self._window, self._call = window, call

    def batch(self, first: int, count: int) -> npt.NDArray[np.integer]:
        if first == self._window:
            self._call()
        return super().batch(first, count)


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    with processes("cpu") as device:
        train(small(), Calling(8 * 16, slow.go.set), tmp_path / "run", device)  # read two steps ahead
        copy(tmp_path / "run", 10, tmp_path / "again")
        train(small(), MemoryTokens(), tmp_path / "again", device)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    places = {(line["event"], line.get("step")): place for place, line in enumerate(lines)}
    assert places["checkpoint", 10] > places["step", 13]
    (first, last) = records(tmp_path / "run", "checkpoint")
    assert first["stall_seconds"] < first["write_seconds"]
    assert last["step"] == 20
    # What was written is step 10, not what the weights have become meanwhile.
    assert losses(tmp_path / "again") == pytest.approx(losses(tmp_path / "run")[10:], abs=1e-6)


def test_one_save_at_a_time_and_none_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch, wait=0.1)
    with processes("cpu") as device:
        train(small(checkpoint__every=1, run__steps=5), MemoryTokens(), tmp_path, device)
    assert slow.most == 1
    assert [record["step"] for record in records(tmp_path, "checkpoint")] == [1, 2, 3, 4, 5]
    assert names(tmp_path) == ["step-00000003", "step-00000004", "step-00000005"]


def test_a_signal_waits_for_the_save_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)

    def stop() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Timer(0.3, slow.go.set).start()

    with processes("cpu") as device:
        result = train(small(checkpoint__every=4), Calling(8 * 8, stop), tmp_path, device)
    assert result["stopped"]
    assert names(tmp_path) == ["step-00000004", f"step-{result['steps']:08d}"]


def test_an_error_of_the_run_is_told_after_the_save_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)

    def fail() -> None:
        threading.Timer(0.3, slow.go.set).start()
        raise UserError("the shard is gone")

    with processes("cpu") as device, pytest.raises(UserError, match="the shard is gone"):
        train(small(checkpoint__every=5), Calling(8 * 8, fail), tmp_path, device)
    assert names(tmp_path) == ["step-00000005"]


def test_a_failed_save_stops_the_run_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()

    def fail(path: Path, tensors: Any) -> None:
        failed.set()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def give_it_time() -> None:
        assert failed.wait(60)
        time.sleep(0.3)

    monkeypatch.setattr(checkpoint, "_write_safetensors", fail)
    with processes("cpu") as device, pytest.raises(SaveFailed, match="No space left on device"):
        train(small(), Calling(8 * 14, give_it_time), tmp_path, device)
    assert 10 < len(losses(tmp_path)) < 20


KILLS = {
    "kill rank 1 in a step": 4,
    "kill rank 1 before its file": 4,
    "kill before the marker": 4,
    "kill before the rename": 4,
    "kill after the rename": 6,
    "kill while the oldest is removed": 6,
}
"""Where a process is killed, and the step from which the run goes on."""
FULL = "full disk on rank 1"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that met trouble while they saved step 6."""
    root = tmp_path_factory.mktemp("broken")
    changes = {"checkpoint__every": 2, "checkpoint__keep": 2}
    groups = [
        (2 if "rank 1" in name else 1, [{"output": str(root / name), "changes": changes, "trouble": name}])
        for name in [FULL, *KILLS]
    ]
    run_groups(groups)
    return root


@pytest.mark.parametrize(("name", "step"), [(FULL, 4), *KILLS.items()])
def test_nothing_whole_is_lost_and_nothing_half_is_taken(broken: Path, finished: Path, name: str, step: int) -> None:
    output, before = broken / name, len(losses(broken / name))
    with processes("cpu") as device:
        train(small(checkpoint__every=10, checkpoint__keep=2), MemoryTokens(), output, device)
    (resume,) = records(output, "resume")
    assert (resume["step"], resume["damaged"]) == (step, [])
    assert losses(output)[before:] == pytest.approx(losses(finished)[step:], abs=1e-5)
    assert names(output) == ["step-00000010", "step-00000020"]


def test_a_full_disk_is_one_line_on_every_process(broken: Path) -> None:
    lines = [(broken / FULL / f"error-{rank}").read_text() for rank in (0, 1)]
    assert lines[0] == lines[1]
    assert re.fullmatch(
        r"SaveFailed: .*step-00000006: cannot write the checkpoint: File too large \(process 1\).*", lines[0]
    )


def test_a_folder_that_cannot_be_written_is_one_line(output: Path) -> None:
    shutil.rmtree(output / "checkpoints")
    (output / "checkpoints").write_text("a file where the folder should be")
    with processes("cpu") as device, pytest.raises(UserError, match="cannot write the checkpoint"):
        train(small(), MemoryTokens(), output, device)
