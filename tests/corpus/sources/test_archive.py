import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources.archive import Damaged, Limited, Member, Tar, TooLarge, Zip, is_tar

FILES = {"a.tex": b"alpha" * 300, "b/empty": b"", "b/" + "long" * 60 + ".tex": b"beta", "last": b"x" * 512}


def make_tar(format: int = tarfile.PAX_FORMAT, comment: str | None = None) -> bytes:
    out = io.BytesIO()
    headers = {} if comment is None else {"comment": comment}
    with tarfile.open(fileobj=out, mode="w", format=format, pax_headers=headers) as archive:
        for name, kind in (("b", tarfile.DIRTYPE), ("link", tarfile.SYMTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type = kind
            entry.linkname = "a.tex"
            archive.addfile(entry)
        for name, data in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def make_zip(compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        archive.mkdir("b")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "a.tex")
        for name, data in FILES.items():
            archive.writestr(name, data)
        archive.comment = b"c0ffee"
    return out.getvalue()


def content(member: Member) -> bytes | None:
    try:
        return member.read(1 << 20)
    except Damaged:
        return None


def listing(archive: Tar | Zip) -> list[tuple[int, str, bytes | None]]:
    return [(m.record, m.name, content(m)) for m in archive]


EXPECTED = [(i, name, data) for i, (name, data) in enumerate(FILES.items())]


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_regular_files_of_a_tar(format: int) -> None:
    assert listing(Tar(io.BytesIO(make_tar(format)))) == EXPECTED
    assert listing(Tar(gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(make_tar(format)))))) == EXPECTED


def test_regular_files_of_a_zip() -> None:
    archive = Zip(io.BytesIO(make_zip()))
    assert listing(archive) == EXPECTED
    assert archive.comment == "c0ffee"


def test_git_s_comment() -> None:
    archive = Tar(io.BytesIO(make_tar(comment="45807ead33765c")))
    assert listing(archive) == EXPECTED
    assert archive.comment == "45807ead33765c"


def test_as_tarfile_reads_real_archives(shared_data: Path) -> None:
    for path in sorted((shared_data / "github").glob("*.tar.gz")):
        with tarfile.open(path) as archive:
            expected = [(m.name, archive.extractfile(m).read()) for m in archive if m.isreg()]
        with gzip.open(path) as stream:
            assert [(name, data) for _, name, data in listing(Tar(stream))] == expected


def test_a_long_member_is_passed_over() -> None:
    members = [m.read(600) for m in Tar(io.BytesIO(make_tar()))]
    assert members == [None, b"", b"beta", b"x" * 512]


def test_a_damaged_header_costs_one_record() -> None:
    data = bytearray(make_tar(tarfile.GNU_FORMAT))
    at = data.index(b"b/empty")
    data[at] ^= 1
    assert listing(Tar(io.BytesIO(data))) == [EXPECTED[0], (1, "", None), *EXPECTED[2:]]


def test_a_cut_costs_the_record_it_touches() -> None:
    data = make_tar(tarfile.GNU_FORMAT)
    cut = data[: data.index(b"beta") + 2]
    assert listing(Tar(io.BytesIO(cut))) == [*EXPECTED[:2], (2, EXPECTED[2][1], None)]
    stream = gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(data)[:-20]))
    found = listing(Tar(stream))
    assert found[-1][2] is None
    assert found[:-1] == EXPECTED[: len(found) - 1]


def test_a_damaged_zip_member_costs_itself() -> None:
    data = bytearray(make_zip(zipfile.ZIP_STORED))
    data[data.index(b"beta")] ^= 0xFF
    found = listing(Zip(io.BytesIO(data)))
    assert [row for row in found if row[2] is not None] == [EXPECTED[0], EXPECTED[1], EXPECTED[3]]
    assert found[2] == (2, EXPECTED[2][1], None)


@settings(max_examples=200)
@given(st.data())
def test_damage_never_raises_anything_else(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([make_tar(), make_zip(), gzip.compress(make_tar(), mtime=0)])))
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=8)):
        raw[at] ^= data.draw(st.integers(1, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    stream = io.BytesIO(raw)
    try:
        archive = (
            Zip(stream) if raw[:1] == b"P" else Tar(gzip.GzipFile(fileobj=stream) if raw[:1] == b"\x1f" else stream)
        )
    except Damaged:
        return
    records = [record for record, _, _ in listing(archive)]
    assert records == list(range(len(records)))


def test_a_limit_is_exact() -> None:
    assert Limited(io.BytesIO(b"12345"), 5).read() == b"12345"
    with pytest.raises(TooLarge):
        Limited(io.BytesIO(b"12345"), 4).read()
    stream = Limited(io.BytesIO(b"12345"), 4)
    assert stream.read(4) == b"1234"
    with pytest.raises(TooLarge):
        stream.read(1)


def test_is_tar() -> None:
    assert is_tar(make_tar()[:512])
    assert not is_tar(b"\\documentclass{article}".ljust(512))
    assert not is_tar(bytes(512))
    assert not is_tar(b"")
