"""Files of words, domains or URLs, one entry a line."""

import os
from functools import lru_cache

import numpy as np

from corpus.errors import UserError
from corpus.text.buffers import Bytes

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

FileState = tuple[str, int, int]
"""A path, and the size and time of change of its file: what is kept of a file in memory is kept under these."""


def state_of(path: str) -> FileState:
    """What tells one state of a file from another.

    Raises:
        UserError: there is no such file.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise UserError(f"cannot read the list {path}: {error.strerror}: give the path of a text file") from None
    return path, status.st_size, status.st_mtime_ns


def list_bytes(path: str) -> Bytes:
    """The UTF-8 of a list, without a byte order mark.

    Raises:
        UserError: the file cannot be read, or is no UTF-8 text.
    """
    try:
        with open(path, "rb") as file:
            data = file.read().removeprefix(BYTE_ORDER_MARK)
    except OSError as error:
        raise UserError(f"cannot read the list {path}: {error.strerror}: give the path of a text file") from None
    try:
        data.decode()
        wrong = data.find(b"\0")
    except UnicodeDecodeError as error:
        wrong = error.start
    if wrong >= 0:
        line = data.count(b"\n", 0, wrong) + 1
        raise UserError(f"{path}:{line}: not UTF-8 text: save the list as UTF-8, one entry a line")
    return np.frombuffer(data, np.uint8)


def read_words(path: str) -> tuple[str, ...]:
    """The entries of a list in order, without white space around them; blank lines are none.

    Raises:
        UserError: as `list_bytes`, or there is no entry.
    """
    return _read_words(state_of(path))


@lru_cache(maxsize=16)
def _read_words(state: FileState) -> tuple[str, ...]:
    path = state[0]
    lines = list_bytes(path).tobytes().decode().splitlines()
    words = tuple(word for line in lines if (word := line.strip()))
    if not words:
        raise UserError(f"{path} holds no word: give one a line, or leave the list out")
    return words
