"""Tar and zip archives as streams of members. Names inside an archive are never used as paths."""

import gzip
import io
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any

from corpus.errors import UserError
from corpus.schema import Origin
from corpus.sources.members import InflateError

_CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_MAX_HEADER = 1 << 20  # bytes of a pax header or GNU long name: they hold a path and a few numbers
_LONG_NAME, _PAX, _PAX_GLOBAL = tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE
_LONG_LINK = tarfile.GNUTYPE_LONGLINK

READ_ERRORS = (
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    InflateError,
    zipfile.BadZipFile,
    struct.error,  # the rest: what zipfile lets through
    ValueError,
    NotImplementedError,  # unknown compression
    RuntimeError,  # encryption
)
"""What reading a damaged gzip or zip raises. Other kinds of OSError are the storage's and not caught."""


class Damaged(Exception):
    """An archive is cut short or altered at the record that was being read."""


class TooLarge(Exception):
    """More would be unpacked than the caller allowed."""


class Limited(io.RawIOBase):
    """A stream of which at most `limit` bytes may be read: then TooLarge is raised, always at the same byte."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._left:
            size = self._left + 1
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge
        return data


class Member:
    """A regular file of an archive, to be read before the next one is asked for.

    Attributes:
        record: its running number among the regular files, from 0.
        name: as the archive gives it, perhaps hostile; "" where the archive is damaged.
        size: bytes of the content, as the archive says.
        damaged: set when `read` found it so.
    """

    def __init__(self, record: int, name: str, size: int, content: Callable[[], Any]) -> None:
        self.record = record
        self.name = name
        self.size = size
        self.damaged = False
        self._left = size
        self._content = content

    def read(self, limit: int) -> bytes | None:
        """The content, or None where it is longer than `limit` bytes; all of it is consumed.

        Raises:
            Damaged: it is cut short, or cannot be unpacked.
        """
        held: list[bytes] | None = [] if self._left <= limit else None
        try:
            stream = self._content()
            while self._left:
                chunk = stream.read(min(self._left, _CHUNK))
                if not chunk:
                    raise EOFError(f"cut short: {self._left} bytes are missing")
                self._left -= len(chunk)
                if held is not None:
                    held.append(chunk)
        except READ_ERRORS as error:
            self.damaged = True
            raise Damaged(str(error)) from error
        return None if held is None else b"".join(held)


class Tar:
    """The regular files of a tar, in order. A damaged place is one member whose `read` raises; behind a damaged header
    the next valid one is looked for.

    Attributes:
        comment: of the last pax global header met, where git puts the commit; else None.
    """

    def __init__(self, stream: Any) -> None:
        self.comment: str | None = None
        self._stream = stream

    def __iter__(self) -> Iterator[Member]:
        record = 0
        overrides: dict[str, str] = {}  # what the extended headers say about the entry that follows
        lost = False
        while True:
            try:
                block = self._stream.read(_BLOCK)
                if not block or not (lost or block.strip(b"\0")):
                    return
                header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
                if header.size < 0:
                    raise tarfile.HeaderError(f"size {header.size}")
                if header.type in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL):
                    self._extend(header, overrides)
                    continue
            except tarfile.HeaderError as error:
                if not lost:
                    yield _broken(record, f"tar header: {error}")
                    record += 1
                lost = True
                continue
            except READ_ERRORS as error:
                yield _broken(record, str(error))
                return
            lost = False
            size = int(overrides.get("size", header.size))
            if not header.isreg() and header.type in tarfile.SUPPORTED_TYPES:
                size = 0  # a link, folder or device has no content, whatever its header says
            member = Member(record, overrides.get("path", header.name), size, lambda: self._stream)
            overrides = {}
            if header.isreg():
                yield member
                record += 1
            try:
                if not member.damaged:
                    member.read(0)
                    self._stream.read(-size % _BLOCK)
            except (Damaged, *READ_ERRORS) as error:
                yield _broken(record, str(error))
                return
            if member.damaged:
                return

    def _extend(self, header: tarfile.TarInfo, overrides: dict[str, str]) -> None:
        """Reads the body of an extended header.

        Raises:
            tarfile.HeaderError: it makes no sense.
        """
        if header.size > _MAX_HEADER:
            raise tarfile.HeaderError(f"an extended header of {header.size} bytes")
        body = self._stream.read(header.size + -header.size % _BLOCK)[: header.size]
        if header.type == _LONG_NAME:
            overrides["path"] = _text(body.rstrip(b"\0"))
        elif header.type == _PAX:
            overrides.update(_pax_fields(body))
            if not overrides.get("size", "0").isdecimal():
                raise tarfile.HeaderError(f"size {overrides.pop('size')!r}")
        elif header.type == _PAX_GLOBAL:
            self.comment = _pax_fields(body).get("comment", self.comment)


class Zip:
    """The regular files of a zip, in the order of its directory. Damage costs the member it touches.

    Attributes:
        comment: the archive's, where GitHub puts the commit; None when empty.
    """

    def __init__(self, stream: Any) -> None:
        """Raises Damaged when the directory cannot be read."""
        try:
            self._zip = zipfile.ZipFile(stream)
        except READ_ERRORS as error:
            raise Damaged(f"zip directory: {error}") from error
        self.comment = _text(self._zip.comment) or None

    def __iter__(self) -> Iterator[Member]:
        record = 0
        for info in self._zip.infolist():
            if not info.is_dir() and stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG):
                if info.header_offset < 0:
                    yield _broken(record, "zip directory: a place before the file")
                else:
                    yield Member(record, info.filename, info.file_size, partial(self._zip.open, info))
                record += 1


def member_content(archive: Tar | Zip, origin: Origin) -> bytes:
    """The content of the member an origin names by its running number; b"" where that is damaged.

    Raises:
        UserError: there is no such member.
    """
    for member in archive:
        try:
            data = member.read(member.size if member.record == origin.record else 0)
        except Damaged:
            data = b""
        if member.record == origin.record:
            return data or b""
    raise UserError(f"{origin.file} has no member {origin.record}: it has changed since it was read; restore it")


def is_tar(head: bytes) -> bool:
    """Whether `head`, the first 512 bytes of a stream, is a tar header (of any dialect)."""
    try:
        tarfile.TarInfo.frombuf(head[:_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def is_gzip(head: bytes) -> bool:
    return head.startswith(b"\x1f\x8b")


def _broken(record: int, why: str) -> Member:
    def content() -> IO[bytes]:
        raise EOFError(why)

    return Member(record, "", 1, content)


def _pax_fields(body: bytes) -> dict[str, str]:
    """ "LENGTH KEY=VALUE\\n" records; reading stops at the first that is not one."""
    fields: dict[str, str] = {}
    while match := re.match(rb"(\d{1,7}) ([^=]+)=", body):
        length = int(match[1])
        if not match.end() < length <= len(body):
            break
        fields[_text(match[2])] = _text(body[match.end() : length - 1])
        body = body[length:]
    return fields


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
