"""7-Zip archives, made by py7zr here: the methods that dumps come in, and what is wrong with others."""

import io
import random
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import py7zr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources.archive import Damaged, TooLarge
from corpus.sources.sevenzip import PIECE_BYTES, Encrypted, read_members

METHODS = {
    "bzip2": py7zr.FILTER_BZIP2,  # archive.org's dumps
    "lzma2": py7zr.FILTER_LZMA2,
    "lzma": py7zr.FILTER_LZMA,
    "deflate": py7zr.FILTER_DEFLATE,
    "copy": py7zr.FILTER_COPY,
}
LIMIT = 1 << 30


def packed(files: dict[str, bytes], method: str = "bzip2", password: str | None = None) -> bytes:
    out = io.BytesIO()
    filters = None if password else [{"id": METHODS[method]}]
    with py7zr.SevenZipFile(out, "w", filters=filters, password=password) as archive:
        for name, content in files.items():
            archive.writestr(content, name)
    return out.getvalue()


def read(data: bytes, wanted: Callable[[str], bool] = lambda name: True, limit: int = LIMIT) -> dict[str, bytes]:
    return {name: b"".join(pieces) for name, pieces in read_members(io.BytesIO(data), wanted, limit)}


FILES = {
    "Badges.xml": b"<badges/>" * 1000,
    "Posts.xml": random.Random(0).randbytes(3 * PIECE_BYTES + 17),
    "empty": b"",
    "dir/Users.xml": "<users é/>".encode(),
}


@pytest.mark.parametrize("method", METHODS)
def test_members_of_a_solid_archive(method: str) -> None:
    data = packed(FILES, method)
    assert read(data) == {name: content for name, content in FILES.items() if content}
    assert read(data, "Posts.xml".__eq__) == {"Posts.xml": FILES["Posts.xml"]}
    assert read(data, "none".__eq__) == {}
    for _, pieces in read_members(io.BytesIO(data), "Posts.xml".__eq__, LIMIT):
        assert max(map(len, pieces)) <= PIECE_BYTES


def test_what_is_not_read_of_a_member_is_passed_over() -> None:
    names = [name for name, _ in read_members(io.BytesIO(packed(FILES)), lambda name: True, LIMIT)]
    assert names == [name for name, content in FILES.items() if content]


def test_the_thread_ends_with_its_reader() -> None:
    before = threading.active_count()
    members = read_members(io.BytesIO(packed(FILES)), lambda name: True, LIMIT)
    next(members)
    members.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


@pytest.mark.parametrize("cut", [0, 5, 31, 40, 1000, -200, -1])
def test_a_cut_archive_is_damaged(cut: int) -> None:
    """What lies at its end says where everything is, so nothing is read of it."""
    with pytest.raises(Damaged):
        read(packed(FILES)[:cut])


def test_damage_inside_gives_what_was_before_it() -> None:
    data = bytearray(packed({"Posts.xml": FILES["Posts.xml"]}, "copy"))
    data[32 + 2 * PIECE_BYTES] ^= 1
    given_out: list[bytes] = []

    def read_all() -> None:
        for _, pieces in read_members(io.BytesIO(bytes(data)), lambda name: True, LIMIT):
            given_out.extend(pieces)

    with pytest.raises(Damaged, match="Crc"):
        read_all()
    assert b"".join(given_out)[: 2 * PIECE_BYTES] == FILES["Posts.xml"][: 2 * PIECE_BYTES]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" + bytes(100), b"7z\xbc\xaf'\x1c" + bytes(202)])
def test_what_is_no_archive_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        read(data)


def test_an_encrypted_archive_says_so() -> None:
    with pytest.raises(Encrypted, match=r"^it needs a password$"):
        read(packed({"Posts.xml": b"x"}, password="secret"))
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", password="secret", header_encryption=True) as archive:  # names too
        archive.writestr(b"x", "Posts.xml")
    with pytest.raises(Encrypted):
        read(out.getvalue())


def test_bombs_end_at_the_limit() -> None:
    """Whether it is in the file that is wanted, or in one before it."""
    zeros = bytes(40 << 20)
    for files in ({"Posts.xml": zeros}, {"Badges.xml": zeros, "Posts.xml": b"x"}):
        with pytest.raises(TooLarge):
            read(packed(files, "lzma2"), "Posts.xml".__eq__, 10 << 20)


def test_names_are_no_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Damaged):
        read(with_name(packed({"aaaaa/Posts.xml": b"x"}), "aaaaa", "../.."))
    assert read(packed({"a/b/Posts.xml": b"x"})) == {"a/b/Posts.xml": b"x"}
    assert list(tmp_path.iterdir()) == []


def with_name(data: bytes, old: str, new: str) -> bytes:
    """An archive whose header is not packed, with another name in it."""
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", filters=[{"id": py7zr.FILTER_COPY}]) as archive:
        archive.set_encoded_header_mode(False)
        archive.writestr(b"x", f"{old}/Posts.xml")
    return checked(out.getvalue().replace(old.encode("utf-16-le"), new.encode("utf-16-le")))


def checked(data: bytes) -> bytes:
    """The archive with right checksums over whatever its headers hold now."""
    body = bytearray(data)
    offset, size = struct.unpack_from("<QQ", body, 12)
    struct.pack_into("<I", body, 28, zlib.crc32(body[32 + offset : 32 + offset + size]))
    struct.pack_into("<I", body, 8, zlib.crc32(body[12:32]))
    return bytes(body)


def test_an_error_of_the_storage_is_no_damage() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "input/output error")

    with pytest.raises(OSError, match="input/output"):
        list(read_members(Broken(packed(FILES)), lambda name: True, LIMIT))


SOUND = [packed({"Posts.xml": b"<posts/>" * 50}, method) for method in METHODS]
CHANGES = st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))


@given(st.sampled_from(range(len(SOUND))), st.lists(CHANGES, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_headers_may_hold_anything(sound: int, changes: list[tuple[float, int]]) -> None:
    """With checksums that are right, so that the values are looked at."""
    data = bytearray(SOUND[sound])
    start = 32 + struct.unpack_from("<Q", data, 12)[0]
    for place, value in changes:
        data[start + int(place * (len(data) - start))] = value
    try:
        found = read(checked(bytes(data)), limit=1 << 20)
    except (Damaged, TooLarge):
        return
    assert sum(map(len, found.values())) <= 1 << 20
