"""Fetching raw files: resumed, checked, and polite to the server."""

import gzip
import hashlib
import http.client
import os
import posixpath
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from corpus.errors import UserError
from corpus.steps.result import PartResult
from corpus.storage import open_read

ATTEMPTS = 8
FIRST_PAUSE = 1.0
"""Seconds before the second attempt; doubled for each one after it, unless the server says how long to wait."""
LONGEST_PAUSE = 300.0
TIMEOUT = 60.0
"""Seconds without a byte."""
CONTACT = "CORPUS_CONTACT"
"""Environment variable with a mail address or URL that servers are told: Wikimedia refuses automatic requests without
one (foundation.wikimedia.org/wiki/Policy:Wikimedia_Foundation_User-Agent_Policy)."""
_CHUNK = 1 << 20
_RETRIED = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class RemoteFile:
    """A file of a listing. `sha256` is hexadecimal, or "" where the origin gives none."""

    url: str
    sha256: str = ""

    @property
    def name(self) -> str:
        """Path below the output folder: the URL's path, without a leading slash or a way out of the folder."""
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.url).path)
        return posixpath.normpath("/" + path).lstrip("/")


@dataclass(frozen=True)
class DownloadTask:
    """Files that one worker fetches one after another; the number of tasks is the number of requests at a time."""

    part: int
    files: tuple[RemoteFile, ...]
    output: str

    def __str__(self) -> str:
        return f"connection {self.part} ({len(self.files)} files)"


def read_listing(path: str, base: str = "", limit: int | None = None) -> list[RemoteFile]:
    """The files of a listing: a line is `URL` or `URL SHA256`, or a path that `base` is put before. Also as .gz. A file
    that is listed twice comes once.

    Raises:
        UserError: no such listing, it is empty or damaged, a line is not a URL, or two files would have one place.
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
    files: dict[str, RemoteFile] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        url = base + words[0]
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise UserError(f"{path}:{number}: {url} is not an http URL: give --base, or whole URLs")
        listed = RemoteFile(url, words[1].lower() if len(words) > 1 else "")
        if not listed.name or files.setdefault(listed.name, listed) != listed:
            what = f"is stored as {listed.name}, as is {files[listed.name].url}" if listed.name else "names no file"
            raise UserError(f"{path}:{number}: {url} {what}: take it out, or into a listing and folder of its own")
    if not files:
        raise UserError(f"listing {path} names no file: give a file with one URL a line")
    return list(files.values())[:limit]


def download_files(task: DownloadTask) -> PartResult:
    """Fetches the files of a task that are not there yet.

    Raises:
        UserError: what could not be fetched, after the other files are there.
    """
    fetched = size = 0
    failed = []
    for file in task.files:
        path = os.path.join(task.output, *file.name.split("/"))
        if not os.path.exists(path):
            try:
                size += fetch(file, path)
            except UserError as error:
                failed.append(str(error))
                continue
        fetched += 1
    if failed:
        raise UserError("; ".join(failed))
    return PartResult(task.part, len(task.files), fetched, size)


def fetch(file: RemoteFile, path: str, pause: Callable[[float], None] = time.sleep) -> int:
    """Fetches one file to a local path, going on where an earlier attempt stopped; returns the bytes received.

    The file appears under its name when it is whole: of the length the server said, and of the given SHA-256.

    Raises:
        UserError: the server refuses, the network fails `ATTEMPTS` times, or the checksum differs.
    """
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    partial = f"{path}.part"
    received = 0
    for attempt in range(ATTEMPTS):
        try:
            for count in _receive(file.url, partial):
                received += count
            break
        except urllib.error.HTTPError as error:
            if error.code not in _RETRIED or attempt == ATTEMPTS - 1:
                raise UserError(f"{file.url} answered {error.code} {error.reason}: check the listing") from None
            pause(_asked_pause(error.headers.get("Retry-After")) or _pause(attempt))
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            if attempt == ATTEMPTS - 1:
                reason = getattr(error, "reason", None) or error
                raise UserError(f"cannot fetch {file.url}: {reason}: check the network and run again") from None
            pause(_pause(attempt))
    if file.sha256:
        with open(partial, "rb") as data:
            found = hashlib.file_digest(data, "sha256").hexdigest()
        if found != file.sha256:
            os.unlink(partial)
            raise UserError(f"{file.url} has SHA-256 {found}, the listing says {file.sha256}: fetch it again")
    os.replace(partial, path)
    return received


def _receive(url: str, partial: str) -> Iterator[int]:
    """Appends what is missing to `partial`, giving the size of each piece.

    Raises:
        http.client.IncompleteRead: the connection ended early.
    """
    held = os.path.getsize(partial) if os.path.exists(partial) else 0
    contact = os.environ.get(CONTACT)
    agent = f"corpus/0.1 ({contact})" if contact else "corpus/0.1"
    request = urllib.request.Request(url, headers={"User-Agent": agent})
    if held:
        request.add_header("Range", f"bytes={held}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if held and error.code == 416:  # nothing is missing, or the file changed: fetch it from the start
            os.unlink(partial)
            yield from _receive(url, partial)
            return
        raise
    with response, open(partial, "ab" if response.status == 206 else "wb") as file:
        expected = response.headers.get("Content-Length")
        count = 0
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            count += len(chunk)
            yield len(chunk)
        if expected is not None and count < int(expected):
            raise http.client.IncompleteRead(b"", int(expected) - count)
        file.flush()
        os.fsync(file.fileno())


def _pause(attempt: int) -> float:
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)


def _asked_pause(value: str | None) -> float:
    """Seconds that a Retry-After header asks for (a number or a date), 0 without one."""
    if not value:
        return 0.0
    if value.isdigit():
        return min(LONGEST_PAUSE, float(value))
    try:
        return min(LONGEST_PAUSE, max(0.0, parsedate_to_datetime(value).timestamp() - time.time()))
    except ValueError:
        return 0.0
