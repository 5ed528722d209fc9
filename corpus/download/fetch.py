"""The one way to fetch a file, for dumps, their listings and models: resumed, checked, and polite to the server."""

import hashlib
import http.client
import os
import posixpath
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parsedate_to_datetime
from tempfile import TemporaryDirectory
from time import sleep

from corpus.errors import UserError
from corpus.steps.result import PartResult
from corpus.storage import filesystem

ATTEMPTS = 8
"""Attempts in a row that bring the file no further."""
LISTING_ATTEMPTS = 5
"""The same for a listing, for which somebody waits: 15 seconds where nobody answers."""
FIRST_PAUSE = 1.0
"""Seconds before the second attempt; doubled for each one after it, unless the server says how long to wait."""
LONGEST_PAUSE = 300.0
"""Seconds. A server that asks for more is left alone, and the user is told."""
TIMEOUT = 60.0
"""Seconds without a byte."""
CONTACT = "CORPUS_CONTACT"
"""Environment variable with a mail address or URL that servers are told: Wikimedia refuses automatic requests without
one (foundation.wikimedia.org/wiki/Policy:Wikimedia_Foundation_User-Agent_Policy)."""
CHECKSUMS = {32: "md5", 40: "sha1", 64: "sha256"}
"""Kinds of checksum by their hexadecimal digits."""

_CHUNK = 1 << 20
_RETRIED = {408, 425, 429, 500, 502, 503, 504}
_RESERVED = "%:/?#[]@!$&'()*+,;=~"
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_NEXT = re.compile(r"<([^<>]*)>[^<]*;\s*rel=\"?next\b")
_STORE_OPTIONS = {"s3://arxiv/": {"requester_pays": True}}
"""arXiv's bucket gives only to who agrees to pay for the transfer; `corpus download arxiv` says what it may cost."""


class Gone(UserError):
    """The server does not have the file."""


class Refused(UserError):
    """The server gives nothing to us, this file or another, now."""


