import os
from pathlib import Path

import pytest

from corpus.errors import DamagedFile
from corpus.storage import clear_attempts, commit, names, read_json, write_json


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def write(sink: object) -> None:
        sink.write(b"half")  # type: ignore[attr-defined]
        raise ValueError("disk on fire")

    with pytest.raises(ValueError, match="disk on fire"):
        commit(str(tmp_path / "file"), write)
    assert os.listdir(tmp_path) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    commit(path, lambda sink: sink.write(b"old"))

    def write(sink: object) -> None:
        sink.write(b"new")  # type: ignore[attr-defined]
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        commit(path, write)
    assert (tmp_path / "file").read_bytes() == b"old"


def test_commit_returns_the_sha256(tmp_path: Path) -> None:
    import hashlib

    digest = commit(str(tmp_path / "file"), lambda sink: (sink.write(b"a"), sink.write(b"b")))
    assert digest == hashlib.sha256(b"ab").hexdigest()


def test_object_stores_work_too() -> None:
    path = "memory://bucket/folder/file.json"
    write_json(path, {"a": 1})
    assert read_json(path) == {"format": 1, "a": 1}
    assert names("memory://bucket/folder") == ["file.json"]


def test_another_format_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"format": 2}')
    with pytest.raises(DamagedFile, match="format 2, this version reads format 1"):
        read_json(str(path))
    path.write_text('{"form')
    with pytest.raises(DamagedFile, match="not valid JSON"):
        read_json(str(path))


def test_temporary_files_of_a_killed_attempt_are_cleared(tmp_path: Path) -> None:
    (tmp_path / ".part.parquet.0123.tmp").write_bytes(b"half")
    (tmp_path / "part.parquet").write_bytes(b"whole")
    clear_attempts(str(tmp_path))
    assert os.listdir(tmp_path) == ["part.parquet"]
