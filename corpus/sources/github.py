"""Source code of GitHub repositories."""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, Any, ClassVar, NamedTuple
from urllib.parse import quote

import pyarrow as pa
from isal import igzip

from corpus.parts import open_parquet
from corpus.schema import Document, Origin, Rejected, well_formed
from corpus.sources.archive import (
    READ_ERRORS,
    Damaged,
    Limited,
    Member,
    Tar,
    TooLarge,
    Zip,
    is_gzip,
    is_tar,
    is_zip,
    member_content,
)
from corpus.sources.code_encoding import UNICODE_MARKS, decode_source
from corpus.sources.code_files import by_path, by_text
from corpus.sources.compressed import read_range
from corpus.sources.decode import is_opaque
from corpus.sources.license_texts import SPDX, Spdx
from corpus.sources.licenses import is_license_file, is_notice_file, repository_licenses
from corpus.sources.raw import Split, open_raw
from corpus.sources.source import Source

EXTENSIONS = (
    *(".asm", ".s", ".smali", ".ll"),
    *(".bat", ".cmd", ".ps1", ".psd1", ".psm1", ".sh", ".bash", ".zsh", ".fish", ".awk", ".tcl"),
    *(".c", ".h", ".cc", ".hh", ".cpp", ".hpp", ".cxx", ".hxx", ".c++", ".h++", ".cu", ".cuh", ".m", ".mm", ".d"),
    *(".cs", ".fs", ".vb", ".java", ".kt", ".kts", ".scala", ".groovy", ".gradle", ".clj", ".dart", ".swift"),
    *(".go", ".rs", ".zig", ".nim", ".jl", ".r", ".py", ".pyi", ".pyx", ".rb", ".lua", ".php", ".phpt"),
    *(".pl", ".pm", ".pod", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".coffee"),
    *(".html", ".css", ".scss", ".less", ".sql", ".proto", ".graphql", ".glsl", ".vhd", ".vhdl", ".v", ".sv"),
    *(".f", ".for", ".f77", ".f90", ".f95", ".f03", ".f08", ".pas", ".ada", ".adb", ".ads", ".cob"),
    *(".hs", ".lhs", ".ml", ".mli", ".erl", ".hrl", ".ex", ".exs", ".el", ".lisp", ".scm", ".rkt", ".vim"),
    *(".cmake", ".mk", ".am", ".bzl", ".tf", ".nix", ".tex", ".md", ".markdown", ".rst"),
    *("Dockerfile", "Makefile", "CMakeLists.txt", "Rakefile", "Gemfile", "Jenkinsfile", "BUILD", "SConstruct"),
)
"""Endings of file names (in any case) and whole names that are code or its documentation. Ours; RedPajama's list
(data_prep/github) has about 60."""

_HEAD = 512
_CHUNK = 1 << 20
_MAX_LICENSE_BYTES = 1 << 18
_MAX_LICENSES = 1 << 26  # bytes of all licence files of an archive
_HELD = 1 << 26  # bytes of an archive's files in memory, which are then not unpacked a second time
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ARCHIVE_ENDING = re.compile(r"\.(?:tar|tar\.gz|tgz|zip)$", re.IGNORECASE)
_BY_LOWER_CASE = {spdx.lower(): spdx for spdx in SPDX}
_PAGE = re.compile(r"[a-z_-]+\.(?:md|markdown|rst|html?)")  # of a manual, below the root: "docs/license.md"
_JSON_LINES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
_ROWS = 64  # of a Parquet file in memory at once
_PARQUET_ERRORS = (pa.ArrowException, OSError, ValueError)  # the last: names that are not UTF-8
_COLUMNS = ("repo_name", "path", "content", "license", "commit", "ref")


