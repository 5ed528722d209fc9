"""Papers of arXiv: their LaTeX sources."""

import gzip
import io
import posixpath
import re
from collections.abc import Iterator
from typing import IO, Any, ClassVar

from isal import igzip

from corpus.schema import Document, Origin, Rejected
from corpus.sources.archive import (
    READ_ERRORS,
    Damaged,
    Limited,
    Tar,
    TooLarge,
    Zip,
    is_gzip,
    is_tar,
    is_zip,
    member_content,
)
from corpus.sources.decode import is_opaque
from corpus.sources.raw import Split, open_raw
from corpus.sources.source import Source
from corpus.sources.tex_files import Texts, declared_encoding, looks_like_tex, main_file
from corpus.sources.tex_inputs import STYLES, flatten

_HEAD = 512
_CHUNK = 1 << 20
_BULK_MEMBER = re.compile(r"(?:.*/)?\d{4}/[^/]+\.(?:gz|pdf)")
_TEX = (".tex", ".ltx", ".latex")
_NEVER_TEX = (
    *(".aux", ".bib", ".bst", ".fd", ".log", ".out", ".toc"),
    *(".bmp", ".eps", ".epsf", ".epsi", ".gif", ".jpeg", ".jpg", ".pdf", ".png", ".ps", ".svg", ".tif", ".tiff"),
    *(".avi", ".cry", ".csv", ".doc", ".docx", ".dvi", ".gz", ".htm", ".html", ".json", ".jsonl", ".mov", ".mp4"),
    *(".tar", ".tgz", ".xml", ".zip"),
)
_SUPPORT = (*STYLES, ".bbl")
_MAX_SUPPORT_BYTES = 1 << 20  # of a file that is not TeX and may be read by one
_ID = re.compile(r"(?:(\d{4}\.\d{4,5})|([a-z-]+(?:\.[A-Z]{2})?)(\d{7}))(?:v(\d+))?(?![\dA-Za-z])")
_NAMED = 20  # files that no other reads, by name
_REASONS = ("withdrawn", "encrypted", "pdf_only", "no_tex")
"""Of a submission without TeX, the first of these that a file of it gave."""


