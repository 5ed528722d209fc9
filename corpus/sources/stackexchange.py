"""Stack Exchange data dumps: questions with their answers."""

import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from shlex import quote
from typing import IO, Any, ClassVar, NamedTuple

import pyarrow as pa

from corpus.errors import UserError
from corpus.rules import Block
from corpus.schema import Document, Origin, Rejected
from corpus.sources.archive import Damaged, TooLarge
from corpus.sources.posts import NoPost, Post, Row, Rows, encoding_of, id_of, parse, question_of, to_utf8
from corpus.sources.raw import SPLIT_BYTES, Piece, RawFile, Split, group_files, open_raw
from corpus.sources.sevenzip import Encrypted, read_members
from corpus.sources.sorting import Entry, ExternalSort
from corpus.sources.source import Source
from corpus.sources.times import utc_time
from corpus.text.html_blocks import html_texts

PIECES_OF_A_SPLIT = 4
"""A Posts.xml is cut into pieces of a quarter of `split_bytes`: what one piece hands to the others waits in memory."""

UNPACKED_RATIO = 100
UNPACKED_AT_LEAST = 1 << 30
UNPACKED_AT_MOST = 256 << 30
"""An archive is read until it has given so many times its size, but at least and at most so many bytes. Dumps give 5 to
8 times their size; the largest table, Stack Overflow's Posts.xml, has about 100 GB."""

MAX_TEXT_BYTES = 64 << 20
"""Of one document: no more answers are taken then. Real ones have a few MiB at most."""

_CHUNK = 1 << 20
_LOOK = 1 << 16  # bytes read for the first row of a piece: each piece looks at those of all others
_HEAD = 4096  # bytes that tell the encoding
_ENTRY_BYTES = 500  # of an entry in memory, beside its text
_ALL = range(-(1 << 63), (1 << 63) - 1)
_TAG = re.compile(r"[^<>|]+")
_VOLUME = re.compile(r"\.7z\.\d+$", re.IGNORECASE)
_OWN_LINES = re.compile(r"\s*<(?:pre|ul|ol|dl|blockquote|table)\b", re.IGNORECASE)
_HANDED = pa.schema(
    [
        pa.field("offset", pa.int64()),
        pa.field("row", pa.large_binary()),  # null in the one row that tells the questions of a piece
        pa.field("first", pa.int64()),
        pa.field("stop", pa.int64()),
    ]
)


