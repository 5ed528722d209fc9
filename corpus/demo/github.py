"""GitHub repositories as archives, made of the packages that are installed."""

import gzip
import io
import re
import tarfile
from collections.abc import Iterable
from hashlib import sha1
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath

from corpus.sources.licenses import is_license_file, repository_licenses

REPOSITORIES = 10
_LEAST_BYTES = 20_000  # of code; a package with less is a stub
_MOST_BYTES = 30_000  # of code taken from one package
_MOST_FILE_BYTES = 24_000
_MOST_README_BYTES = 8_000  # longer ones are mostly badges
_PERMISSIVE = re.compile(r"apache|bsd|\bmit\b", re.IGNORECASE)
_OTHER = re.compile(r"gpl|mpl|mozilla|general public", re.IGNORECASE)
_REPOSITORY = re.compile(r"https?://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?(?:[/#]|$)")

Files = dict[str, bytes]


def write(folder: Path, packages: Iterable[Distribution]) -> None:
    """The first packages by name whose metadata and whose own licence files say Apache, BSD or MIT, a part of their
    code each; the first under another licence, which the source refuses; and an archive that is cut short."""
    folder.mkdir(parents=True)
    by_name: dict[str, Distribution] = {}
    for package in packages:
        by_name.setdefault(package.name.lower(), package)  # as in imports, the first on the path counts
    wanted, refused = REPOSITORIES, 1
    before: Files = {}
    packed = b""
    for _, package in sorted(by_name.items()):
        permissive = _is_permissive(package)
        archive = folder / f"{_repository(package)}.tar.gz"
        if permissive is None or archive.exists() or not (wanted if permissive else refused):
            continue
        licenses, code = _licenses(package), _code(package)
        if permissive:
            if not repository_licenses(licenses)[0] or sum(map(len, code.values())) < _LEAST_BYTES:
                continue
            wanted -= 1
        else:
            if not licenses or not code:
                continue
            refused -= 1
        packed = _archive(package, licenses | code | _besides(before))
        archive.write_bytes(packed)
        before = code
    (folder / "unknown__cut-short.tar.gz").write_bytes(packed[: len(packed) // 4])


def _is_permissive(package: Distribution) -> bool | None:
    """Whether its metadata say Apache, BSD or MIT, or another licence that we know; None where they say neither."""
    statement = _license_statement(package)
    permissive, other = _PERMISSIVE.search(statement), _OTHER.search(statement)
    return None if bool(permissive) == bool(other) else permissive is not None


def _license_statement(package: Distribution) -> str:
    """What the metadata say: the SPDX expression, or the field that came before it and the classifiers."""
    expression = _field(package, "license_expression")
    field = _field(package, "license").strip().partition("\n")[0]
    classifiers = [entry for entry in _fields(package, "classifier") if entry.startswith("License ::")]
    return expression or " ".join([field, *classifiers])


def _field(package: Distribution, name: str) -> str:
    """A field of the metadata under its lower-case name, "" where it is missing."""
    return str(package.metadata.json.get(name, ""))


def _fields(package: Distribution, name: str) -> list[str]:
    """A field that may come several times."""
    return list(package.metadata.json.get(name, ()))


def _licenses(package: Distribution) -> Files:
    """Licence files of the package itself, not those of what it carries, by their name in the root."""
    found: Files = {}
    for path in package.files or ():
        folders = [part for part in path.parts[:-1] if not part.endswith(".dist-info") and part != "licenses"]
        if not folders and is_license_file(path.name):
            found[path.name] = Path(str(path.locate())).read_bytes()
    return found


def _code(package: Distribution) -> Files:
    """Its Python files in the order of their paths until there is enough, and its description as README.md."""
    description = _field(package, "description").strip().encode("utf-8", "replace")
    found: Files = {"README.md": description} if 0 < len(description) <= _MOST_README_BYTES else {}
    size = 0
    for path in sorted(package.files or (), key=str):
        location = Path(str(path.locate()))
        if path.suffix != ".py" or ".." in path.parts or not location.is_file():
            continue
        length = location.stat().st_size
        if 0 < length <= _MOST_FILE_BYTES and size + length <= _MOST_BYTES:
            found[str(PurePosixPath(*path.parts))] = location.read_bytes()
            size += length
    return found


def _besides(before: Files) -> Files:
    """What repositories have besides: a minified script, a line that is too long, data, and two copies of a file of
    another one, of which one says by its folder that it is."""
    words = sorted({word for data in before.values() for word in re.findall(rb"[A-Za-z]{4,}", data)})[:400]
    files = {
        "static/bundle.js": b"!function(){" + b";".join(b"var a%d=%d" % (n, n * n) for n in range(400)) + b"}();\n",
        "tools/words.py": b"WORDS = " + repr([word.decode() for word in words]).encode() + b"\n",
        "data/table.dat": bytes(range(256)),
    }
    longest = max((name for name in before if name.endswith(".py")), key=lambda name: len(before[name]), default=None)
    if longest is None:
        return files
    return files | {f"{folder}/{longest}": before[longest] for folder in ("copied", "third_party")}


def _repository(package: Distribution) -> str:
    urls = [entry.partition(", ")[2] for entry in _fields(package, "project_url")]
    urls.append(_field(package, "home_page"))
    found = next((match for url in urls if (match := _REPOSITORY.match(url))), None)
    return f"{found[1]}__{found[2]}" if found else f"pypi__{package.name}"


def _archive(package: Distribution, files: Files) -> bytes:
    """As `git archive` writes it: the commit in the global header, everything in one folder."""
    commit = sha1(f"{package.name} {package.version}".encode(), usedforsecurity=False).hexdigest()
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": commit}) as archive:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(f"{package.name}-{package.version}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)
