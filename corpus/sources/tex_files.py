"""The TeX files of one paper: their texts, and which is the main one."""

import posixpath
import re
from collections.abc import Container, Iterator, Mapping, Sequence

from corpus.sources.decode import decode_text

_ENCODINGS = {
    "latin1": "iso8859-1",
    "latin2": "iso8859-2",
    "latin3": "iso8859-3",
    "latin4": "iso8859-4",
    "latin5": "iso8859-9",
    "latin9": "iso8859-15",
    "latin10": "iso8859-16",
    "ansinew": "cp1252",
    "applemac": "mac-roman",
    **{name: name for name in ("cp437", "cp850", "cp852", "cp866", "cp1250", "cp1251", "cp1252", "cp1257")},
    **{name: name for name in ("koi8-r", "koi8-u")},
}
"""Options of LaTeX's inputenc package, and Python's names."""


_CLASS = re.compile(r"\\document(?:class|style)(?![A-Za-z])")
BEGIN = re.compile(r"\\begin\s*\{document\}")
_SUBFILE = re.compile(r"\\documentclass\s*(?:\[[^\[\]]*\]\s*)?\{(?:subfiles|standalone)\}")
_SECONDARY = re.compile(
    r"suppl|appendi|(?<![a-z])(?:si|sm|esm|cover|repl(?:y|ies)|responses?|rebuttal|diff|old|backup|copy)(?![a-z])",
    re.IGNORECASE,
)
_COMPARED = 64  # candidates for the main file, at most
_INPUTENC = re.compile(r"\\usepackage\s*\[([\w-]+)\]\s*\{inputenc\}")
_COMMENT = re.compile(r"(?<!\\)(?:\\\\)*%")
_READ = re.compile(
    r"""\\(?:
        (?:sub)?(?:import|inputfrom|includefrom)\*?\s*\{([^{}%\n]*)\}\s*\{([^{}%\n]*)\}
        | (?:@?@?input|include|subfile|subfileinclude|includestandalone|InputIfFileExists)(?![A-Za-z@])
            \s*(?:\[[^\[\]\n]*\]\s*)?(?:\{([^{}%\n]*)\}|([^\s{}\\%]+))
        | .)
    | %[^\n]*""",
    re.VERBOSE | re.DOTALL,
)
_TEX_COMMAND = re.compile(
    rb"\\(?:document(?:class|style)?|begin|input|magnification|def|font|bye|section|chapter)(?![A-Za-z])"
)


def looks_like_tex(data: bytes) -> bool:
    """Whether a command stands in it that hardly any TeX file lacks."""
    return _TEX_COMMAND.search(data) is not None


def find_command(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match with no comment sign before it on its line."""
    at = 0
    while match := pattern.search(text, at):
        line = text.rfind("\n", 0, match.start()) + 1
        if not _COMMENT.search(text, line, match.start()):
            return match
        at = text.find("\n", match.start())
        if at < 0:
            break
    return None


class Texts(Mapping[str, str]):
    """Files of a paper as texts with line feeds as line ends, each decoded when it is first asked for.

    Files that are not UTF-8 are read in `declared`, a codec's name.

    Attributes:
        encodings: of those that were asked for.
    """

    def __init__(self, files: Mapping[str, bytes], declared: str | None) -> None:
        self.encodings: set[str] = set()
        self._files = files
        self._declared = declared
        self._texts: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._texts:
            text, encoding = decode_text(self._files[name], self._declared)
            self._texts[name] = text.replace("\r\n", "\n").replace("\r", "\n")
            self.encodings.add(encoding)
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, name: object) -> bool:
        return name in self._files


def declared_encoding(files: Mapping[str, bytes]) -> str | None:
    """The codec of the encoding that the first file in order of names which names one gives to inputenc."""
    for _, data in sorted(files.items()):
        if b"inputenc" in data and (match := find_command(_INPUTENC, data.decode("latin-1"))):
            return _ENCODINGS.get(match[1])
    return None


def find_file(wanted: str, folders: Sequence[str], texts: Container[str]) -> str | None:
    """The first file that a name stands for, in order of the folders; with .tex behind it before as it is."""
    wanted = wanted.strip().strip('"').replace("\\", "/")
    if not wanted:
        return None
    for folder in folders:
        path = posixpath.normpath(posixpath.join(folder, wanted))
        for candidate in (f"{path}.tex", path):
            if candidate in texts:
                return candidate
    return None


def main_file(texts: Mapping[str, str]) -> str:
    """The name of the file that TeX would be run on; `texts` must not be empty.

    No other file reads it, and it has a document class and \\begin{document}, itself or in the files that it reads;
    where none has both, it has one of them, or nothing. Of several: those that are not part of another (class
    `subfiles`), not in arXiv's folder for ancillary files (`anc`) and not named as a supplement or a reply; then the
    one that draws in the most text, the one in the uppermost folder, the first by name.
    """
    classed = {name for name, text in texts.items() if find_command(_CLASS, text)}
    begun = {name for name, text in texts.items() if find_command(BEGIN, text)}
    if len(classed | begun) == 1:
        return min(classed | begun)
    reads = {name: _files_read(name, texts) for name in texts}
    read = {other for name, others in reads.items() for other in others if other != name}
    candidates = sorted(texts.keys() - read) or sorted(classed | begun) or sorted(texts)
    candidates = sorted(candidates, key=lambda name: (name not in classed | begun, -len(texts[name]), name))[:_COMPARED]
    reached = {name: _reached(name, reads) for name in candidates}
    for unlikely in (
        {name for name in candidates if not (classed | begun) & reached[name]},
        {name for name in candidates if not (classed & reached[name] and begun & reached[name])},
        {name for name in candidates if name.startswith("anc/")},
        {name for name in candidates if find_command(_SUBFILE, texts[name])},
        {name for name in candidates if _SECONDARY.search(posixpath.basename(name))},
    ):
        candidates = [name for name in candidates if name not in unlikely] or candidates
    return min(candidates, key=lambda name: (-sum(len(texts[other]) for other in reached[name]), name.count("/"), name))


def _reached(name: str, reads: Mapping[str, set[str]]) -> set[str]:
    """A file, and all that are read for it."""
    reached = {name}
    waiting = [name]
    while waiting:
        fresh = reads[waiting.pop()] - reached
        reached |= fresh
        waiting += fresh
    return reached


def _files_read(name: str, texts: Mapping[str, str]) -> set[str]:
    """The files that it reads, as far as its text says so plainly."""
    found = set()
    for match in _READ.finditer(texts[name]):
        wanted = posixpath.join(match[1] or "", match[2] or match[3] or match[4] or "")
        if wanted and (other := find_file(wanted, ["", posixpath.dirname(name)], texts)) is not None:
            found.add(other)
    return found