class Arxiv(Source):
    """LLaMA section 2.1, ArXiv: "We process arXiv Latex files". The text is the paper's LaTeX, complete with
    comments: the main file, with the files it reads in their places, and macros of the paper's own styles
    (`corpus.sources.tex_inputs`). `corpus.clean.latex` does the rest; docs/sources/arxiv.md tells of both.

    A raw record is a paper: a regular member of a bulk tar (arXiv's arXiv_src_YYMM_NNN.tar on S3, known by a first
    member such as `0303/math0303001.gz`), or else a file of the input: a gzip, tar or zip of a submission, or a
    .tex file. In a folder of loose .tex files each is a record.

    Reasons: `pdf_only`; `encrypted` (an author-encrypted `.cry`, or bytes that are no text); `no_tex` (HTML,
    PostScript, ...); `withdrawn` (nothing but files marked %auto-ignore); `empty`; `damaged`; `too_large`; `not_tex`
    (a loose file of another kind, such as .bib).

    Ids are `arxiv:<id>v<n>` by the name of the member or file, version 1 where it names none; where it holds no
    arXiv id, the path below the input root without its ending stands for it. Metadata: `main`, and where there are
    `encodings` other than UTF-8, `missing_inputs`, `styles` whose macros are in the text, and `unread`, TeX files that
    the main one does not read (the first 20 by name), with their `unread_bytes`.

    Attributes:
        max_unpacked_bytes: of one submission, figures included, that are decompressed at most.
        max_tex_bytes: of the TeX files of one paper, and again in characters of the text they give.
    """

    version: ClassVar[int] = 2
    formats: ClassVar[str] = "arXiv's bulk tars, single submissions, .tex"
    text_per_raw: ClassVar[float] = 0.04  # a few TB in Amazon S3, with figures and PDF, against LLaMA-1's Table 1
    document_bytes: ClassVar[int] = 55_000  # of the order that RedPajama-v1's counts give

    max_unpacked_bytes: int = 1 << 30
    max_tex_bytes: int = 16 << 20

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            with open_raw(root, piece.path) as file:
                if not _is_bulk(file):
                    yield self._loose(file, piece.path)
                    continue
                for member in Tar(file):
                    origin = Origin(piece.path, member.name or None, record=member.record)
                    try:
                        data = member.read(self.max_unpacked_bytes)
                    except Damaged as error:
                        yield Rejected(origin, "damaged", str(error))
                        continue
                    if data is None:
                        yield Rejected(origin, "too_large", f"{member.size} bytes")
                    else:
                        yield self._paper(io.BytesIO(data), member.name, origin)

    def raw(self, root: str, origin: Origin) -> bytes:
        """The submission as it was sent in: TeX, tar, zip or PDF. Where its gzip is damaged, the stored bytes."""
        with open_raw(root, origin.file) as file:
            data = file.read() if origin.record is None else member_content(Tar(file), origin)
        if is_gzip(data):
            try:
                return gzip.decompress(data)
            except READ_ERRORS:
                return data
        return data

    def _loose(self, file: IO[bytes], path: str) -> Document | Rejected:
        head = file.read(_HEAD)
        file.seek(0)
        packed = is_gzip(head) or is_zip(head) or is_tar(head)
        if packed or path.lower().endswith((*_TEX, ".tar", ".gz", ".tgz", ".zip", ".pdf")):
            return self._paper(file, path, Origin(path))
        return Rejected(Origin(path), "not_tex", posixpath.splitext(path)[1])

    def _paper(self, stream: IO[bytes], path: str, origin: Origin) -> Document | Rejected:
        try:
            files, support, reason = self._tex_files(stream, path)
            if not files:
                return Rejected(origin, reason)
            declared = declared_encoding(files)
            texts = Texts(files, declared)
            main = main_file(texts)
            paper = flatten(main, texts, self.max_tex_bytes, Texts(support, declared))
        except TooLarge:
            return Rejected(origin, "too_large")
        except (Damaged, *READ_ERRORS) as error:
            return Rejected(origin, "damaged", str(error))
        metadata: dict[str, Any] = {"main": main}
        if texts.encodings != {"utf-8"}:
            metadata["encodings"] = sorted(texts.encodings)
        if paper.missing:
            metadata["missing_inputs"] = paper.missing
        if paper.styles:
            metadata["styles"] = sorted(paper.styles)
        if unread := sorted(files.keys() - paper.read - paper.styles):
            metadata["unread"] = unread[:_NAMED]
            metadata["unread_bytes"] = sum(len(files[name]) for name in unread)
        arxiv_id, version = paper_id(path)
        return Document(
            id=f"arxiv:{arxiv_id or _stem(path)}v{version}",
            text=paper.text,
            origin=origin,
            url=None if arxiv_id is None else f"https://arxiv.org/abs/{arxiv_id}",
            metadata=metadata,
        )

    def _tex_files(self, stream: IO[bytes], path: str) -> tuple[dict[str, bytes], dict[str, bytes], str]:
        """Files that may be TeX by their name in the submission, other texts that may be read by one, and where there
        is no TeX the reason for that.

        Raises:
            Damaged, one of READ_ERRORS, TooLarge.
        """
        files: dict[str, bytes] = {}
        support: dict[str, bytes] = {}
        size = support_size = 0
        reasons = set()
        for name, data in self._unpack(stream, path):
            reason = _why_not_tex(name, data)
            if reason is None and data is not None:
                files[_key(name)] = data
                size += len(data)
                if size > self.max_tex_bytes:
                    raise TooLarge
                continue
            reasons.add(reason)
            if data and reason == "no_tex" and len(data) <= _MAX_SUPPORT_BYTES and not is_opaque(data):
                support_size += len(data)
                if support_size <= self.max_tex_bytes:
                    support[_key(name)] = data
        return files, support, next((reason for reason in _REASONS if reason in reasons), "empty")

    def _unpack(self, stream: Any, path: str) -> Iterator[tuple[str, bytes | None]]:
        """(name in the submission, content) of each file; the content is None where the name says it is no TeX."""
        head = stream.read(_HEAD)
        stream.seek(0)
        name = posixpath.basename(path)
        if is_gzip(head):
            name = _gzip_name(head) or name.removesuffix(".gz")
            unpacked: Any = igzip.IGzipFile(fileobj=stream)  # type: ignore[no-untyped-call]
            head = unpacked.read(_HEAD)
            unpacked.seek(0)
            stream = Limited(unpacked, self.max_unpacked_bytes)
        if not head.strip(b"\0"):  # nothing, or a tar of zeros
            return
        if not (is_tar(head) or is_zip(head)):
            data = stream.read(self.max_tex_bytes + 1)
            if len(data) > self.max_tex_bytes:
                raise TooLarge
            yield name, data
            return
        left = self.max_unpacked_bytes
        for member in Zip(stream) if is_zip(head) else Tar(stream):
            left -= member.size
            if left < 0:
                raise TooLarge
            wanted = not member.name.lower().endswith(_NEVER_TEX)
            data = member.read(self.max_tex_bytes if wanted else 0)
            if data is None and member.name.lower().endswith(_TEX):
                raise TooLarge
            yield member.name, data
        while stream.read(_CHUNK):  # to the end, where gzip's checksum is
            continue


