"""Listings: what a line says, what is kept, and when a kept one is asked for anew."""

import gzip
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpus.download.fetch import RemoteFile
from corpus.download.listing import Listing, describe, read_listing
from corpus.errors import UserError
from corpus.sources.raw import file_sizes

MD5, SHA1, SHA256 = (hashlib.new(kind, b"").hexdigest() for kind in ("md5", "sha1", "sha256"))


def test_lines(tmp_path: Path) -> None:
    path = tmp_path / "paths.gz"
    lines = f"crawl/a.gz\n# note\n\ncrawl/b.gz {SHA256.upper()}\nc {MD5} 12\nd - 7 x/%C3%A9%20d\ne {SHA1} - e\n"
    path.write_bytes(gzip.compress(lines.encode()))
    assert read_listing(str(path), "https://host/") == [
        RemoteFile("https://host/crawl/a.gz"),
        RemoteFile("https://host/crawl/b.gz", SHA256),
        RemoteFile("https://host/c", MD5, 12),
        RemoteFile("https://host/d", "", 7, "x/é d"),
        RemoteFile("https://host/e", SHA1, None, "e"),
    ]
    with pytest.raises(UserError, match=r"paths\.gz:1: crawl/a\.gz is not a URL: give --base"):
        read_listing(str(path))


def test_a_file_that_is_listed_twice_is_fetched_once(tmp_path: Path) -> None:
    path = tmp_path / "paths"
    path.write_text("https://host/a.gz\nhttps://host/b.gz\nhttps://host/a.gz\n")
    assert [file.name for file in read_listing(str(path))] == ["a.gz", "b.gz"]


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        ("https://host/a.gz\nhttps://mirror/a.gz\n", r":2: https://mirror/a.gz is stored as a.gz, as is https://host"),
        ("https://host/a.gz?v=1\nhttps://host/a.gz?v=2\n", ":2: .* is stored as a.gz"),
        (f"https://host/a.gz\nhttps://host/a.gz {MD5}\n", ":2: .* is stored as a.gz"),
        ("https://host/\n", ":1: https://host/ names no file"),
        ("https://[host/a\n", r":1: https://\[host/a is not a URL \(.*\): mend it"),
        ("https://host/a ABC\n", ":1: ABC is no MD5, SHA-1 or SHA-256"),
        (f"https://host/a {MD5} many\n", ":1: a line is URL, checksum, bytes, path"),
        (f"https://host/a {MD5} 1 a b\n", ":1: a line is URL, checksum, bytes, path"),
        ("# nothing\n", "names no file"),
    ],
)
def test_a_listing_that_makes_no_sense(tmp_path: Path, listing: str, message: str) -> None:
    path = tmp_path / "paths"
    path.write_text(listing)
    with pytest.raises(UserError, match=message):
        read_listing(str(path))


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("paths", b"\xff\n"),
        ("paths.gz", b"text"),
        ("paths.gz", gzip.compress(b"https://host/a", mtime=0)[:12]),
        ("paths.gz", b"\x1f\x8b\x08" + b"\xff" * 20),
    ],
)
def test_a_damaged_listing(tmp_path: Path, name: str, damaged: bytes) -> None:
    (tmp_path / name).write_bytes(damaged)
    with pytest.raises(UserError, match="cannot be read"):
        read_listing(str(tmp_path / name))


def test_no_listing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"listing .*/none does not exist: give a file"):
        read_listing(str(tmp_path / "none"))


# Kept


def listing(make: Callable[[], Sequence[RemoteFile]], asked: str = "books from https://host") -> Listing:
    return Listing("allenai/c4-en/*", asked, make)


def unasked() -> Sequence[RemoteFile]:
    raise AssertionError("the origin is asked though there is a listing")


def test_a_listing_is_kept_and_not_asked_for_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        RemoteFile("https://host/a%20b", SHA1, 5, "é b"),
        RemoteFile("s3://arxiv/c"),
        RemoteFile("https://host/d", path="x/d"),
    ]
    first = listing(lambda: files).files(str(tmp_path))
    again = listing(unasked).files(str(tmp_path))
    assert [(file.url, file.checksum, file.size, file.name) for file in first] == [
        (file.url, file.checksum, file.size, file.name) for file in files
    ]
    assert again == first
    path = tmp_path / "allenai_c4-en_.listing"
    assert {file.remedy for file in first + again} == {
        f"if it stays so, remove {path} and run again, which asks for a new listing"
    }
    assert f"{path} (remove it to ask for a new one)" in capsys.readouterr().out
    assert read_listing(str(path)) == first  # `corpus download listing` takes it


def test_without_keeping_nothing_is_written(tmp_path: Path) -> None:
    listing(lambda: [RemoteFile("https://host/a")]).files(str(tmp_path / "out"), keep=False)
    assert list(tmp_path.iterdir()) == []


def test_the_listing_of_something_else_is_not_taken(tmp_path: Path) -> None:
    listing(lambda: [RemoteFile("https://host/a")]).files(str(tmp_path))
    with pytest.raises(UserError, match=r"\.listing lists books from https://host: remove it to fetch others"):
        listing(unasked, "others").files(str(tmp_path))


@pytest.mark.parametrize(
    "error",
    [ValueError("no\nJSON"), KeyError("size"), TypeError(), SyntaxError("XML"), EOFError(), gzip.BadGzipFile("no")],
)
def test_an_answer_that_is_no_listing_is_one_line(tmp_path: Path, error: Exception) -> None:
    def make() -> Sequence[RemoteFile]:
        raise error

    with pytest.raises(UserError, match=r"what came is no listing of books from https://host \(") as told:
        listing(make).files(str(tmp_path))
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "files", [[], [RemoteFile("https://host/a", "abc")], [RemoteFile("https://host/a"), RemoteFile("https://b/a")]]
)
def test_a_listing_that_cannot_be_fetched_is_not_kept(tmp_path: Path, files: list[RemoteFile]) -> None:
    with pytest.raises(UserError):
        listing(lambda: files).files(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_sources_leave_listings_out(tmp_path: Path) -> None:
    listing(lambda: [RemoteFile("https://host/a")]).files(str(tmp_path))
    (tmp_path / "a").write_bytes(b"12")
    (tmp_path / "b.part").write_bytes(b"1")
    assert file_sizes(str(tmp_path)) == {"a": 2}


@example([("-", "", None)])
@given(st.lists(st.tuples(st.text(min_size=1), st.sampled_from(["", MD5, SHA1, SHA256]), st.integers(0) | st.none())))
def test_any_file_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int]]
) -> None:
    files = {}
    for number, (path, checksum, size) in enumerate(rows):
        file = RemoteFile(f"https://host/{number}", checksum, size, path)
        if file.name:
            files.setdefault(file.name, file)
    if not files:
        return
    folder = tmp_path_factory.mktemp("out")
    for found in (listing(lambda: list(files.values())).files(str(folder)), listing(unasked).files(str(folder))):
        assert [(f.url, f.checksum, f.size, f.name) for f in found] == [
            (f.url, f.checksum, f.size, f.name) for f in files.values()
        ]


def test_what_is_known_of_the_size() -> None:
    known, unknown = RemoteFile("https://host/a", size=1_500_000_000), RemoteFile("https://host/b")
    assert describe([known] * 2) == "2 files, 3.00 GB"
    assert describe([unknown]) == "1 file of unknown size"
    assert describe([known, unknown]) == "2 files, 1.50 GB without 1 of unknown size"
    assert describe([RemoteFile("https://host/c", size=20_000)]) == "1 file, 0.02 MB"
    assert describe([known] * 1500) == "1,500 files, 2,250.00 GB"
