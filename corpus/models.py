"""Model files by name: where they come from, what they must hash to, and where they are cached."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

import filelock
import platformdirs

from corpus.errors import UserError

_CHUNK = 1 << 20
_TIMEOUT = 60.0  # seconds without a byte


class Model(NamedTuple):
    """A file that `get` can download. `sha256` is hexadecimal, `size` in bytes."""

    url: str
    sha256: str
    size: int


MODELS = {
    "lid": Model(
        "https://dl.fbaipublicfiles.com/fasttext/supervised-models/lid.176.ftz",
        "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
        938_013,
    ),
    "lid-bin": Model(
        "https://dl.fbaipublicfiles.com/fasttext/supervised-models/lid.176.bin",
        "7e69ec5451bc261cc7844e49e4792a85d7f09c06789ec800fc4a44aec362764e",
        131_266_198,
    ),
}
"""fastText's language identification for 176 languages (fasttext.cc/docs/en/language-identification.html; CC BY-SA
3.0): "lid" is quantised, "lid-bin" is the full model, which CCNet used."""


def locate(name_or_path: str) -> str:
    """The local path of a model: the cached file of a known name, or the path itself.

    Raises:
        UserError: the file is missing, or is not of the known model's size.
    """
    if name_or_path in MODELS:
        path = _cached(name_or_path)
        if not path.is_file():
            raise UserError(f"model {name_or_path} is not in {path.parent}: run `corpus models get {name_or_path}`")
        if not _is_whole(path, MODELS[name_or_path]):
            raise UserError(
                f"{path} has {path.stat().st_size:,} bytes, and the model {name_or_path} "
                f"{MODELS[name_or_path].size:,}: run `corpus models get {name_or_path}`, which fetches it again"
            )
        return str(path)
    if not os.path.isfile(name_or_path):
        raise UserError(
            f"no model file {name_or_path}: give the path of a file, or one of the names {', '.join(sorted(MODELS))}"
        )
    return name_or_path


def sha256(path: str) -> str:
    """SHA-256 of a file, hexadecimal. A file whose size and time of change stay is read once a process.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        status = os.stat(path)
        return _sha256(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


def get(name: str) -> str:
    """Downloads a known model into the user's cache folder unless it is there whole; returns its path.

    Processes that ask at the same time wait for one download. The file appears under its name only when its SHA-256
    is right.

    Raises:
        UserError: unknown name, no network, a wrong checksum, or a cache folder that cannot be written.
    """
    if name not in MODELS:
        raise UserError(f"unknown model {name}: known are {', '.join(sorted(MODELS))}")
    model, path = MODELS[name], _cached(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{path}.lock"):
            if not (path.is_file() and _is_whole(path, model)):
                _download(model, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    return str(path)


def _cached(name: str) -> Path:
    return platformdirs.user_cache_path("corpus") / "models" / MODELS[name].url.rpartition("/")[2]


def _is_whole(path: Path, model: Model) -> bool:
    return path.stat().st_size == model.size


@lru_cache(maxsize=64)
def _sha256(path: str, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(model: Model, path: Path) -> None:
    partial = path.with_name(path.name + ".part")  # one writer: the lock is held
    try:
        with open(partial, "wb") as file:
            found = _fetch(model.url, file)
        if found != model.sha256:
            raise UserError(f"{model.url} has SHA-256 {found}, expected {model.sha256}: try again later")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _fetch(url: str, file: BinaryIO) -> str:
    """Copies what `url` answers into `file`; returns its SHA-256."""
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
    except urllib.error.HTTPError as error:
        raise UserError(f"{url} answered {error.code} {error.reason}: try again later") from None
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(f"cannot download {url}: {reason}: check the network and try again") from None
    file.flush()
    os.fsync(file.fileno())
    return digest.hexdigest()
