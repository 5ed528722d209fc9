"""Books as text, HTML and EPUB files, as Project Gutenberg and others give them."""

import re
from collections.abc import Iterator
from hashlib import sha1
from io import BytesIO
from pathlib import PurePosixPath
from typing import IO, ClassVar, NamedTuple

from corpus.schema import Document, Origin, Rejected
from corpus.sources.archive import Damaged, TooLarge, Zip, is_zip, member_content
from corpus.sources.book_encoding import decode_book
from corpus.sources.book_html import html_book
from corpus.sources.epub import Encrypted, is_epub, read_epub
from corpus.sources.raw import Split, open_raw
from corpus.sources.source import Source
from corpus.text.languages import ISO_639_1

_TEXT_BYTES = 64 << 20
"""What is longer is no book (the human genome is in Project Gutenberg too); also the limit on an archive's member."""
_MARKUP_BYTES = 32 << 20
"""Of HTML, all pages of an EPUB together: memory holds it several times."""

_HEADER_CHARACTERS = 1 << 14
_CHUNK = 1 << 20

_KINDS = {
    **dict.fromkeys(("", ".txt", ".text", ".utf8", ".utf-8"), "text"),
    **dict.fromkeys((".htm", ".html", ".xhtml"), "html"),
    ".epub": "epub",
}
_NUMBER = re.compile(r"\[?\b(?:e-?book|e-?text)[ ]+\#[ ]*(\d+)", re.IGNORECASE | re.VERBOSE)
_NUMBER_IN_URL = re.compile(r"gutenberg\.org/(?:ebooks/|files/|etext/)?(\d+)")
_NUMBERED_FILE = re.compile(r"(?:pg)?(\d+)(?:[-.]|$)")
_NUMBERED_FOLDER = re.compile(r".*_(\d+)")
_FIELDS = {
    **{"Title": "title", "Author": "author", "Editor": "editor", "Translator": "translator"},
    **{"Posting Date": "release", "Release Date": "release"},
}
_FIELD = re.compile(rf"({'|'.join(_FIELDS)}|Language):\s*(.*)")
_OTHER_FIELD = re.compile(r"[A-Z][\w ]{1,30}:\s|[\[*]")
_ENCODING_FIELD = re.compile(rb"^Cha[rt]acter set encoding:([^\r\n]*)", re.MULTILINE)
_LANGUAGE_FIELD = re.compile(rb"^Language:([^\r\n]*)", re.MULTILINE)
_OF_GUTENBERG = re.compile(r"Project\s+Gutenberg", re.IGNORECASE)
_CONTROLS = bytes([*range(9), *range(14, 32)])
_CONTROL_SHARE = 0.001
"""Of the characters: books have a stray one (DOS's end of file, an escape), other files have many."""


class _Book(NamedTuple):
    """What a file says. `fields` and `counts` go into the metadata, but for empty ones."""

    text: str
    encoding: str
    language: str | None
    fields: dict[str, str | None]
    counts: dict[str, int]
    number: str | None = None


