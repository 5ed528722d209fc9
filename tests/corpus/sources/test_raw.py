"""Raw files are listed in a fixed order, with a digest that sees their size and their ends."""

import os
from pathlib import Path

import fsspec
import pytest
import xxhash

from corpus.errors import UserError
from corpus.sources.raw import list_files, open_raw

MIB = 1 << 20


def test_files_are_sorted_matched_and_named_below_the_root(tmp_path: Path) -> None:
    for name in ("b/2.gz", "b/1.gz", "a.gz", "c.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    assert [file.path for file in list_files(str(tmp_path))] == ["a.gz", "b/1.gz", "b/2.gz", "c.txt"]
    assert [file.path for file in list_files(str(tmp_path), ["*.gz"])] == ["a.gz", "b/1.gz", "b/2.gz"]
    assert [file.path for file in list_files(str(tmp_path), ["b/**/*.gz"])] == ["b/1.gz", "b/2.gz"]
    assert [file.path for file in list_files(str(tmp_path / "c.txt"))] == ["c.txt"]
    with pytest.raises(UserError, match="holds no file that matches"):
        list_files(str(tmp_path), ["*.xml"])
    with pytest.raises(UserError, match="does not exist"):
        list_files(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"input \$DATA/x does not exist: \$DATA is not set in the environment"):
        list_files("$DATA/x")


def test_what_cannot_be_read_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_bytes(b"a")
    (tmp_path / "sub" / "b.txt").write_bytes(b"b")
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).rstrip("/").endswith("sub"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(PermissionError):
        list_files(str(tmp_path))
    monkeypatch.undo()
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(UserError, match=r"pipe\.txt is a pipe, a device"):
        list_files(str(tmp_path))
    (tmp_path / "linked").symlink_to(tmp_path / "sub")
    with pytest.raises(UserError, match="linked is a pipe, a device, or a link to a folder"):
        list_files(str(tmp_path), ["linked"])
    (tmp_path / "c.txt").symlink_to(tmp_path / "a.txt")
    assert [file.path for file in list_files(str(tmp_path), ["[bc].txt"])] == ["c.txt", "sub/b.txt"]


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 1, 3 * MIB])
def test_the_digest_is_of_size_and_both_ends(tmp_path: Path, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    (tmp_path / "file").write_bytes(data)
    ends = data if size <= 2 * MIB else data[:MIB] + data[-MIB:]
    expected = xxhash.xxh3_128_hexdigest(str(size).encode() + ends)
    (file,) = list_files(str(tmp_path))
    assert (file.size, file.digest) == (size, expected)
    with fsspec.open(f"memory://raw/{size}/file", "wb") as copy:
        copy.write(data)
    assert list_files(f"memory://raw/{size}") == [file]
    with open_raw(f"memory://raw/{size}", "file") as again:
        assert again.read() == data
