"""Model files by name: where they come from, what they must hash to, and where they are cached."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import filelock
import platformdirs

from corpus.download.fetch import RemoteFile, fetch
from corpus.errors import UserError

ATTEMPTS = 3
"""Somebody waits: three seconds where nobody answers."""


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
    is right; a download that was cut goes on where it stopped.

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
                fetch(RemoteFile(model.url, model.sha256, model.size, remedy="try again later"), str(path), ATTEMPTS)
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
