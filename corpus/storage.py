"""Files anywhere fsspec reaches, written so that a reader sees a whole file or none."""

import hashlib
import json
import os
import posixpath
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from corpus.errors import DamagedFile, UserError
from corpus.schema import FORMAT


def join(*parts: str) -> str:
    """Path components of any fsspec URL, joined."""
    return posixpath.join(*parts)


def parent(path: str) -> str:
    """The folder that holds a file or folder."""
    return posixpath.dirname(path.rstrip("/")) or "."


def relative(path: str, folder: str) -> str:
    """How a file in `folder` names `path` so that both can be moved together; `resolve` is the inverse.

    Two local paths, or two URLs of one store (scheme and host or bucket), give a relative path. Where only one of them
    could be moved, `path` is returned: a URL as it is, a local path absolute.
    """
    (store, inner), (other, start) = _split(path), _split(folder)
    if store != other:
        return path if store else os.path.abspath(path)
    return posixpath.relpath(f"/{inner}", f"/{start}") if store else posixpath.relpath(path, folder)


def resolve(path: str, folder: str) -> str:
    """The path or URL that a file in `folder` names: relative to `folder`, unless it is absolute or a URL."""
    if "://" in path or path.startswith("/"):
        return path
    store, inner = _split(folder)
    return store + posixpath.normpath(join(f"/{inner}", path))[1:] if store else posixpath.normpath(join(folder, path))


def _split(path: str) -> tuple[str, str]:
    """("scheme://host/", path in it) of a URL, ("", path) of a local path; a chain ("a::b") is one store."""
    scheme, found, rest = path.partition("://")
    if not found:
        return "", path
    if "::" in path:
        return path, ""
    host, _, inner = rest.partition("/")
    return f"{scheme}://{host}/", inner


STORE_LIBRARIES = ("adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google.api_core", "google.auth")
"""Whose exceptions are about an object store: no credentials, no permission, no such endpoint."""


def of_a_store(error: BaseException) -> bool:
    """Whether an exception, which is no OSError, comes from the library of an object store."""
    return any(f"{kind.__module__}.".startswith(f"{name}.") for kind in type(error).__mro__ for name in STORE_LIBRARIES)


def filesystem(path: str, **options: Any) -> tuple[Any, str]:
    """The fsspec file system of a path, opened with its own `options`, and the path inside it.

    Listings are not cached: they would hide the files that other processes write.

    Raises:
        UserError: a scheme that fsspec does not know, or whose library is not installed.
    """
    try:
        fs, inner = fsspec.core.url_to_fs(path, use_listings_cache=False, **options)
    except (ImportError, ValueError) as error:
        raise UserError(f"{path} cannot be reached: {error}") from None
    return fs, inner


def local_path(path: str) -> str | None:
    """The path on a disk of this machine, or None where only requests reach it."""
    fs, inner = filesystem(path)
    return inner if isinstance(fs, LocalFileSystem) else None


def exists(path: str) -> bool:
    fs, inner = filesystem(path)
    return bool(fs.exists(inner))


def remove(path: str) -> None:
    """Removes a file or a whole folder; nothing happens where there is none."""
    fs, inner = filesystem(path)
    if fs.exists(inner):
        fs.rm(inner, recursive=True)


def names(folder: str) -> list[str]:
    """Sorted names directly inside a folder; empty when there is no such folder."""
    fs, inner = filesystem(folder)
    if not fs.isdir(inner):
        return []
    return sorted(posixpath.basename(path.rstrip("/")) for path in fs.ls(inner, detail=False))


@contextmanager
def open_read(path: str) -> Iterator[IO[bytes]]:
    if path.startswith("/"):  # fsspec takes three times as long to open a file, and a slice of a run is one
        with open(path, "rb") as local:
            yield local
        return
    fs, inner = filesystem(path)
    with fs.open(inner, "rb") as file:
        yield file


class _Digesting:
    """A write-only file that hashes and counts what passes through; enough of a file for Arrow."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._sha = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        self._sha.update(data)
        self.size += memoryview(data).nbytes
        self._file.write(data)
        return memoryview(data).nbytes

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def digest(self) -> str:
        return self._sha.hexdigest()


def commit(path: str, write: Callable[[Any], None]) -> str:
    """Writes a file that appears whole or not at all, and returns the SHA-256 of its bytes.

    Local disk: a temporary name unique to the attempt, fsync of the file, rename, fsync of the folder. Elsewhere the
    completed upload is the commit; one that fails is given up.
    """
    fs, inner = filesystem(path)
    if not isinstance(fs, LocalFileSystem):
        # In the order of fsspec's own transactions; a plain close() would complete the upload after an error too.
        file = fs.open(inner, "wb", autocommit=False)
        sink = _Digesting(file)
        try:
            write(sink)
        except BaseException:
            file.close()
            file.discard()
            raise
        file.close()
        file.commit()
        return sink.digest()
    folder = os.path.dirname(inner)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{os.path.basename(inner)}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as file:
            sink = _Digesting(file)
            write(sink)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, inner)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return sink.digest()


def clear_attempts(folder: str) -> None:
    """Removes temporary files that killed attempts left in a local folder and the folders in it."""
    fs, inner = filesystem(folder)
    if isinstance(fs, LocalFileSystem):
        for path, _, files in os.walk(inner):
            for name in files:
                if name.startswith(".") and name.endswith(".tmp"):
                    os.unlink(os.path.join(path, name))


def canonical(body: Any) -> bytes:
    """JSON with sorted keys and fixed separators: equal values give equal bytes."""
    return json.dumps(body, sort_keys=True, ensure_ascii=False, indent=1).encode() + b"\n"


def digest_of(body: Any) -> str:
    """SHA-256 of a JSON value in canonical form, hexadecimal."""
    return hashlib.sha256(canonical(body)).hexdigest()


def file_digest(path: str) -> str:
    """SHA-256 of the bytes of a file, hexadecimal."""
    with open_read(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def write_json(path: str, body: dict[str, Any]) -> str:
    """Commits a JSON file with our format number and returns the SHA-256 of its bytes."""
    return commit(path, lambda sink: sink.write(canonical({"format": FORMAT, **body})))


def read_json(path: str) -> dict[str, Any]:
    """The body of one of our JSON files.

    Raises:
        DamagedFile: not JSON, or another format number.
    """
    with open_read(path) as file:
        data = file.read()
    try:
        body = json.loads(data)
    except ValueError as error:
        raise DamagedFile(f"{path} is not valid JSON ({error}): remove it and run the step again") from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        found = body.get("format") if isinstance(body, dict) else None
        raise DamagedFile(
            f"{path} has format {found}, this version reads format {FORMAT}: use the version that wrote it"
        )
    return body
