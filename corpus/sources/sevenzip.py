"""7-Zip archives as streams of bytes: nothing is unpacked to disk, and a name in an archive is never used as a path."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import IO

import py7zr
from py7zr.exceptions import DecompressionBombError, PasswordRequired
from py7zr.io import Py7zIO, WriterFactory
from py7zr.properties import MAGIC_7Z

from corpus.sources.archive import Damaged, TooLarge

PIECE_BYTES = 1 << 20
_WAITING = 4  # pieces that are unpacked and not yet read
_PATIENCE = 0.1  # seconds between two looks whether the reader has gone


class Encrypted(Damaged):
    """The archive needs a password."""


def read_members(file: IO[bytes], wanted: Callable[[str], bool], limit: int) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The name of each file of an archive that is wanted, in the order of the archive, and its content in pieces of at
    most `PIECE_BYTES`, to be read before the next name is asked for. Empty files are left out.

    A thread unpacks while the caller reads; it ends when the generator is closed. Beside the method's own window
    memory holds some copies of what one MiB unpacks to, at most 128 MB each.

    Raises:
        Damaged: the archive cannot be read, or not from some place on; or is packed by a method that py7zr does
            not know.
        Encrypted: it needs a password.
        TooLarge: more than `limit` bytes were unpacked, of whatever files.
    """
    with closing(_pieces(file, wanted, limit)) as pieces:
        for name, group in groupby(pieces, itemgetter(0)):
            yield name, map(itemgetter(1), group)


def _pieces(file: IO[bytes], wanted: Callable[[str], bool], limit: int) -> Generator[tuple[str, bytes], None, None]:
    waiting: _Queue = queue.Queue(_WAITING)
    stopped = threading.Event()
    thread = threading.Thread(target=_unpack, args=(file, wanted, limit, waiting, stopped), daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, Exception):
                raise _named(item) from item
            yield item
    finally:
        stopped.set()
        thread.join()


_Queue = queue.Queue[tuple[str, bytes] | Exception | None]


def _unpack(
    file: IO[bytes], wanted: Callable[[str], bool], limit: int, waiting: _Queue, stopped: threading.Event
) -> None:
    """Puts pieces, and last None or what went wrong, into the queue."""

    def put(item: tuple[str, bytes] | Exception | None) -> None:
        while True:
            if stopped.is_set():
                raise _Stopped
            try:
                waiting.put(item, timeout=_PATIENCE)
            except queue.Full:
                continue
            return

    try:
        try:
            file.seek(0)
            if file.read(len(MAGIC_7Z)) != MAGIC_7Z:  # py7zr says this of an error of the storage too
                raise Damaged("not a 7z archive")
            file.seek(0)
            with py7zr.SevenZipFile(file, max_extract_size=limit) as archive:
                names = {entry.filename for entry in archive.list() if entry.is_file and wanted(entry.filename)}
                if names:
                    archive.extract(targets=names, factory=_Factory(put))
        except Exception as error:  # a damaged header makes py7zr raise whatever Python has
            put(error)
        put(None)
    except _Stopped:
        pass


def _named(error: Exception) -> Exception:
    if isinstance(error, DecompressionBombError):
        return TooLarge(str(error))
    if isinstance(error, Damaged) or (isinstance(error, OSError) and error.errno is not None):
        return error  # an OSError of damaged data has no number, that of the storage has
    if isinstance(error, PasswordRequired):
        return Encrypted("it needs a password")
    return Damaged(f"{type(error).__name__}: {error}")


class _Stopped(BaseException):
    """The reader wants no more."""


class _Factory(WriterFactory):
    def __init__(self, put: Callable[[tuple[str, bytes]], None]) -> None:
        self._put = put

    def create(self, filename: str) -> Py7zIO:
        return _Writer(filename, self._put)


class _Writer(Py7zIO):
    """What py7zr takes for the file to write to."""

    def __init__(self, name: str, put: Callable[[tuple[str, bytes]], None]) -> None:
        self._name = name
        self._put = put
        self._size = 0

    def write(self, s: bytes | bytearray) -> int:
        view = memoryview(s)
        for start in range(0, len(view), PIECE_BYTES):
            self._put((self._name, bytes(view[start : start + PIECE_BYTES])))
        self._size += len(view)
        return len(view)

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def flush(self) -> None:
        pass

    def size(self) -> int:
        return self._size