class Github(Source):
    """LLaMA section 2.1, GitHub: the public data set on BigQuery, "only projects that are distributed under the Apache,
    BSD and MIT licenses".

    A raw record is a regular file of a repository's archive (tar, tar.gz or zip), or a row of a Parquet or JSON-lines
    file with the columns repo_name, path, content, license, and optionally commit or ref: BigQuery's tables `files`,
    `contents` and `licenses` joined.

    The licence of a row is its column. That of a file in an archive is decided by the licence files of the root, with
    those in its folder `LICENSES` (REUSE), and of every folder on the way to the file that has some
    (`corpus.sources.licenses`): all must be among `licenses`, and the nearest are the file's. The commit of an archive
    is the one `git archive` and GitHub write into it. Its repository is by its name: `<owner>__<repo>`, or else
    `<repo>-<ref>`, the part before the last hyphen of its top folder, and the folder that the archive lies in as owner.

    Reasons, the first that holds: `damaged`, `license`, `extension`; `vendored`, `generated`, `minified`, `data`
    (`corpus.sources.code_files`, of the path before what follows, of the text behind it); `too_large`, `binary` (a NUL
    byte, or more control characters than text has), `encoding` (none that can be told: `corpus.sources.code_encoding`),
    `empty`; `bad_row` (no object or no such columns); `unsupported_file` (one for the file). An archive that unpacks to
    more than `max_archive_bytes` is one `too_large`.

    Ids are `github:<owner>/<repo>@<commit>:<path>`, "unknown" where there is no commit. Metadata: `repo`, `path`,
    `extension`, `encoding` where it is not UTF-8, `bad_bytes` where so many became U+FFFD.

    Attributes:
        licenses: to keep; of a repository with several, all must be among them.
        extensions: endings of file names, and whole names, to keep.
        max_file_bytes: largest file kept. BigQuery's `contents` has text files below 1 MiB.
        max_archive_bytes: of one archive, unpacked.
    """

    version: ClassVar[int] = 3
    formats: ClassVar[str] = "archives of repositories (tar, tar.gz, zip), or BigQuery's tables (Parquet, JSON lines)"
    text_per_raw: ClassVar[float] = 2.2  # .tar.gz, measured on a few MB of real files
    document_bytes: ClassVar[int] = 7000  # of the order that RedPajama-v1's counts give

    licenses: tuple[Spdx, ...] = SPDX
    extensions: tuple[str, ...] = EXTENSIONS
    max_file_bytes: int = 1 << 20
    max_archive_bytes: int = 64 << 30

    def read(self, root: str, split: Split) -> Iterator[Document | Rejected]:
        for piece in split.pieces:
            with open_raw(root, piece.path) as file:
                yield from self._file(file, piece.path)

    def raw(self, root: str, origin: Origin) -> bytes:
        """The file of the repository, the content of the Parquet row, or the line."""
        with open_raw(root, origin.file) as file:
            if origin.offset is not None:
                return read_range(file, origin.offset, origin.length or 0)
            if file.read(4) == b"PAR1":
                try:
                    row = next(islice(_parquet_rows(file), origin.record or 0, None), {})
                except _PARQUET_ERRORS:
                    row = {}
                return _bytes(row.get("content")) or b""
            file.seek(0)
            if origin.record is None:
                return file.read()
            try:
                archive = self._open(file)
                return b"" if archive is None else member_content(archive, origin)
            except (Damaged, *READ_ERRORS):
                return b""

    def _file(self, file: IO[bytes], path: str) -> Iterator[Document | Rejected]:
        head = file.read(4)
        file.seek(0)
        if head == b"PAR1":
            yield from self._parquet(file, path)
        elif path.lower().endswith(_JSON_LINES):
            yield from self._json_lines(file, path)
        else:
            try:
                yield from self._repository(file, path)
            except TooLarge:
                yield Rejected(Origin(path), "too_large", f"unpacks to over {self.max_archive_bytes} bytes")
            except (Damaged, *READ_ERRORS) as error:
                yield Rejected(Origin(path), "damaged", str(error))

    def _open(self, file: Any) -> Tar | Zip | None:
        """The archive from its beginning, or None where the file is none."""
        file.seek(0)
        head = file.read(_HEAD)
        file.seek(0)
        if is_zip(head):
            return Zip(file)
        if is_gzip(head):
            file = igzip.IGzipFile(fileobj=file)  # type: ignore[no-untyped-call]
            head = file.read(_HEAD)
            file.seek(0)
        return Tar(Limited(file, self.max_archive_bytes)) if is_tar(head) else None

    def _repository(self, file: IO[bytes], path: str) -> Iterator[Document | Rejected]:
        archive = self._open(file)
        if archive is None:
            yield Rejected(Origin(path), "unsupported_file")
            return
        survey = self._survey(archive)
        comment = archive.comment or ""
        repository = _repository_name(path, survey.top)
        for member in survey.held if survey.held is not None else self._members(file):
            origin = Origin(path, member.name or None, record=member.record)
            if member.damage is not None:
                yield Rejected(origin, "damaged", member.damage)
                continue
            licenses, why = survey.licenses(member.name)
            yield self._document(
                origin,
                repository=repository,
                commit=comment if _COMMIT.fullmatch(comment) else "unknown",
                path=member.name.removeprefix(survey.top),
                licenses=licenses,
                why=why,
                data=member.data,
                size=member.size,
            )

    def _members(self, file: IO[bytes]) -> Iterator["_File"]:
        for member in self._open(file) or ():
            yield _read(member, self.max_file_bytes)

    def _survey(self, archive: Tar | Zip) -> "_Survey":
        """Raises TooLarge when the archive unpacks to more than `max_archive_bytes`, or its licences to too much."""
        tops: set[str] = set()
        license_files: dict[str, bytes | None] = {}
        held: list[_File] | None = []
        size = in_memory = in_licenses = 0
        for member in archive:
            size += member.size
            if size > self.max_archive_bytes:
                raise TooLarge
            name = member.name
            if name:
                tops.add(name[: name.find("/") + 1])
            basename = posixpath.basename(name)
            states = is_license_file(basename) or is_notice_file(basename) or "LICENSES/" in name
            keep = self.max_file_bytes if held is not None and self._is_wanted(basename) else 0
            file = _read(member, max(keep, _MAX_LICENSE_BYTES if states else 0))
            if states:
                data = file.data if file.size <= _MAX_LICENSE_BYTES else None
                license_files[name] = data
                in_licenses += len(data or b"")
                if in_licenses > _MAX_LICENSES:
                    raise TooLarge
            if held is not None:
                held.append(file if keep else file._replace(data=None))
                in_memory += len(file.data or b"")
                if in_memory > _HELD:
                    held = None
        return _Survey(tops.pop() if len(tops) == 1 else "", license_files, held)

    def _is_wanted(self, name: str) -> bool:
        return posixpath.splitext(name)[1].lower() in self.extensions or name in self.extensions

    def _parquet(self, file: IO[bytes], path: str) -> Iterator[Document | Rejected]:
        record = 0
        try:
            for row in _parquet_rows(file):
                yield self._row(row, Origin(path, record=record))
                record += 1
        except _PARQUET_ERRORS as error:
            yield Rejected(Origin(path, record=record), "damaged", str(error))

    def _json_lines(self, file: IO[bytes], path: str) -> Iterator[Document | Rejected]:
        packed = is_gzip(file.read(_HEAD))
        stream: Any = igzip.IGzipFile(fileobj=file) if packed else file  # type: ignore[no-untyped-call]
        file.seek(0)
        limit = 6 * self.max_file_bytes + _CHUNK  # JSON may write a byte as six
        offset = record = 0
        while True:
            try:
                line = stream.readline(limit + 1)
                length = len(line)
                ended = line.endswith(b"\n")
                while not ended and (more := stream.readline(_CHUNK)):
                    length += len(more)
                    ended = more.endswith(b"\n")
            except READ_ERRORS as error:
                yield Rejected(Origin(path, offset=offset, record=record), "damaged", str(error))
                return
            if not length:
                return
            origin = Origin(path, offset=offset, length=length, record=record)
            offset += length
            if line.isspace():
                continue
            record += 1
            if length > limit:
                yield Rejected(origin, "too_large", f"a line of {length} bytes")
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Rejected(origin, "bad_row", str(error))
                continue
            yield self._row(row, origin)

    def _row(self, row: Any, origin: Origin) -> Document | Rejected:
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("repo_name", "path")):
            return Rejected(origin, "bad_row", "repo_name and path must be text")
        license = row.get("license")
        known = _BY_LOWER_CASE.get(license.lower()) if isinstance(license, str) else None
        data = _bytes(row.get("content"))
        if data is None:
            return Rejected(origin, "binary", "no content")  # so BigQuery has binary files
        return self._document(
            origin,
            repository=row["repo_name"],
            commit=str(row.get("commit") or row.get("ref") or "unknown"),
            path=row["path"],
            licenses=[] if known is None else [known],
            why=f"license: {license}",
            data=data if len(data) <= self.max_file_bytes else None,
            size=len(data),
        )

    def _document(
        self,
        origin: Origin,
        *,
        repository: str,
        commit: str,
        path: str,
        licenses: Sequence[Spdx],
        why: str,
        data: bytes | None,
        size: int,
    ) -> Document | Rejected:
        """`data` is None where the file is too large; `why` says why there are no licences."""
        if not licenses or not set(licenses) <= set(self.licenses):
            return Rejected(origin, "license", why or " OR ".join(licenses))
        ending = posixpath.splitext(path)[1].lower()
        if not self._is_wanted(posixpath.basename(path)):
            return Rejected(origin, "extension", ending)
        if (rule := by_path(path)) is not None:
            return Rejected(origin, rule, path)
        if data is None:
            return Rejected(origin, "too_large", f"{size} bytes")
        if b"\0" in data and not data.startswith(UNICODE_MARKS):
            return Rejected(origin, "binary", "a NUL byte")
        decoded = decode_source(data)
        if (decoded is None or decoded.replaced) and is_opaque(data):
            return Rejected(origin, "binary", "control characters")
        if decoded is None:
            return Rejected(origin, "encoding", "none that can be told")
        text, encoding, replaced = decoded
        if not text.strip():
            return Rejected(origin, "empty")
        if (rule := by_text(text, ending)) is not None:
            return Rejected(origin, rule)
        metadata: dict[str, Any] = {"repo": repository, "path": path, "extension": ending}
        if encoding != "utf-8":
            metadata["encoding"] = encoding
        if replaced:
            metadata["bad_bytes"] = replaced
        address = well_formed(f"{repository}/blob/{commit}/{path}")
        return Document(
            id=f"github:{repository}@{commit}:{path}",
            text=text,
            origin=origin,
            license=" OR ".join(licenses),
            url=None if commit == "unknown" else f"https://github.com/{quote(address)}",
            metadata=metadata,
        )