class _Again(Exception):
    """An attempt that failed as the next may not. `pause` is what the server asks for, in seconds, or 0."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class _Other(Exception):
    """These are not the bytes of the listing: another length or checksum."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a listing.

    Attributes:
        url: http, https, or one that fsspec opens (s3://...).
        checksum: MD5, SHA-1 or SHA-256, in lower-case hexadecimal; "" where the origin gives none.
        size: bytes, or None where the origin does not say.
        path: below the output folder; "" = that of the URL.
        remedy: what to do if the file is not there, or not as it is listed.
    """

    url: str
    checksum: str = ""
    size: int | None = None
    path: str = ""
    remedy: str = field(default="check the address", compare=False)

    @property
    def name(self) -> str:
        """Path below the output folder, with neither a leading slash nor a way out of the folder."""
        path = self.path or urllib.parse.unquote(urllib.parse.urlsplit(self.url).path)
        return posixpath.normpath("/" + path).lstrip("/")

    def below(self, folder: str) -> str:
        """The local path of the file in an output folder."""
        return os.path.join(folder, *self.name.split("/"))

    def is_in(self, folder: str) -> bool:
        """Whether the folder has the file, of the listed size. Files appear there only when they are whole."""
        path = self.below(folder)
        return os.path.isfile(path) and self.size in (None, os.path.getsize(path))


@dataclass(frozen=True)
class DownloadTask:
    """Files that one worker fetches one after another.

    Attributes:
        may_lack: a file that the server does not have is no failure.
    """

    part: int
    files: tuple[RemoteFile, ...]
    output: str
    may_lack: bool = False

    def __str__(self) -> str:
        others = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"{self.files[0].name}{others}"


def download_files(task: DownloadTask) -> PartResult:
    """Fetches the files of a task that are not there yet. After a refusal the rest is not asked for.

    Raises:
        UserError: what could not be fetched, after the other files are there.
    """
    size = 0
    failed = []
    for number, file in enumerate(task.files, 1):
        if file.is_in(task.output):
            continue
        path = file.below(task.output)
        try:
            fetch(file, path)
            size += os.path.getsize(path)
        except Refused as error:
            left = len(task.files) - number
            failed.append(f"{error}; {left} more files were not asked for" if left else str(error))
            break
        except Gone as error:
            if not task.may_lack:
                failed.append(str(error))
        except UserError as error:
            failed.append(str(error))
    if failed:
        raise UserError("; ".join(failed))
    return PartResult(task.part, bytes_in=size)


def fetch(file: RemoteFile, path: str, attempts: int = ATTEMPTS) -> Message:
    """Fetches one file to a local path, going on where an earlier attempt or run stopped (`path`.part).

    The file appears under its name when it is whole: of the length that the server said, and of the size and checksum
    of the listing. If it is not, and an earlier run had left a beginning of it, it is fetched once more from its start.

    Returns:
        The headers of the server's last answer; none where there was nothing to ask for, or no HTTP.

    Raises:
        Gone, Refused: as they say.
        UserError: the network fails `attempts` times in a row, or these are not the bytes of the listing.
    """
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    partial = f"{path}.part"
    while True:
        resumed = os.path.exists(partial)
        try:
            headers = _receive(file, partial, attempts)
            _check(file, partial)
            break
        except _Other as error:
            if os.path.exists(partial):
                os.unlink(partial)
            if not resumed:
                raise UserError(f"{file.url} {error}: {file.remedy}") from None
    os.replace(partial, path)
    return headers


def read_pages(url: str, remedy: str) -> Iterator[bytes]:
    """What a URL answers, and the pages that follow it: each names the next in its Link header (RFC 8288).

    Raises:
        UserError: as `fetch`, with this remedy; or the pages never end.
    """
    seen = set()
    while url:
        if url in seen:
            raise UserError(f"{url} names itself as the page after it: {remedy}")
        seen.add(url)
        with TemporaryDirectory() as folder:
            path = os.path.join(folder, "page")
            headers = fetch(RemoteFile(url, remedy=remedy), path, LISTING_ATTEMPTS)
            with open(path, "rb") as page:
                yield page.read()
        following = _NEXT.search(headers.get("Link", ""))
        url = urllib.parse.urljoin(url, following[1]) if following else ""


def read(url: str, remedy: str) -> bytes:
    """What a URL answers.

    Raises:
        UserError: as `fetch`, with this remedy.
    """
    return next(read_pages(url, remedy))


def _receive(file: RemoteFile, partial: str, attempts: int) -> Message:
    """Attempts until `partial` is whole; returns the headers of the last answer."""
    furthest, failures = _size(partial), 0
    attempt = _ask_server if file.url.startswith(("http://", "https://")) else _ask_store
    while True:
        try:
            return attempt(file, partial)
        except _Again as error:
            held = _size(partial)
            failures = 1 if held > furthest else failures + 1
            furthest = max(furthest, held)
            if failures >= attempts:
                raise UserError(f"cannot fetch {file.url}: {error}: check the network and run again") from None
            sleep(error.pause or min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1)))


def _ask_server(file: RemoteFile, partial: str) -> Message:
    """Appends to `partial` what is missing."""
    held = _size(partial)
    if held and held == file.size:
        return Message()
    contact = os.environ.get(CONTACT)
    agent = f"corpus/0.1 ({contact})" if contact else "corpus/0.1"
    request = urllib.request.Request(urllib.parse.quote(file.url, safe=_RESERVED), headers={"User-Agent": agent})
    if held:
        request.add_header("Range", f"bytes={held}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if held and error.code == 416:
                return _beyond_its_end(error.headers, partial)
            raise _meaning(file, error) from None
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise _Again(_one_line(getattr(error, "reason", None) or error)) from None
    with response:
        length = response.headers.get("Content-Length", "")
        whole = missing = int(length) if length.isdecimal() else None
        if response.status == 206 and held:
            found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
            changed = not file.checksum and _time(response.headers.get("Last-Modified")) > os.path.getmtime(partial)
            if found is None or found[1] != str(held) or changed:
                os.unlink(partial)
                raise _Again("what the server gives does not belong behind what is there of the file")
            whole = int(found[2]) if found[2] != "*" else None
            missing = whole - held if whole is not None else missing
        elif response.status != 200:
            raise _Again(f"it answered {response.status} {response.reason}")
        if file.size is not None and whole not in (None, file.size):
            raise _Other(f"has {whole:,} bytes, the listing says {file.size:,}")
        _append(response.read, partial, "ab" if response.status == 206 else "wb", missing)
        return response.headers


def _beyond_its_end(headers: Message, partial: str) -> Message:
    """What an answer 416 means: nothing is missing, or the file has changed and is fetched from its start."""
    found = _CONTENT_RANGE.match(headers.get("Content-Range", ""))
    if found is not None and found[2] == str(_size(partial)):
        return headers
    os.unlink(partial)
    raise _Again("the file is shorter than what is there of it")


def _meaning(file: RemoteFile, error: urllib.error.HTTPError) -> Exception:
    """What an answer that is no success means for this file and the next ones."""
    answer = f"{file.url} answered {error.code} {_one_line(error.reason)}"
    if error.code in (404, 410):
        return Gone(f"{answer}: {file.remedy}")
    if error.code in (401, 403):
        contact = "" if os.environ.get(CONTACT) else f"set {CONTACT} to your mail address or a page about you, "
        return Refused(f"{answer}: {contact}check that it lets you have this, use fewer --connections, or wait")
    if error.code not in _RETRIED:
        return UserError(f"{answer}: {file.remedy}")
    asked = _asked_pause(error.headers.get("Retry-After"))
    if asked > LONGEST_PAUSE:
        return Refused(f"{answer} and asks to wait {asked:,.0f} seconds: run again then")
    return _Again(f"it answered {error.code} {_one_line(error.reason)}", asked)


def _ask_store(file: RemoteFile, partial: str) -> Message:
    """As `_ask_server`, from whatever fsspec opens."""
    options = next((some for prefix, some in _STORE_OPTIONS.items() if file.url.startswith(prefix)), {})
    fs, inner = filesystem(file.url, **options)
    try:
        whole = fs.info(inner)["size"]
        source = fs.open(inner, "rb")
    except FileNotFoundError:
        raise Gone(f"{file.url} is not there: {file.remedy}") from None
    except (ConnectionError, TimeoutError) as error:
        raise _Again(_one_line(error)) from None
    except Exception as error:  # a store's library has errors of its own, and has tried again itself
        raise Refused(f"cannot read {file.url} ({_one_line(error)}): check your credentials and the address") from None
    with source:
        if file.size not in (None, whole):
            raise _Other(f"has {whole:,} bytes, the listing says {file.size:,}")
        held = _size(partial)
        if held > whole:
            raise _Other(f"has {whole:,} bytes, fewer than are there of it")
        source.seek(held)
        _append(source.read, partial, "ab", whole - held)
    return Message()


def _append(read: Callable[[int], bytes], partial: str, mode: str, missing: int | None) -> None:
    """Copies what `read` gives into `partial`; `missing` is how much that must be, or None where nobody says."""
    count = 0
    with open(partial, mode) as file:
        while chunk := _read(read):
            file.write(chunk)
            count += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    if missing is not None and count < missing:
        raise _Again(f"the connection ended {missing - count:,} bytes early")


def _read(read: Callable[[int], bytes]) -> bytes:
    try:
        return read(_CHUNK)
    except Exception as error:  # of the network, of HTTP, of the store's library
        raise _Again(_one_line(error)) from None


def _check(file: RemoteFile, partial: str) -> None:
    """Compares a file with its listing."""
    size = _size(partial)
    if file.size not in (None, size):
        raise _Other(f"gave {size:,} bytes, the listing says {file.size:,}")
    if file.checksum:
        kind = CHECKSUMS[len(file.checksum)]
        with open(partial, "rb") as data:
            found = hashlib.file_digest(data, kind).hexdigest()
        if found != file.checksum:
            raise _Other(f"has the {kind} {found}, the listing says {file.checksum}")


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def _one_line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _asked_pause(value: str | None) -> float:
    """Seconds that a Retry-After header asks for (a number or a date), 0 without one that can be read."""
    value = (value or "").strip()
    return float(value) if value.isdecimal() else max(0.0, _time(value) - time.time())


def _time(date: str | None) -> float:
    """A date of HTTP in seconds of the Unix clock, 0 without one that can be read."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0
