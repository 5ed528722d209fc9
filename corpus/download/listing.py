"""Listings: which files are to be fetched. Kept beside them, so that a run which goes on fetches the same ones."""

import csv
import gzip
import os
import re
import time
import urllib.parse
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from corpus.download.fetch import CHECKSUMS, RemoteFile
from corpus.errors import UserError
from corpus.storage import commit, open_read

SUFFIX = ".listing"
"""Of the listings that are kept. Sources leave these files out."""

_CHECKSUM = re.compile("|".join(f"[0-9a-f]{{{digits}}}" for digits in CHECKSUMS))
_NO_LISTING = (ValueError, LookupError, TypeError, SyntaxError, EOFError, gzip.BadGzipFile, zlib.error, csv.Error)
"""What the readers of origins' formats raise over an answer of another kind: a page of a proxy, say. (That of lxml is a
SyntaxError.)"""


@dataclass(frozen=True)
class Listing:
    """A listing of an origin that is kept.

    Attributes:
        name: of the file that keeps it, without `SUFFIX`; characters that do not belong there are replaced.
        asked: what it is the listing of, with the address that it comes from, in one line.
        make: asks the origin for it.
    """

    name: str
    asked: str
    make: Callable[[], Sequence[RemoteFile]]

    def path(self, output: str) -> str:
        return os.path.join(output, re.sub(r"[^\w.-]+", "_", self.name) + SUFFIX)

    def files(self, output: str, keep: bool = True) -> list[RemoteFile]:
        """The files of the kept listing of a folder, or of a new one, which is then kept.

        Raises:
            UserError: the origin gives none, or the one that is kept is of something else.
        """
        path = self.path(output)
        remedy = f"if it stays so, remove {path} and run again, which asks for a new listing"
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                asked = file.readline().removeprefix("# ").rstrip("\n")
            if asked != self.asked:
                raise UserError(f"{path} lists {asked}: remove it to fetch {self.asked} into this folder")
            made = time.strftime("%Y-%m-%d", time.localtime(os.path.getmtime(path)))
            print(f"listing of {made}: {path} (remove it to ask for a new one)")
            return [replace(file, remedy=remedy) for file in read_listing(path)]
        try:
            lines = [f"# {self.asked}", *map(_line, self.make())]
        except _NO_LISTING as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"what came is no listing of {self.asked} ({type(error).__name__}: {reason}): check the address, or "
                "try again later"
            ) from None
        text = "".join(f"{line}\n" for line in lines)
        files = _parsed(text, path)
        if keep:
            commit(path, lambda sink: sink.write(text.encode()))
        return [replace(file, remedy=remedy) for file in files]


def read_listing(path: str, base: str = "") -> list[RemoteFile]:
    """The files of a listing, a text file, also as .gz. A line is `URL [CHECKSUM [BYTES [PATH]]]`: an MD5, SHA-1 or
    SHA-256, the length, and the place below the output folder (percent-encoded; else that of the URL); `-` stands for
    what is not known. `base` is put before each URL. A file that is listed twice comes once.

    Raises:
        UserError: no such listing, it is empty or damaged, a line makes no sense, or two files would have one place.
    """
    try:
        with open_read(path) as file:
            data = file.read()
    except FileNotFoundError:
        raise UserError(f"listing {path} does not exist: give a file with one URL a line") from None
    try:
        text = (gzip.decompress(data) if path.endswith(".gz") else data).decode("utf-8")
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"listing {path} cannot be read ({error}): fetch or save it again") from None
    return _parsed(text, path, base)


def describe(files: Iterable[RemoteFile]) -> str:
    """How many files these are, and how many bytes, as far as that is known: `12 files, 3.40 GB` (10^9 bytes)."""
    sizes = [file.size for file in files]
    known = [size for size in sizes if size is not None]
    text = f"{len(sizes):,} file{'' if len(sizes) == 1 else 's'}"
    if not known:
        return f"{text} of unknown size"
    total = sum(known)
    text += f", {total / 1e9:,.2f} GB" if total >= 1e9 else f", {total / 1e6:,.2f} MB"
    unknown = len(sizes) - len(known)
    return f"{text} without {unknown:,} of unknown size" if unknown else text


def _parsed(text: str, path: str, base: str = "") -> list[RemoteFile]:
    files: dict[str, RemoteFile] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}:{number}"
        listed = _file(where, base, words)
        if not listed.name or files.setdefault(listed.name, listed) != listed:
            what = f"is stored as {listed.name}, as is {files[listed.name].url}" if listed.name else "names no file"
            raise UserError(f"{where}: {listed.url} {what}: take it out, or into a listing and folder of its own")
    if not files:
        raise UserError(f"listing {path} names no file: give a file with one URL a line")
    return list(files.values())


def _file(where: str, base: str, words: list[str]) -> RemoteFile:
    words = [word if word != "-" else "" for word in words]
    address, checksum, size, path, *more = [*words, "", "", ""] if len(words) < 4 else words
    url = base + address
    try:
        scheme = urllib.parse.urlsplit(url).scheme
    except ValueError as error:
        raise UserError(f"{where}: {url} is not a URL ({error}): mend it") from None
    if not scheme or "://" not in url:
        raise UserError(f"{where}: {url} is not a URL: give --base, or whole URLs")
    if checksum and not _CHECKSUM.fullmatch(checksum.lower()):
        raise UserError(f"{where}: {checksum} is no MD5, SHA-1 or SHA-256 in hexadecimal: mend it, or write - instead")
    if (size and not size.isdecimal()) or any(more):
        raise UserError(f"{where}: a line is URL, checksum, bytes, path, with - for what is not known: mend it")
    return RemoteFile(
        url, checksum.lower(), int(size) if size else None, urllib.parse.unquote(path), f"mend {where}, or take it out"
    )


def _line(file: RemoteFile) -> str:
    size = "-" if file.size is None else str(file.size)
    path = urllib.parse.quote(file.name) if file.name != "-" else "%2D"
    return " ".join([file.url, file.checksum or "-", size, path])