def _parquet_rows(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Rows of the columns we know, `content` as bytes, for it may not be UTF-8."""
    table = open_parquet(file)
    columns = [name for name in _COLUMNS if name in table.schema_arrow.names]
    for batch in table.iter_batches(_ROWS, columns=columns, use_threads=False):
        if "content" in columns:
            at = columns.index("content")
            batch = batch.set_column(at, "content", batch.column(at).cast(pa.large_binary()))
        yield from batch.to_pylist()


class _File(NamedTuple):
    """A member that was read. `data` is None where it is too large, not wanted, or damaged, as `damage` then says."""

    record: int
    name: str
    size: int
    data: bytes | None
    damage: str | None


def _read(member: Member, limit: int) -> _File:
    try:
        data, damage = member.read(limit), None
    except Damaged as error:
        data, damage = None, str(error)
    return _File(member.record, member.name, member.size, data, damage)


class _Survey:
    """What the first reading of an archive found.

    Attributes:
        top: the folder with a slash that every member is in, or "".
        held: all files, those that may be kept with their content; None where that is too much for memory.
    """

    def __init__(self, top: str, license_files: Mapping[str, bytes | None], held: list[_File] | None) -> None:
        self.top = top
        self.held = held
        self._files: dict[str, dict[str, bytes | None]] = {"": {}}  # by folder below the top, then by name
        self._decided: dict[str, tuple[list[Spdx], str]] = {}
        for path, data in license_files.items():
            folder, name = posixpath.split(path.removeprefix(top))
            if folder == "LICENSES":
                self._files[""][f"LICENSES/{name}"] = data
            elif is_license_file(name) and not (folder and _PAGE.fullmatch(name)):
                self._files.setdefault(folder, {})[name] = data
            elif not folder and is_notice_file(name):
                self._files[""][name] = data

    def licenses(self, path: str) -> tuple[list[Spdx], str]:
        """Those of the file at `path`, as the archive names it, or none, and why."""
        folder = posixpath.dirname(path.removeprefix(self.top))
        while folder and folder not in self._files:
            folder = posixpath.dirname(folder)
        return self._of_folder(folder)

    def _of_folder(self, folder: str) -> tuple[list[Spdx], str]:
        """The licences of a folder that has licence files, or of the root."""
        if folder not in self._decided:
            licenses, why = repository_licenses(self._files[folder])
            if folder and not licenses:
                why = f"{folder}/{why}"
            elif folder:
                above, why_not = self.licenses(self.top + folder)
                licenses, why = (licenses, "") if above else ([], why_not)
            self._decided[folder] = licenses, why
        return self._decided[folder]


def _repository_name(path: str, top: str) -> str:
    stem = _ARCHIVE_ENDING.sub("", posixpath.basename(path))
    owner, separator, repository = stem.partition("__")
    if separator:
        return f"{owner}/{repository}"
    folder = top.rstrip("/") or stem
    return f"{posixpath.basename(posixpath.dirname(path)) or 'unknown'}/{folder.rpartition('-')[0] or folder}"


def _bytes(value: Any) -> bytes | None:
    """The bytes of a text or binary column; lone surrogates of JSON become U+FFFD."""
    if isinstance(value, str):
        return well_formed(value).encode()
    return value if isinstance(value, bytes) else None
