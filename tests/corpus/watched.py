"""A file that knows who reads and writes it."""

import io
import threading
from typing import Any


class Watched(io.BytesIO):
    """A file in memory that notes which threads read and write it."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(data)
        self.threads: set[int] = set()

    def read(self, size: int | None = -1) -> bytes:
        self.threads.add(threading.get_ident())
        return super().read(size)

    def write(self, data: Any) -> int:
        self.threads.add(threading.get_ident())
        return super().write(data)