class Books(Source):
    """A raw record is one book: a text file, a page of HTML, or an EPUB, loose or in a zip. Archives are read as
    streams, their names never used as paths.

    The encoding is that which the bytes show (`corpus.sources.book_encoding`); `metadata` tells the `encoding` used,
    and as `replaced` how many U+FFFD stand for broken bytes. Line ends become "\\n". HTML becomes text in which blocks
    stay blocks (`corpus.text.html_blocks`), without the `page_numbers` of the printed book, which are counted. Pages of
    an EPUB come in its own order (`corpus.sources.epub`); `lost_pages` counts those that are damaged or not there.
    Header and licence of Project Gutenberg stay: the cleaner `gutenberg` removes them.

    Reasons: `unsupported_file` (none of these by name and content), `not_text` (control characters), `too_large` (64
    MiB of text, 32 MiB of HTML or pages of an EPUB; what an archive holds is not unpacked then), `damaged_archive`,
    `encrypted`, `empty`.

    Attributes:
        collection: second part of the ids; of "gutenberg", numbers lead to gutenberg.org.
    """

    version: ClassVar[int] = 2
    formats: ClassVar[str] = ".txt, .html, .epub, and .zip of them"
    text_per_raw: ClassVar[float] = 1.0
    document_bytes: ClassVar[int] = 450_000  # of the order that RedPajama-v1's counts give

    collection: str = "gutenberg"

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            with open_raw(root, piece.path) as file:
                head = file.read(4)
                file.seek(0)
                if is_zip(head):
                    yield from self._zip(piece.path, file)
                    continue
                data = file.read(_TEXT_BYTES + 1)
            yield self._loose(Origin(piece.path, record=0), PurePosixPath(piece.path), data)

    def raw(self, root: str, origin: Origin) -> bytes:
        with open_raw(root, origin.file) as file:
            return file.read() if origin.member is None else member_content(Zip(file), origin)

    def _zip(self, path: str, file: IO[bytes]) -> Iterator[Document | Rejected]:
        try:
            archive = Zip(file)
        except Damaged as error:
            yield Rejected(Origin(path, record=0), "damaged_archive", str(error))
            return
        if is_epub(archive):
            yield self._epub(Origin(path, record=0), PurePosixPath(path), archive, file)
            return
        names: set[str] = set()
        for member in archive:
            origin = Origin(path, member.name, record=member.record)
            name = f"{path}/{member.name}"
            if _kind(member.name) is None:
                yield Rejected(origin, "unsupported_file", member.name)
                continue
            if member.size > _TEXT_BYTES:
                yield Rejected(origin, "too_large", f"{member.size} bytes, and {_TEXT_BYTES} may be")
                continue
            try:
                data = member.read(_TEXT_BYTES) or b""
            except Damaged as error:
                yield Rejected(origin, "damaged_archive", str(error))
                continue
            if name in names:  # two members with one name are two books
                name = f"{name}#{member.record}"
            names.add(name)
            yield self._loose(origin, PurePosixPath(name), data)

    def _loose(self, origin: Origin, path: PurePosixPath, data: bytes) -> Document | Rejected:
        """`path` is that of the file below the input, with that of the member behind it."""
        kind = _kind(origin.member or origin.file)
        if kind is None:
            return Rejected(origin, "unsupported_file", "give the .txt, .html or .epub of the book, or a .zip of it")
        if kind == "epub":
            file = BytesIO(data)
            try:
                return self._epub(origin, path, Zip(file), file)
            except Damaged as error:
                return Rejected(origin, "damaged_archive", str(error))
        limit = _TEXT_BYTES if kind == "text" else _MARKUP_BYTES
        if len(data) > limit:
            return Rejected(origin, "too_large", f"over {limit} bytes")
        return self._document(origin, path, _plain(data) if kind == "text" else _html(data), sha1(data).hexdigest())

    def _epub(self, origin: Origin, path: PurePosixPath, archive: Zip, file: IO[bytes]) -> Document | Rejected:
        try:
            epub = read_epub(archive, _MARKUP_BYTES)
        except Damaged as error:
            return Rejected(origin, "damaged_archive", str(error))
        except Encrypted:
            return Rejected(origin, "encrypted", "all its pages are (digital rights management)")
        except TooLarge:
            return Rejected(origin, "too_large", f"its pages hold over {_MARKUP_BYTES} bytes")
        said = epub.fields
        number = _NUMBER_IN_URL.search(said.get("identifier", ""))
        book = _Book(
            text=epub.pages.text,
            encoding=epub.pages.encoding,
            language=_language(re.sub(r"-\w+", "", said.get("language", ""))),
            fields={
                **{"title": said.get("title"), "author": said.get("creator"), "release": said.get("date")},
                **{"rights": said.get("rights"), "order": None if epub.in_order else "of the archive"},
            },
            counts={
                "replaced": epub.pages.replaced,
                "page_numbers": epub.pages.page_numbers,
                "lost_pages": epub.lost,
            },
            number=number[1] if number else None,
        )
        file.seek(0)
        digest = sha1()
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            digest.update(chunk)
        return self._document(origin, path, book, digest.hexdigest())

    def _document(self, origin: Origin, path: PurePosixPath, book: _Book, digest: str) -> Document | Rejected:
        encoded = book.text.encode("utf-8", "replace")
        if (controls := len(encoded) - len(encoded.translate(None, _CONTROLS))) > _CONTROL_SHARE * len(book.text):
            return Rejected(origin, "not_text", f"{controls} control characters among {len(book.text)}")
        if not book.text.strip():
            return Rejected(origin, "empty")
        beginning = book.text[:_HEADER_CHARACTERS]
        number = book.number or _number(beginning, path)
        fields = {name: value for name, value in book.fields.items() if value}
        counts = {name: count for name, count in book.counts.items() if count}
        return Document(
            id=f"books:{self.collection}:{number or digest[:12]}/{path}",
            text=book.text,
            origin=origin,
            language=book.language,
            license="project-gutenberg" if _OF_GUTENBERG.search(beginning) else None,
            url=f"https://www.gutenberg.org/ebooks/{number}" if number and self.collection == "gutenberg" else None,
            metadata={**fields, "encoding": book.encoding, **counts},
        )


