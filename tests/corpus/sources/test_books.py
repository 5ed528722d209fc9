"""Book files: encodings, ids, what the header says."""

import io
import zipfile
from pathlib import Path

import pytest

from corpus.schema import Document, Origin, Rejected
from corpus.sources import books
from corpus.sources.books import Books
from corpus.sources.raw import Piece, Split, list_files

HEADER = """The Project Gutenberg EBook of A Tale, by Émile Nobody

Title: A Tale
of Two Lines

Author: Émile Nobody

Release Date: June 17, 2008 [EBook #84]
Language: {language}

Character set encoding: {encoding}

*** START OF THIS PROJECT GUTENBERG EBOOK A TALE ***

Language: not a field of the header
“Text – text”
"""


def read(folder: Path, data: bytes, name: str = "84-0.txt", **settings: str) -> list[Document | Rejected]:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return list(Books(**settings).read(str(folder), Split((Piece(name),))))


def book(folder: Path, data: bytes, name: str = "84-0.txt", **settings: str) -> Document:
    (found,) = read(folder, data, name, **settings)
    assert isinstance(found, Document)
    return found


def test_what_the_header_says(tmp_path: Path) -> None:
    found = book(tmp_path, HEADER.format(language="French", encoding="UTF-8").encode(), "some.txt")
    assert found.id == "books:gutenberg:84/some.txt"
    assert found.language == "fr"
    assert found.license == "project-gutenberg"
    assert found.url == "https://www.gutenberg.org/ebooks/84"
    assert found.metadata == {
        "title": "A Tale of Two Lines",
        "author": "Émile Nobody",
        "release": "June 17, 2008",
        "encoding": "utf-8",
    }


@pytest.mark.parametrize(
    ("named", "code"),
    [("English", "en"), ("en", "en"), ("English, Latin", None), ("Klingon", None), ("", None), ("Spanish; ", "es")],
)
def test_languages(tmp_path: Path, named: str, code: str | None) -> None:
    assert book(tmp_path, HEADER.format(language=named, encoding="UTF-8").encode()).language == code


@pytest.mark.parametrize(
    ("declared", "actual", "found"),
    [
        ("UTF-8", "utf-8", "utf-8"),
        ("UTF-8", "utf-8-sig", "utf-8"),
        ("ISO-8859-1", "cp1252", "cp1252"),
        ("ASCII", "cp1252", "cp1252"),
        ("ASCII", "utf-8", "utf-8"),
        ("nonsense", "cp1252", "cp1252"),
        ("Codepage 1250", "cp1250", "cp1250"),
        ("MacRoman", "mac-roman", "mac-roman"),
    ],
)
def test_encodings(tmp_path: Path, declared: str, actual: str, found: str) -> None:
    text = HEADER.format(language="English", encoding=declared)
    document = book(tmp_path, text.encode(actual))
    assert document.text == text
    assert document.metadata["encoding"] == found


def test_fallbacks(tmp_path: Path) -> None:
    latin = book(tmp_path, b"caf\xe9 \x81")
    assert (latin.text, latin.metadata) == ("café \x81", {"encoding": "latin-1"})
    broken = book(tmp_path, b"\xef\xbb\xbfcaf\xc3\xa9 \xff \xef\xbf\xbd")
    assert (broken.text, broken.metadata) == ("café \ufffd \ufffd", {"encoding": "utf-8", "replaced": 1})


def test_line_ends(tmp_path: Path) -> None:
    assert book(tmp_path, b"a\r\nb\rc\nd").text == "a\nb\nc\nd"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("11.txt", "11"),
        ("14263-8.txt", "14263"),
        ("pg394.txt", "394"),
        ("10026", "10026"),
        ("Frankenstein_84/old/frank10.txt", "84"),
        ("Two_2/Alice_11/alice30.txt", "11"),
        ("frank10.txt", "9f844856bbc7"),
    ],
)
def test_numbers(tmp_path: Path, name: str, number: str) -> None:
    """Without one, the first digits of the SHA-1 of the bytes (sha1sum)."""
    found = book(tmp_path, b"Just text, no header.", name, collection="mine")
    assert found.id == f"books:mine:{number}/{Path(name).name}"
    assert found.url is None


def test_zip_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "_BOOK_BYTES", 1000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("84.txt", "A book. " * 20)
        archive.writestr("84.png", b"\x89PNG")
        archive.writestr("../../11.txt", "Another book.")
        archive.writestr("12.txt", "b" * 2000)
    records = read(tmp_path, packed.getvalue(), "x.zip")
    assert [r.id if isinstance(r, Document) else r.reason for r in records] == [
        "books:gutenberg:84/84.txt",
        "unsupported_file",
        "books:gutenberg:11/11.txt",
        "too_large",
    ]
    assert [r.origin for r in records][2] == Origin("x.zip", "../../11.txt", record=2)
    assert Books().raw(str(tmp_path), records[2].origin) == b"Another book."
    (damaged,) = read(tmp_path, packed.getvalue()[:200], "y.zip")
    assert isinstance(damaged, Rejected)
    assert damaged.reason == "damaged_archive"


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "1.txt", "empty"),
        (b" \r\n", "1.txt", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "1.txt", "not_text"),
        ("text".encode("utf-16"), "1.txt", "not_text"),
        (b"<html>", "1.htm", "unsupported_file"),
        (b"a" * 2000, "1.txt", "too_large"),
    ],
)
def test_what_is_no_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, name: str, reason: str) -> None:
    monkeypatch.setattr(books, "_BOOK_BYTES", 1000)
    (found,) = read(tmp_path, data, name)
    assert isinstance(found, Rejected)
    assert found.reason == reason


def test_real_books(shared_data: Path) -> None:
    """Numbers as in the folders' names; nothing lost; each decoded as the list of the data says."""
    root = shared_data / "gutenberg"
    files = list_files(str(root))
    records = [record for split in Books().splits(files) for record in Books().read(str(root), split)]
    assert [record.origin.file for record in records] == [file.path for file in files]
    assert all(isinstance(record, Document) for record in records)
    found = {r.origin.file: r for r in records if isinstance(r, Document)}
    for path, document in found.items():
        assert Books().raw(str(root), document.origin) == (root / path).read_bytes()
        assert "\r" not in document.text
        assert "replaced" not in document.metadata
        if (folder := path.split("/")[0]).rpartition("_")[2].isdigit():
            assert document.id.startswith(f"books:gutenberg:{folder.rpartition('_')[2]}/")
    latin = {path for path, document in found.items() if document.metadata["encoding"] != "utf-8"}
    assert {path.rpartition("/")[2] for path in latin} == {"2000-8.txt", "14263-8.txt", "1661-8.txt", "advsh12.txt"}
    assert {document.language for document in found.values()} == {"en", "es", "fr", "la", None}
    assert "don Quijote de la Mancha" in found["Don-Quijote_2000/2000-8.txt"].text
    assert "Cámara del Rey nuestro señor" in found["Don-Quijote_2000/2000-8.txt"].text
