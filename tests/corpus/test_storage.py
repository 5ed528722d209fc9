import gc
import os
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from corpus.errors import DamagedFile, UserError
from corpus.storage import clear_attempts, commit, exists, names, read_json, relative, resolve, write_json


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


@pytest.mark.parametrize(
    ("path", "folder", "expected"),
    [
        ("runs/mine/tokens/books-1", "runs/mine/mixture-2", "../tokens/books-1"),
        ("/data/runs/tokens/books-1", "/data/runs/mixture-2/", "../tokens/books-1"),
        ("/elsewhere/tokenizer.model", "/data/runs", "../../elsewhere/tokenizer.model"),
        ("s3://bucket/runs/tokens/books-1", "s3://bucket/runs/mixture-2", "../tokens/books-1"),
        ("s3://bucket/runs/tokens", "s3://bucket", "runs/tokens"),
        ("memory://tokens/a", "memory://tokens/b/c", "../../a"),
        ("s3://bucket/tokens", "s3://other/runs", "s3://bucket/tokens"),
        ("gs://bucket/tokens", "s3://bucket/runs", "gs://bucket/tokens"),
        ("s3://bucket/tokens", "runs/mine", "s3://bucket/tokens"),
        ("/data/tokens", "s3://bucket/runs", "/data/tokens"),
        ("zip://a::s3://bucket/b.zip", "s3://bucket", "zip://a::s3://bucket/b.zip"),
    ],
)
def test_relative_paths_lead_back(path: str, folder: str, expected: str) -> None:
    assert relative(path, folder) == expected
    assert resolve(expected, folder) == path


def test_a_relative_local_path_is_absolute_in_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert relative("tokens", "s3://bucket/runs") == f"{tmp_path}/tokens"
    assert resolve(relative("tokens", str(tmp_path / "runs")), str(tmp_path / "runs")) == f"{tmp_path}/tokens"


def test_object_stores_work_too() -> None:
    path = "memory://bucket/folder/file.json"
    write_json(path, {"a": 1})
    assert read_json(path) == {"format": 1, "a": 1}
    assert names("memory://bucket/folder") == ["file.json"]


class StoredFile(AbstractBufferedFile):
    """Uploads in pieces, and completes the upload as S3's and GCS's files do."""

    fs: "Store"

    def _initiate_upload(self) -> None:
        self.pieces: list[bytes] = []

    def _upload_chunk(self, final: bool = False) -> bool:
        self.pieces.append(self.buffer.getvalue())
        if final and self.autocommit:
            self.commit()
        return True

    def commit(self) -> None:
        self.fs.objects[self.path] = b"".join(self.pieces)

    def discard(self) -> None:
        self.pieces.clear()


class Store(AbstractFileSystem):
    """An object store in a dictionary."""

    protocol = "teststore"
    objects: ClassVar[dict[str, bytes]] = {}

    def _open(self, path: str, mode: str = "rb", **options: Any) -> StoredFile:
        return StoredFile(self, path, mode, **options)


@pytest.fixture
def store() -> dict[str, bytes]:
    fsspec.register_implementation("teststore", Store, clobber=True)
    Store.objects.clear()
    return Store.objects


def test_an_upload_appears_when_it_is_complete(store: dict[str, bytes]) -> None:
    def write(sink: object) -> None:
        sink.write(b"abc" * 4_000_000)  # type: ignore[attr-defined] # more than a piece
        assert store == {}
        sink.write(b"end")  # type: ignore[attr-defined]

    commit("teststore://bucket/file", write)
    assert store == {"bucket/file": b"abc" * 4_000_000 + b"end"}


def test_a_failed_upload_leaves_the_old_object(store: dict[str, bytes]) -> None:
    commit("teststore://bucket/file", lambda sink: sink.write(b"old"))

    def write(sink: object) -> None:
        sink.write(b"half" * 4_000_000)  # type: ignore[attr-defined]
        raise ValueError("disk on fire")

    with pytest.raises(ValueError, match="disk on fire"):
        commit("teststore://bucket/file", write)
    gc.collect()  # the destructor of the file closes it
    assert store == {"bucket/file": b"old"}


def test_a_scheme_that_nothing_reads_is_one_line() -> None:
    with pytest.raises(UserError, match=r"^nothing://x cannot be reached: Protocol not known: nothing"):
        exists("nothing://x")


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
