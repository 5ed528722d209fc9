"""Books as text files, as Project Gutenberg gives them."""

import codecs
import re
from collections.abc import Iterator
from hashlib import sha1
from pathlib import PurePosixPath
from typing import IO, ClassVar

from corpus.schema import Document, Origin, Rejected
from corpus.sources.archive import Damaged, Zip, is_zip, member_content
from corpus.sources.raw import Split, open_raw
from corpus.sources.source import Source
from corpus.text.languages import ISO_639_1

_BOOK_BYTES = 64 << 20
"""What is longer is no book (the human genome is in Project Gutenberg too); also the limit on an archive's member."""

_HEADER_CHARACTERS = 1 << 14

_TEXT_SUFFIXES = ("", ".txt", ".text", ".utf8", ".utf-8")

_NUMBER = re.compile(r"\[?\b(?:e-?book|e-?text)[ ]+\#[ ]*(\d+)", re.IGNORECASE | re.VERBOSE)
_NUMBERED_FILE = re.compile(r"(?:pg)?(\d+)(?:[-.]|$)")
_NUMBERED_FOLDER = re.compile(r".*_(\d+)")
_FIELDS = {
    **{"Title": "title", "Author": "author", "Editor": "editor", "Translator": "translator"},
    **{"Posting Date": "release", "Release Date": "release"},
}
_FIELD = re.compile(rf"({'|'.join(_FIELDS)}|Language):\s*(.*)")
_OTHER_FIELD = re.compile(r"[A-Z][\w ]{1,30}:\s|[\[*]")
_OF_GUTENBERG = re.compile(r"Project\s+Gutenberg", re.IGNORECASE)
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1f]")
_CONTROL_SHARE = 0.001
"""Of the characters: books have a stray one (DOS's end of file, an escape), other files have many."""


class Books(Source):
    """A raw record is one text file, or one regular file in a zip; archives are read as streams.

    The bytes are UTF-8 if they are valid UTF-8; else what the header's "Character set encoding" says, unless that is
    ASCII, Latin-1 or UTF-8 itself; else Windows-1252, and Latin-1 where that has no such character. A file that claims
    UTF-8 (header or byte order mark) but is damaged stays UTF-8 with U+FFFD. `metadata` tells the `encoding` used, and
    as `replaced` how many U+FFFD were put in. Line ends become "\\n". Header and licence stay: the cleaner `gutenberg`
    removes them.

    Reasons: unsupported_file (neither .txt nor .zip by name and content), not_text (control characters), too_large,
    damaged_archive, empty.

    Attributes:
        collection: second part of the ids; of "gutenberg", numbers lead to gutenberg.org.
    """

    version: ClassVar[int] = 1
    formats: ClassVar[str] = ".txt, and .zip of them"
    text_per_raw: ClassVar[float] = 1.0
    document_bytes: ClassVar[int] = 450_000  # of the order that RedPajama-v1's counts give

    collection: str = "gutenberg"

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            with open_raw(root, piece.path) as file:
                head = file.read(4)
                file.seek(0)
                if is_zip(head):
                    yield from self._archive(piece.path, file)
                    continue
                data = file.read(_BOOK_BYTES + 1)
            yield self._book(Origin(piece.path, record=0), data if len(data) <= _BOOK_BYTES else None)

    def raw(self, root: str, origin: Origin) -> bytes:
        with open_raw(root, origin.file) as file:
            return file.read() if origin.member is None else member_content(Zip(file), origin)

    def _archive(self, path: str, file: IO[bytes]) -> Iterator[Document | Rejected]:
        try:
            archive = Zip(file)
        except Damaged as error:
            yield Rejected(Origin(path, record=0), "damaged_archive", str(error))
            return
        for member in archive:
            origin = Origin(path, member.name, record=member.record)
            if not _is_text_name(member.name):
                yield Rejected(origin, "unsupported_file", member.name)
                continue
            try:
                data = member.read(_BOOK_BYTES)
            except Damaged as error:
                yield Rejected(origin, "damaged_archive", str(error))
                continue
            yield self._book(origin, data)

    def _book(self, origin: Origin, data: bytes | None) -> Document | Rejected:
        path = PurePosixPath(origin.file) if origin.member is None else PurePosixPath(origin.file, origin.member)
        if not _is_text_name(path.name):
            return Rejected(origin, "unsupported_file", "give the .txt of the book, or a .zip of it")
        if data is None:
            return Rejected(origin, "too_large", f"over {_BOOK_BYTES} bytes")
        text, encoding, replaced = _decoded(data)
        if (controls := len(_CONTROL.findall(text))) > _CONTROL_SHARE * len(text):
            return Rejected(origin, "not_text", f"{controls} control characters among {len(text)}")
        if not text.strip():
            return Rejected(origin, "empty")
        beginning = text[:_HEADER_CHARACTERS]
        header = _header(beginning)
        number = _number(beginning, path)
        metadata: dict[str, str | int] = {key: header[field] for field, key in _FIELDS.items() if header.get(field)}
        metadata["encoding"] = encoding
        if replaced:
            metadata["replaced"] = replaced
        return Document(
            id=f"books:{self.collection}:{number or sha1(data).hexdigest()[:12]}/{path.name}",
            text=text,
            origin=origin,
            language=_language(header.get("Language", "")),
            license="project-gutenberg" if _OF_GUTENBERG.search(beginning) else None,
            url=f"https://www.gutenberg.org/ebooks/{number}" if number and self.collection == "gutenberg" else None,
            metadata=metadata,
        )


def _is_text_name(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _TEXT_SUFFIXES


def _decoded(data: bytes) -> tuple[str, str, int]:
    """The text with lines ended by "\\n", the name of its encoding, and how many U+FFFD stand for broken bytes."""
    encodings = ["utf-8", "cp1252"]
    found = re.search(rb"^Cha[rt]acter set encoding:([^\r\n]*)", data[:_HEADER_CHARACTERS], re.MULTILINE)
    declared = _codec(found[1].decode("latin-1")) if found else None
    if declared == "utf-8" or data.startswith(codecs.BOM_UTF8):
        encodings = ["utf-8"]
    elif declared not in (None, "ascii", "iso8859-1"):
        encodings.insert(1, declared)
    for encoding in encodings:
        try:
            return _lines(data.decode(encoding)), encoding, 0
        except UnicodeDecodeError:
            continue
    if "cp1252" in encodings:
        return _lines(data.decode("latin-1")), "latin-1", 0
    text = data.decode("utf-8", "replace")
    return _lines(text), "utf-8", text.count("\ufffd") - data.count("\ufffd".encode())


def _codec(declared: str) -> str | None:
    """Of "ISO-8859-1", "ISO-646-US (US-ASCII)", "Unicode UTF-8", "Codepage 1252", ...; None where unknown."""
    for word in re.findall(r"[\w-]+", declared.lower()):
        for name in (word, f"cp{word}"):
            try:
                return codecs.lookup(name).name
            except LookupError:
                continue
    return None


def _lines(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


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
