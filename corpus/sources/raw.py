"""Raw files of a source: listing, opening, grouping into splits."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import IO, Any, cast

import xxhash
from fsspec.implementations.local import LocalFileSystem

from corpus.errors import UserError
from corpus.settings import unset_variable
from corpus.storage import filesystem

SPLIT_BYTES = 1 << 30
"""Raw bytes aimed at for one split (docs/format.md: about 1 GB of text each)."""

_OF_DOWNLOADS = (".part", ".listing")
"""Beside what `corpus download` fetches: what is not finished yet, and its listings."""
_EDGE = 1 << 20
_READERS = 32  # threads that read the edges of files: they wait for an object store, not for a processor


@dataclass(frozen=True)
class RawFile:
    """One input file.

    Attributes:
        path: below the input root, forward slashes.
        size: bytes.
        digest: xxh3-128 over the size and the first and last MiB, hexadecimal: cheap on a bucket of terabytes, and
            it sees every change but one in the middle of a file that keeps its size.
    """

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class Piece:
    """A file, or the byte range [start, end) of one. `end` None = to its end."""

    path: str
    start: int = 0
    end: int | None = None


@dataclass(frozen=True)
class Split:
    """The raw bytes that one part comes from. `group` names the snapshot where a source has several, else ""."""

    pieces: tuple[Piece, ...]
    group: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "Split":
        return cls(tuple(Piece(**piece) for piece in body["pieces"]), body["group"])


def file_sizes(root: str, include: Sequence[str] = ("**",)) -> dict[str, int]:
    """Bytes of all files below `root` (any fsspec path) whose relative path matches one of the patterns, by this path,
    sorted.

    Raises:
        UserError: the folder does not exist, or holds no matching file, or one that is no regular file.
        OSError: a folder cannot be read.
    """
    fs, base = filesystem(root)
    if not fs.exists(base):
        unset = unset_variable(root)
        remedy = (
            f"{unset} is not set in the environment" if unset else "set `input` to the folder that holds the raw files"
        )
        raise UserError(f"input {root} does not exist: {remedy}")
    base = base.rstrip("/")
    if isinstance(fs, LocalFileSystem) and fs.isdir(base):
        for _ in os.walk(base, onerror=_refuse):  # fsspec leaves out a folder that cannot be read, without a word
            pass
    infos = {base: fs.info(base)} if fs.isfile(base) else fs.find(base, detail=True)
    found: dict[str, int] = {}
    for path, info in sorted(infos.items()):
        relative = posixpath.basename(path) if path == base else path[len(base) + 1 :]
        if not relative.endswith(_OF_DOWNLOADS) and any(_matches(relative, pattern) for pattern in include):
            if info["type"] == "other" and not fs.isfile(path):  # reading a pipe would never end
                raise UserError(
                    f"input {path} is a pipe, a device, or a link to a folder or to nothing: put the file or folder "
                    "itself there, or leave it out with `include`"
                )
            found[relative] = info["size"]
    if not found:
        raise UserError(f"input {root} holds no file that matches {', '.join(include)}: check `input` and `include`")
    return found


def list_files(root: str, include: Sequence[str] = ("**",)) -> list[RawFile]:
    """The files of `file_sizes` with their digests.

    Raises:
        UserError, OSError: as `file_sizes`.
    """
    sizes = file_sizes(root, include)
    fs, base = filesystem(root)
    folder = "" if fs.isfile(base) else base.rstrip("/") + "/"
    with ThreadPoolExecutor(_READERS) as pool:
        digests = list(pool.map(lambda path: _edge_digest(fs, folder + path if folder else base, sizes[path]), sizes))
    return [RawFile(path, size, digest) for (path, size), digest in zip(sizes.items(), digests, strict=True)]


def open_raw(root: str, path: str) -> IO[bytes]:
    """The file `path` below `root`, for reading bytes; seekable."""
    fs, base = filesystem(root)
    full = base if fs.isfile(base) else f"{base.rstrip('/')}/{path}"
    return cast(IO[bytes], fs.open(full, "rb"))


def group_files(files: Iterable[RawFile], target: int = SPLIT_BYTES, group: str = "") -> list[Split]:
    """Consecutive whole files together until a split holds `target` bytes; a file is never cut."""
    return [Split(tuple(Piece(file.path) for file in some), group) for some in _runs(files, target)]


def _runs(files: Iterable[RawFile], target: int) -> Iterator[list[RawFile]]:
    held: list[RawFile] = []
    size = 0
    for file in files:
        if held and size + file.size > target:
            yield held
            held, size = [], 0
        held.append(file)
        size += file.size
    if held:
        yield held


def _refuse(error: OSError) -> None:
    raise error


def _matches(path: str, pattern: str) -> bool:
    """Shell pattern against the whole relative path; "**" also matches nothing, "/**/" also one folder's border, and a
    bare name any folder."""
    patterns = {pattern, pattern.replace("/**/", "/")}
    return any(fnmatchcase(path, one) or fnmatchcase("/" + path, "*/" + one) for one in patterns)


def _edge_digest(fs: Any, path: str, size: int) -> str:
    state = xxhash.xxh3_128(str(size).encode())
    for start, end in ((0, min(size, _EDGE)), (max(_EDGE, size - _EDGE), size)):
        if start < end:
            state.update(fs.cat_file(path, start=start, end=end))
    return state.hexdigest()