def _kind(name: str) -> str | None:
    return _KINDS.get(PurePosixPath(name).suffix.lower())


def _plain(data: bytes) -> _Book:
    beginning = data[:_HEADER_CHARACTERS]
    declared, language = _ENCODING_FIELD.search(beginning), _LANGUAGE_FIELD.search(beginning)
    decoded = decode_book(
        data,
        declared[1].decode("latin-1") if declared else None,
        _language(language[1].decode("latin-1")) if language else None,
    )
    text = decoded.text.replace("\r\n", "\n").replace("\r", "\n")
    return _of_gutenberg(text, decoded.encoding, {"replaced": decoded.replaced})


def _html(data: bytes) -> _Book:
    pages = html_book([data])
    book = _of_gutenberg(pages.text, pages.encoding, {"replaced": pages.replaced, "page_numbers": pages.page_numbers})
    return book._replace(language=book.language or pages.language, fields={"title": pages.title, **book.fields})


def _of_gutenberg(text: str, encoding: str, counts: dict[str, int]) -> _Book:
    """With the fields of Project Gutenberg's header."""
    header = _header(text[:_HEADER_CHARACTERS])
    fields: dict[str, str | None] = {key: header[field] for field, key in _FIELDS.items() if header.get(field)}
    return _Book(text, encoding, _language(header.get("Language", "")), fields, counts)


def _header(beginning: str) -> dict[str, str]:
    """The named fields of Project Gutenberg's header; a field goes on to the next blank line or field."""
    fields: dict[str, str] = {}
    name = ""
    for line in beginning.split("\n"):
        if match := _FIELD.match(line):
            name = match[1]
            if name in fields:
                name = ""
            else:
                fields[name] = match[2].strip()
        elif not line.strip() or _OTHER_FIELD.match(line):
            name = ""
        elif name:
            fields[name] = f"{fields[name]} {line.strip()}".strip()
    for name in ("Release Date", "Posting Date"):
        if name in fields:
            fields[name] = fields[name].partition("[")[0].strip()
    return fields


def _number(beginning: str, path: PurePosixPath) -> str | None:
    """From the header, else the name of the file, else the nearest folder that ends in one."""
    if match := _NUMBER.search(beginning):
        return match[1]
    if match := _NUMBERED_FILE.match(path.name):
        return match[1]
    numbered = (_NUMBERED_FOLDER.fullmatch(folder.name) for folder in path.parents)
    return next((match[1] for match in numbered if match), None)


def _language(named: str) -> str | None:
    """ISO 639-1 code of the one language named; None where several are, or none that is known."""
    found = {
        ISO_639_1.get(word, word if word in ISO_639_1.values() else None)
        for word in (part.strip().lower() for part in re.split(r",|;|/|&|\band\b", named))
        if word
    }
    return found.pop() if len(found) == 1 else None