def paper_id(path: str) -> tuple[str | None, int]:
    """(arXiv id, version) that the last part of a path begins with; None and 1 where it names none.

    Old ids are written without their slash in file names: math0303001 is math/0303001.
    """
    match = _ID.match(posixpath.basename(path))
    if match is None:
        return None, 1
    return match[1] or f"{match[2]}/{match[3]}", int(match[4] or 1)


def _stem(path: str) -> str:
    return re.sub(r"(?:\.(?:tar|gz|tgz|zip|tex|ltx|latex))+$", "", path, flags=re.IGNORECASE)


def _is_bulk(file: IO[bytes]) -> bool:
    head = file.read(_HEAD)
    file.seek(0)
    if not is_tar(head):
        return False
    first = next(iter(Tar(file)), None)
    file.seek(0)
    return first is not None and _BULK_MEMBER.fullmatch(first.name) is not None


def _gzip_name(head: bytes) -> str | None:
    """The file name in a gzip header (RFC 1952), where it is the first optional field."""
    flags = head[3] if len(head) > 3 else 0
    has_extra, has_name = flags & 4, flags & 8
    if not has_name or has_extra:
        return None
    return head[10:].split(b"\0")[0].decode("latin-1")


def _key(name: str) -> str:
    """A member's name as TeX files name each other: below the top folder, no "./", no backslashes."""
    return posixpath.normpath(name.replace("\\", "/").lstrip("/"))


def _why_not_tex(name: str, data: bytes | None) -> str | None:
    lower = name.lower()
    if lower.endswith(".cry"):
        return "encrypted"
    if lower.endswith(".pdf") or (data or b"").startswith(b"%PDF"):
        return "pdf_only"
    if data is None or lower.endswith((*_NEVER_TEX, *_SUPPORT)) or posixpath.basename(name).startswith("._"):
        return "no_tex"
    begin = data.lstrip()
    if not begin:
        return "empty"
    if is_opaque(data):
        return "encrypted"
    if begin.startswith(b"%auto-ignore"):
        return "withdrawn"
    if begin.startswith((b"<", b"%!")):  # HTML, PostScript
        return "no_tex"
    return None if lower.endswith(_TEX) or looks_like_tex(data) else "no_tex"