class StackExchange(Source):
    """Questions of a site's Posts.xml, one document each. A raw record is a `<row` of that file.

    Read are `SITE/Posts.xml`, and the archives that dumps are published in, `SITE.7z` or `SITE-Posts.7z` (unpacked
    while they are read, never to disk; if a Posts.xml in an archive is in a folder, that names the site).

    The text is `Q: ` with title and body, then an `A: ` block for each answer, the highest score first (as numbers),
    of equal scores the lower id. HTML becomes text as `corpus.text.html_blocks` says. A question counts itself and its
    answers as its records; one without answers is a document. Documents are in the order of their numbers, which is
    that of the file.

    Rows are found as bytes, so that a broken row costs itself, and no declaration of an entity is ever read. Bytes that
    are not UTF-8, and characters that XML forbids, become U+FFFD (`replaced` in the metadata). A file in UTF-16,
    UTF-32 or the encoding that it declares is read too; offsets then count in what it is in UTF-8, as they do in the
    unpacked stream of an archive.

    Answers meet their question by an external sort in the temporary folder, so memory does not grow with the site. A
    large Posts.xml is cut into pieces, each with the questions from one number to another, and pieces hand the rows of
    other questions over; an archive is one piece.

    Reasons: `invented` (dumps since 2024 hold two posts that nobody wrote), `deleted` (has a DeletionDate),
    `orphan_answer` (its question is not there), `duplicate_question`, `duplicate_answer`, `too_many_answers` (the
    document has 64 MiB), `other_post_type` (tag wikis, elections, ...), `no_post_type`, `bad_row` (not well-formed, or
    without a numeric Id), `row_too_long` (over 4 MiB), `no_text`, `truncated` (the file ends before `</posts>` without
    a broken row), and for a whole file `not_posts` (other tables of the dump), `other_site`, `unsupported_file`,
    `damaged` and `too_large` (an archive, from some place on).

    Attributes:
        sites: names of the sites to read; null = all.
    """

    version: ClassVar[int] = 2
    formats: ClassVar[str] = "`SITE/Posts.xml`, `SITE.7z`"
    text_per_raw: ClassVar[float] = 0.6  # Posts.xml, measured on a few MB of real files
    document_bytes: ClassVar[int] = 2600  # of the order that RedPajama-v1's counts give
    hands_over: ClassVar[bool] = True

    sites: tuple[str, ...] | None = None

    def splits(self, files: Sequence[RawFile], split_bytes: int = SPLIT_BYTES) -> list[Split]:
        """For each site the pieces of its Posts.xml, the first with the other files of its folder, or its archive; all
        other files after them.

        Raises:
            UserError: a site of `sites` is not there, or a Posts.xml is in no folder that names its site.
        """
        if any(_is_posts(file.path) and not _site(file.path) for file in files):
            raise UserError(
                "Posts.xml is directly in `input`: its folder names the site, so set `input` to the one above"
            )
        tables = [file for file in files if _is_posts(file.path) and self._wanted(_site(file.path))]
        archives = [file for file in files if _is_archive(file.path) and self._wanted(_site(file.path))]
        missing = sorted(set(self.sites or ()) - {_site(file.path) for file in tables + archives})
        if missing:
            raise UserError(
                f"`sites` names {', '.join(missing)}, but the input has neither {missing[0]}/Posts.xml nor "
                f"{missing[0]}.7z: put the dump there, or take the name out of `sites`"
            )
        beside: dict[str, list[Piece]] = {}
        for file in files:
            if not _is_posts(file.path) and not _is_archive(file.path):
                beside.setdefault(posixpath.dirname(file.path), []).append(Piece(file.path))
        splits = []
        for table in tables:
            first, *others = _pieces(table, max(1, split_bytes // PIECES_OF_A_SPLIT))
            splits.append(Split((*beside.pop(posixpath.dirname(table.path), []), first)))
            splits.extend(Split((piece,)) for piece in others)
        splits.extend(Split((Piece(file.path),)) for file in archives)
        planned = {piece.path for split in splits for piece in split.pieces}
        return splits + group_files((file for file in files if file.path not in planned), split_bytes)

    def hand_over(self, root: str, splits: Sequence[Split], number: int) -> Iterator[Block]:
        """Rows of the questions of other pieces of the file; and to itself, which questions the split has."""
        piece = next((piece for piece in splits[number].pieces if _is_posts(piece.path)), None)
        if piece is None or piece == Piece(piece.path):
            yield number, _block([], _ALL)
            return
        siblings = [(k, other) for k, split in enumerate(splits) for other in split.pieces if other.path == piece.path]
        mine = siblings.index((number, piece))
        with open_raw(root, piece.path) as file:
            firsts = [_ALL.start, *accumulate((_first_id(file, other) for _, other in siblings[1:]), max)]
            stop = firsts[mine + 1] if mine + 1 < len(firsts) else _ALL.stop
            yield number, _block([], range(firsts[mine], stop))
            held: dict[int, list[Row]] = {}
            for row in _rows(file, piece):
                question = question_of(row)
                owner = mine if question is None else bisect_right(firsts, question) - 1
                if owner != mine:
                    held.setdefault(siblings[owner][0], []).append(row)
        for split, rows in held.items():
            yield split, _block(rows)

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        return self.read_handed(root, split, ())

    def read_handed(self, root: str, split: Split, handed: Iterable[pa.RecordBatch]) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            site = _site(piece.path)
            if _is_archive(piece.path) and self._wanted(site):
                yield from self._read_archive(root, piece.path)
            elif _is_posts(piece.path) and self._wanted(site):
                with open_raw(root, piece.path) as file:
                    yield from _Site(site, piece.path).documents(_rows(file, piece), handed)
            elif _is_archive(piece.path) or _is_posts(piece.path):
                yield Rejected(Origin(piece.path), "other_site")
            elif _VOLUME.search(piece.path):
                yield Rejected(Origin(piece.path), "unsupported_file", "put the volumes together: cat X.7z.* > X.7z")
            else:
                yield Rejected(Origin(piece.path), "not_posts")

    def raw(self, root: str, origin: Origin) -> bytes:
        """The `<row .../>` of the question, in UTF-8."""
        if origin.offset is None or origin.length is None:
            return b""
        with open_raw(root, origin.file) as file:
            if origin.member is not None:
                for name, chunks in read_members(file, lambda name: name == origin.member, _unpacked_bytes(file)):
                    if name == origin.member:
                        return _cut(to_utf8(chunks), origin.offset, origin.length)
                return b""
            if _encoding(file) != "utf-8":
                return _cut(to_utf8(_chunks(file, 0)), origin.offset, origin.length)
            file.seek(origin.offset)
            return file.read(origin.length)

    def _read_archive(self, root: str, path: str) -> Iterator[Document | Rejected]:
        found = False
        with open_raw(root, path) as file:
            try:
                for name, chunks in read_members(file, _is_posts, _unpacked_bytes(file)):
                    found = True
                    site = posixpath.basename(posixpath.dirname(name)) or _site(path)
                    if self._wanted(site):
                        yield from _Site(site, path, name).documents(Rows(to_utf8(chunks)))
                    else:
                        yield Rejected(Origin(path, member=name), "other_site")
            except (Damaged, TooLarge) as error:
                yield _broken(Origin(path), error)
                found = True
        if not found:
            yield Rejected(Origin(path), "not_posts", "no Posts.xml in it")

    def _wanted(self, site: str) -> bool:
        return self.sites is None or site in self.sites


class _Question(NamedTuple):
    length: int  # of its row
    text: str
    score: int
    tags: list[str]
    accepted: int | None
    created: str
    license: str | None
    replaced: bool


class _Answer(NamedTuple):
    length: int  # of its row
    text: str
    license: str | None
    replaced: bool


@dataclass(frozen=True)
class _Site:
    """One Posts.xml, or one in an archive."""

    name: str
    path: str
    member: str | None = None

    def documents(self, rows: Rows, handed: Iterable[pa.RecordBatch] = ()) -> Iterator[Document | Rejected]:
        """What the rows of a piece and those handed to it give; first what is rejected at sight."""
        with ExternalSort() as posts:
            mine = _ALL
            for block in handed:
                some, told = _unblock(block)
                yield from self._add(some, posts)
                mine = mine if told is None else told
            own = rows if mine == _ALL else (row for row in rows if _is_of(row, mine))
            try:
                yield from self._add(own, posts)
            except (Damaged, TooLarge) as error:
                yield _broken(Origin(self.path, self.member), error)
            if rows.cut:
                yield Rejected(Origin(self.path, self.member), "truncated", "no </posts> at the end: fetch it again")
            for question, entries in groupby(posts, lambda entry: entry[0][0]):
                yield from self._document(question, entries)

    def _add(self, rows: Iterable[Row], posts: ExternalSort) -> Iterator[Rejected]:
        """Puts posts where they are sorted by question, the question first, then its answers in their order."""
        for batch in _batches(rows):
            found = parse(batch)
            texts = iter(html_texts([post.body for post in found if isinstance(post, Post)]))
            for row, post in zip(batch, found, strict=True):
                if isinstance(post, NoPost):
                    yield Rejected(self._origin(row.offset, row.length), post.reason, post.detail)
                    continue
                text = next(texts)
                if post.is_answer:
                    key = (post.question, 1, -post.score, post.id, row.offset)
                    answer = _Answer(row.length, _said("A", text, post.body), post.license, post.replaced)
                    posts.add(key, answer, len(text) + _ENTRY_BYTES)
                else:
                    posts.add(
                        (post.question, 0, 0, 0, row.offset), _question(row, post, text), len(text) + _ENTRY_BYTES
                    )

    def _document(self, number: int, entries: Iterable[Entry]) -> Iterator[Document | Rejected]:
        """The question of a number with its answers, and what does not belong to it."""
        question: _Question | None = None
        offset = size = 0
        answers: dict[int, _Answer] = {}
        for (_, is_answer, _, post, at), value in entries:
            reason = ""
            if not is_answer:
                if question is None:
                    question, offset = value, at
                    continue
                reason = "duplicate_question"
            elif question is None:
                reason = "orphan_answer"
            elif post in answers:
                reason = "duplicate_answer"
            elif size > MAX_TEXT_BYTES:
                reason = "too_many_answers"
            if reason:
                yield Rejected(self._origin(at, value.length), reason, f"question {number}")
            else:
                answers[post] = value
                size += len(value.text)
        if question is None:
            return
        texts = [text for text in (question.text, *(answer.text for answer in answers.values())) if text]
        origin = self._origin(offset, question.length)
        if not texts:
            yield Rejected(origin, "no_text", records=1 + len(answers))
            return
        metadata: dict[str, Any] = {"answers": len(answers), "score": question.score, "tags": question.tags}
        if question.accepted is not None:
            metadata["accepted_answer"] = question.accepted
        licenses = {question.license, *(answer.license for answer in answers.values())} - {None}
        if len(licenses) > 1:
            metadata["licenses"] = sorted(licenses)
        if question.replaced or any(answer.replaced for answer in answers.values()):
            metadata["replaced"] = True
        yield Document(
            id=f"stackexchange:{self.name}:{number}",
            text="\n\n".join(texts if question.text else ["Q:", *texts]),
            origin=origin,
            license=question.license,
            url=f"https://{self.name}/q/{number}",
            timestamp=utc_time(question.created),
            metadata=metadata,
            records=1 + len(answers),
        )

    def _origin(self, offset: int, length: int) -> Origin:
        return Origin(self.path, self.member, offset, length)


def _question(row: Row, post: Post, text: str) -> _Question:
    said = f"Q: {post.title}\n\n{text}" if post.title and text else _said("Q", post.title or text, post.body)
    tags = _TAG.findall(post.tags)
    return _Question(row.length, said, post.score, tags, post.accepted, post.created, post.license, post.replaced)


def _said(letter: str, text: str, body: str) -> str:
    """The text behind its letter; what begins with a list, code, a quote or a table has lines of its own."""
    return text and f"{letter}:" + ("\n\n" if _OWN_LINES.match(body) else " ") + text


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows of about `_CHUNK` bytes together, also those in front of damage."""
    held: list[Row] = []
    size = 0
    try:
        for row in rows:
            held.append(row)
            size += len(row.data)
            if size >= _CHUNK:
                yield held
                held, size = [], 0
    except (Damaged, TooLarge):
        yield held
        raise
    yield held


def _rows(file: IO[bytes], piece: Piece, chunk_bytes: int = _CHUNK) -> Rows:
    """The rows of a piece. One that is not in UTF-8 is not cut: its first piece is all of it."""
    if _encoding(file) == "utf-8":
        return Rows(_chunks(file, piece.start, chunk_bytes), piece.start, piece.end)
    return Rows([] if piece.start else to_utf8(_chunks(file, 0)))


def _chunks(file: IO[bytes], start: int, chunk_bytes: int = _CHUNK) -> Iterator[bytes]:
    file.seek(start)
    while chunk := file.read(chunk_bytes):
        yield chunk


def _encoding(file: IO[bytes]) -> str:
    file.seek(0)
    return encoding_of(file.read(_HEAD))


def _first_id(file: IO[bytes], piece: Piece) -> int:
    """The id of the first post of a piece; the largest number where there is none."""
    return next((number for row in _rows(file, piece, _LOOK) if (number := id_of(row)) is not None), _ALL.stop)


def _is_of(row: Row, questions: range) -> bool:
    question = question_of(row)
    return question is None or question in questions


def _block(rows: Sequence[Row], questions: range | None = None) -> pa.RecordBatch:
    """Rows that are handed over, or the questions of a piece."""
    told = [(questions.start, questions.stop)] if questions is not None else []
    columns = {
        "offset": [row.offset for row in rows] + [None for _ in told],
        "row": [row.data for row in rows] + [None for _ in told],
        "first": [None for _ in rows] + [first for first, _ in told],
        "stop": [None for _ in rows] + [stop for _, stop in told],
    }
    return pa.RecordBatch.from_pydict(columns, _HANDED)


def _unblock(block: pa.RecordBatch) -> tuple[list[Row], range | None]:
    rows: list[Row] = []
    questions = None
    for offset, data, first, stop in zip(*(column.to_pylist() for column in block.columns), strict=True):
        if data is None:
            questions = range(first, stop)
        else:
            rows.append(Row(offset, len(data), data))
    return rows, questions


def _pieces(table: RawFile, piece_bytes: int) -> list[Piece]:
    count = max(1, -(-table.size // piece_bytes))
    starts = [table.size * k // count for k in range(count)]
    return [Piece(table.path, start, end) for start, end in zip(starts, [*starts[1:], None], strict=True)]


def _unpacked_bytes(file: IO[bytes]) -> int:
    return min(max(file.seek(0, 2) * UNPACKED_RATIO, UNPACKED_AT_LEAST), UNPACKED_AT_MOST)


def _cut(chunks: Iterable[bytes], offset: int, length: int) -> bytes:
    """Bytes [offset, offset + length) of a stream."""
    kept: list[bytes] = []
    at = 0
    for chunk in chunks:
        kept.append(chunk[max(0, offset - at) : max(0, offset + length - at)])
        at += len(chunk)
        if at >= offset + length:
            break
    return b"".join(kept)


def _broken(origin: Origin, error: Exception) -> Rejected:
    unpack = f"unpack it yourself: 7z x -o{quote(_site(origin.file))} {quote(posixpath.basename(origin.file))}"
    if isinstance(error, TooLarge):
        return Rejected(origin, "too_large", f"{error}: if it is sound, {unpack}")
    if isinstance(error, Encrypted):
        return Rejected(origin, "damaged", f"{error}: {unpack}")
    return Rejected(origin, "damaged", f"{error}: fetch it again, or {unpack}")


def _is_posts(path: str) -> bool:
    return posixpath.basename(path).lower() == "posts.xml"


def _is_archive(path: str) -> bool:
    return path.lower().endswith(".7z")


def _site(path: str) -> str:
    """A folder with a Posts.xml is named after its site, and so is an archive."""
    if _is_archive(path):
        return re.sub(r"(-posts)?\.7z$", "", posixpath.basename(path), flags=re.IGNORECASE)
    return posixpath.basename(posixpath.dirname(path))
