"""Stack Exchange data dumps: questions with their answers."""

import posixpath
import re
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import IO, Any, ClassVar, NamedTuple

from lxml import etree
from resiliparse.extract.html2text import extract_plain_text

from corpus.errors import UserError
from corpus.schema import Document, Origin, Rejected
from corpus.sources.raw import SPLIT_BYTES, Piece, RawFile, Split, group_files, open_raw
from corpus.sources.source import Source
from corpus.sources.times import utc_time

MAX_ROW_BYTES = 16 << 20
"""Longest row read. The sites limit a body to 30,000 characters."""

_CHUNK = 1 << 20
_CACHE_KIB = 1 << 16  # of the table of answers; the rest is on disk
_NO_ANSWER = (None, None, None)
_QUESTION, _ANSWER = "1", "2"  # PostTypeId
_ROW = re.compile(rb"<row[\s/>]")
_NUMBER = re.compile(r"-?\d{1,18}")
_TAG = re.compile(r"[^<>|]+")
_REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,8})|(\d{1,10}));")
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)  # huge_tree: attributes over 10 MB
_REPLACEMENT = "\ufffd".encode()
# https://stackoverflow.com/help/licensing: by the day a post was made
_LICENSES = (("2018-05-02", "cc-by-sa-4.0"), ("2011-04-08", "cc-by-sa-3.0"), ("", "cc-by-sa-2.5"))


class StackExchange(Source):
    """Questions of `<site>/Posts.xml`, one document each. A raw record is a `<row` of that file.

    The text is `Q: ` with title and body, then an `A: ` block for each answer, the highest score first (as numbers),
    of equal scores the lower id. HTML becomes text, with code, lists and paragraphs kept. A question counts itself
    and its answers as its records; one without answers is a document.

    Rows are found as bytes and parsed one by one, so that a broken row costs itself, and no declaration of an entity
    is ever read. Rows with bytes that are not UTF-8, or characters that XML forbids, are read with U+FFFD in
    their place (`replaced` in the metadata). The file is read twice; answers wait in a temporary SQLite database on
    disk, so memory does not grow with the site.

    `.7z` archives, the form the dumps are published in, are not read (LZMA streams cannot be split, and the file is
    read twice): unpack each into a folder named after its site.

    Reasons: `orphan_answer` (its question is not in the file), `other_post_type` (tag wikis, elections, ...),
    `no_post_type`, `bad_row` (not well-formed, or without a numeric Id), `row_too_long`, `duplicate_question`,
    `no_text`, `truncated` (the file ends before `</posts>` without a broken row), and for a whole file `not_posts`
    (other tables of the dump), `unsupported_file`, `other_site`.

    Attributes:
        sites: names of the folders to read; null = all.
    """

    version: ClassVar[int] = 1
    formats: ClassVar[str] = "`SITE/Posts.xml`"
    text_per_raw: ClassVar[float] = 0.6  # Posts.xml, measured on a few MB of real files
    document_bytes: ClassVar[int] = 2600  # of the order that RedPajama-v1's counts give

    sites: tuple[str, ...] | None = None

    def splits(self, files: Sequence[RawFile], split_bytes: int = SPLIT_BYTES) -> list[Split]:
        """One split a site, whatever its size, with the other files of its folder; all other files after them.

        Raises:
            UserError: a site of `sites` has no Posts.xml, or a Posts.xml is in no folder that names its site.
        """
        if any(_is_posts(file.path) and not _site(file.path) for file in files):
            raise UserError(
                "Posts.xml is directly in `input`: its folder names the site, so set `input` to the one above"
            )
        folders = [posixpath.dirname(file.path) for file in files if _is_posts(file.path) and self._wanted(file.path)]
        missing = sorted(set(self.sites or ()) - {posixpath.basename(folder) for folder in folders})
        if missing:
            raise UserError(
                f"`sites` names {', '.join(missing)}, but the input has no {missing[0]}/Posts.xml: unpack the "
                "dump there, or take the name out of `sites`"
            )
        splits = [
            Split(tuple(Piece(file.path) for file in files if posixpath.dirname(file.path) == folder))
            for folder in sorted(set(folders))
        ]
        planned = {piece.path for split in splits for piece in split.pieces}
        return splits + group_files((file for file in files if file.path not in planned), split_bytes)

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            if not _is_posts(piece.path):
                packed = piece.path.endswith(".7z")
                yield Rejected(
                    Origin(piece.path),
                    "unsupported_file" if packed else "not_posts",
                    "unpack it: 7z x -o<site> <site>.7z" if packed else "",
                )
            elif not self._wanted(piece.path):
                yield Rejected(Origin(piece.path), "other_site")
            else:
                # An empty name is a database in a temporary file, which SQLite removes also when the process dies.
                with open_raw(root, piece.path) as file, closing(sqlite3.connect("")) as database:
                    yield from _Site(piece.path, file, database).documents()

    def raw(self, root: str, origin: Origin) -> bytes:
        """The `<row .../>` of the question."""
        if origin.offset is None or origin.length is None:
            return b""
        with open_raw(root, origin.file) as file:
            file.seek(origin.offset)
            return file.read(origin.length)

    def _wanted(self, path: str) -> bool:
        return self.sites is None or _site(path) in self.sites


class _Row(NamedTuple):
    """A `<row` up to the next tag. `data` is empty where the row is longer than `MAX_ROW_BYTES`."""

    offset: int
    length: int
    data: bytes


class _Post(NamedTuple):
    id: int
    type: str
    parent: int
    score: int
    attributes: dict[str, str]
    replaced: bool


class _Site:
    """One Posts.xml."""

    def __init__(self, path: str, file: IO[bytes], database: sqlite3.Connection) -> None:
        self._path = path
        self._file = file
        self._database = database

    def documents(self) -> Iterator[Document | Rejected]:
        self._file.seek(0)
        if self._file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            yield Rejected(Origin(self._path), "unsupported_file", "UTF-16: convert it to UTF-8")
            return
        self._collect()
        # Rows of the table are in the order of the file, so one walk along it tells answers from the rest.
        answers = self._database.execute(
            "SELECT answer.offset, answer.parent, question.id FROM answer LEFT JOIN question "
            "ON question.id = answer.parent ORDER BY answer.rowid"
        )
        at, parent, known = next(answers, _NO_ANSWER)
        reason = ""
        for number, row in enumerate(_rows(self._file)):
            origin = Origin(self._path, offset=row.offset, length=row.length, record=number)
            reason = ""
            if row.offset == at:
                if known is None:
                    yield Rejected(origin, "orphan_answer", f"question {parent}")
                at, parent, known = next(answers, _NO_ANSWER)
                continue
            result = self._row(origin, row)
            reason = result.reason if isinstance(result, Rejected) else ""
            yield result
        if reason != "bad_row" and not _is_closed(self._file):
            yield Rejected(Origin(self._path), "truncated", "no </posts> at the end: fetch the file again")

    def _collect(self) -> None:
        """First reading: the answers, and where each question is."""
        run = self._database.execute
        run(f"PRAGMA cache_size = -{_CACHE_KIB}")
        run("PRAGMA journal_mode = OFF")
        run("CREATE TABLE question (id INTEGER PRIMARY KEY, offset INTEGER)")
        run(
            "CREATE TABLE answer (parent INTEGER, score INTEGER, id INTEGER, offset INTEGER, license TEXT,"
            " replaced INTEGER, text BLOB)"
        )
        for row in _rows(self._file):
            post = _parse(row)
            if isinstance(post, str):
                continue
            if post.type == _QUESTION:
                run("INSERT OR IGNORE INTO question VALUES (?, ?)", (post.id, row.offset))
            elif post.type == _ANSWER:
                text = zlib.compress(html_text(post.attributes.get("Body", "")).encode("utf-8"), 1)
                values = (post.parent, post.score, post.id, row.offset, _license(post), post.replaced, text)
                run("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        run("CREATE INDEX answer_parent ON answer (parent)")

    def _row(self, origin: Origin, row: _Row) -> Document | Rejected:
        """What a row that is no answer gives."""
        post = _parse(row)
        if isinstance(post, str):
            return Rejected(origin, post, repr(row.data[:80]))
        if post.type != _QUESTION:
            return Rejected(origin, "other_post_type" if post.type else "no_post_type", post.type)
        (first,) = self._database.execute("SELECT offset FROM question WHERE id = ?", (post.id,)).fetchone()
        if first != row.offset:
            return Rejected(origin, "duplicate_question", str(post.id))
        return self._document(origin, post)

    def _document(self, origin: Origin, question: _Post) -> Document | Rejected:
        answers = self._database.execute(
            "SELECT license, replaced, text FROM answer WHERE parent = ? ORDER BY score DESC, id, offset",
            (question.id,),
        ).fetchall()
        title = question.attributes.get("Title", "").strip()
        asked = "\n\n".join(filter(None, (title, html_text(question.attributes.get("Body", "")))))
        replies = [text for *_, packed in answers if (text := zlib.decompress(packed).decode("utf-8"))]
        if not asked and not replies:
            return Rejected(origin, "no_text", records=1 + len(answers))
        site = _site(self._path)
        metadata: dict[str, Any] = {
            "answers": len(answers),
            "score": question.score,
            "tags": _TAG.findall(question.attributes.get("Tags", "")),
        }
        if _NUMBER.fullmatch(accepted := question.attributes.get("AcceptedAnswerId", "")):
            metadata["accepted_answer"] = int(accepted)
        licenses = {_license(question), *(license for license, *_ in answers)} - {None}
        if len(licenses) > 1:
            metadata["licenses"] = sorted(licenses)
        if question.replaced or any(replaced for _, replaced, _ in answers):
            metadata["replaced"] = True
        return Document(
            id=f"stackexchange:{site}:{question.id}",
            text="\n\n".join([f"Q: {asked}", *(f"A: {reply}" for reply in replies)]),
            origin=origin,
            license=_license(question),
            url=f"https://{site}/q/{question.id}",
            timestamp=utc_time(question.attributes.get("CreationDate")),
            metadata=metadata,
            records=1 + len(answers),
        )


def html_text(html: str) -> str:
    """The text of a post's HTML: code as it stands, one line for a list item, an empty line between paragraphs."""
    return extract_plain_text(html, preserve_formatting=True, alt_texts=False).strip()


def _rows(file: IO[bytes]) -> Iterator[_Row]:
    """Every row, whatever is between them. A row ends at the next `<`, which no attribute can hold unescaped."""
    file.seek(0)
    buffer = b""
    start = 0  # offset of buffer[0]
    at = 0  # where in the buffer to go on
    more = True
    while True:
        row = _ROW.search(buffer, at)
        end = buffer.find(b"<", row.end()) if row else -1
        if row and end < 0 and len(buffer) - row.start() > MAX_ROW_BYTES:
            length = len(buffer) - row.start()
            while (chunk := file.read(_CHUNK)) and (end := chunk.find(b"<")) < 0:
                length += len(chunk)
            length += max(end, 0)
            yield _Row(start + row.start(), length, b"")
            buffer, start, at = chunk[max(end, 0) :], start + row.start() + length, 0
        elif end < 0 and more:
            keep = row.start() if row else max(at, len(buffer) - len(b"<row"))
            chunk = file.read(_CHUNK)
            more = bool(chunk)
            buffer, start, at = buffer[keep:] + chunk, start + keep, 0
        elif row:
            end = end if end >= 0 else len(buffer)
            data = buffer[row.start() : end].rstrip()
            yield _Row(start + row.start(), len(data), data if len(data) <= MAX_ROW_BYTES else b"")
            at = end
        else:
            return


def _parse(row: _Row) -> _Post | str:
    """The post, or the reason why it is none."""
    if not row.data:
        return "row_too_long"
    if not row.data.endswith(b">"):  # cut short
        return "bad_row"
    closed = row.data if row.data.endswith(b"/>") else row.data[:-1] + b"/>"
    replaced = False
    try:
        attributes = dict(etree.fromstring(closed, _PARSER).attrib)
    except etree.XMLSyntaxError:
        try:
            attributes = dict(etree.fromstring(_mended(closed), _PARSER).attrib)
        except etree.XMLSyntaxError:
            return "bad_row"
        replaced = True
    number = attributes.get("Id", "")
    parent = attributes.get("ParentId", "-1")
    score = attributes.get("Score", "0")
    if not all(_NUMBER.fullmatch(value) for value in (number, parent, score)):
        return "bad_row"
    return _Post(int(number), attributes.get("PostTypeId", ""), int(parent), int(score), attributes, replaced)


def _mended(row: bytes) -> bytes:
    """The row with U+FFFD for bytes that are not UTF-8 and for characters and references that XML forbids."""
    row = row.decode("utf-8", "replace").encode()
    return _REFERENCE.sub(_allowed, _CONTROLS.sub(_REPLACEMENT, row))


def _allowed(reference: re.Match[bytes]) -> bytes:
    point = int(reference[1], 16) if reference[1] else int(reference[2])
    allowed = (
        point in (0x9, 0xA, 0xD) or 0x20 <= point < 0xD800 or 0xE000 <= point < 0xFFFE or 0xFFFF < point < 0x110000
    )
    return reference[0] if allowed else _REPLACEMENT


def _is_closed(file: IO[bytes]) -> bool:
    size = file.seek(0, 2)
    file.seek(max(0, size - 1024))
    return file.read().rstrip().endswith(b"</posts>")


def _license(post: _Post) -> str | None:
    if stated := post.attributes.get("ContentLicense"):
        return stated.lower().replace(" ", "-")
    day = post.attributes.get("CreationDate", "")[:10]
    return next((license for since, license in _LICENSES if day >= since), None) if day else None


def _is_posts(path: str) -> bool:
    return posixpath.basename(path).lower() == "posts.xml"


def _site(path: str) -> str:
    return posixpath.basename(posixpath.dirname(path))
