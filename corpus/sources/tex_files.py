"""The TeX files of one paper: which is the main one, and its text with the others put where they are read."""

import posixpath
import re
from collections.abc import Mapping

from corpus.sources.archive import TooLarge
from corpus.sources.decode import decode_text

MAX_DEPTH = 16
"""Files within files; TeX's own limit is 15 open files."""

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
_BEGIN = re.compile(r"\\begin\s*\{document\}")
_END = re.compile(r"\\end\s*\{document\}")
_INPUTENC = re.compile(r"\\usepackage\s*\[([\w-]+)\]\s*\{inputenc\}")
_COMMENT = re.compile(r"(?<!\\)(?:\\\\)*%")
_READ = re.compile(
    r"""\\(?:
        (?:input|include|subfile)(?![A-Za-z@])\s*(?:\{([^{}%\n]*)\}|([^\s{}\\%]+))
        | (endinput)(?![A-Za-z@])
        | .)                       # an escaped character: a percent sign is none then
    | %[^\n]*""",
    re.VERBOSE | re.DOTALL,
)
_TEX_COMMAND = re.compile(
    rb"\\(?:document(?:class|style)?|begin|input|magnification|def|font|bye|section|chapter)(?![A-Za-z])"
)


def looks_like_tex(data: bytes) -> bool:
    """Whether a command stands in it that hardly any TeX file lacks."""
    return _TEX_COMMAND.search(data) is not None


def _command(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
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


def decode_all(files: Mapping[str, bytes]) -> tuple[dict[str, str], list[str]]:
    """The texts with line feeds as line ends, and the encodings met, sorted.

    Files that are not UTF-8 are read in the encoding that the first file in order of names gives to inputenc.
    """
    declared = None
    for _, data in sorted(files.items()):
        if b"inputenc" in data and (match := _command(_INPUTENC, data.decode("latin-1"))):
            declared = _ENCODINGS.get(match[1])
            break
    texts: dict[str, str] = {}
    encodings = set()
    for name, data in files.items():
        text, encoding = decode_text(data, declared)
        texts[name] = text.replace("\r\n", "\n").replace("\r", "\n")
        encodings.add(encoding)
    return texts, sorted(encodings)


def main_file(texts: Mapping[str, str]) -> str:
    """The name of the file that TeX would be run on; `texts` must not be empty.

    Of the files with a document class and \\begin{document}, or without such files those with a class, or else of
    all: of those that no other file reads the one that draws in the most text, then the one in the uppermost
    folder, then the first by name.
    """
    classed = [name for name, text in texts.items() if _command(_CLASS, text)]
    whole = [name for name in classed if _command(_BEGIN, texts[name])]
    candidates = whole or classed or list(texts)
    reads = {name: _files_read(name, texts) for name in texts}
    read = {other for name, others in reads.items() for other in others if other != name}
    candidates = [name for name in candidates if name not in read] or candidates

    def rank(name: str) -> tuple[int, int, str]:
        reached = {name}
        waiting = [name]
        while waiting:
            fresh = reads[waiting.pop()] - reached
            reached |= fresh
            waiting += fresh
        return -sum(len(texts[other]) for other in reached), name.count("/"), name

    return min(candidates, key=rank)


def flatten(main: str, texts: Mapping[str, str], limit: int) -> tuple[str, list[str]]:
    """The text of `main` with every \\input, \\include and \\subfile replaced by the file it names, and the names of
    those that are missing, nested deeper than MAX_DEPTH or within themselves, sorted; their commands stay.

    Comments stay; commands in them are not obeyed. Of a file with a \\begin{document} of its own only the body is
    put in, and of every file only what stands before \\endinput.

    Raises:
        TooLarge: the result is longer than `limit` characters, commands replaced included.
    """
    pieces: list[str] = []
    missing: set[str] = set()
    length = 0

    def put(piece: str) -> None:
        nonlocal length
        length += len(piece)
        if length > limit:
            raise TooLarge
        pieces.append(piece)

    def expand(name: str, above: tuple[str, ...]) -> None:
        nonlocal length
        text = _body(texts[name]) if above else texts[name]
        at = 0
        for match in _READ.finditer(text):
            if match[3]:
                put(text[at : match.start()])
                return
            wanted = match[1] or match[2]
            if not wanted:
                continue
            found = _resolve(wanted, name, main, texts)
            if found is None or found == name or found in above or len(above) >= MAX_DEPTH:
                missing.add(wanted.strip())
                continue
            put(text[at : match.start()])
            length += len(match[0])  # so that files which read files and hold nothing else end as well
            expand(found, (*above, name))
            at = match.end()
        put(text[at:])

    expand(main, ())
    return "".join(pieces), sorted(missing)


def _body(text: str) -> str:
    """What stands between \\begin{document} and \\end{document}, where they are."""
    if begin := _command(_BEGIN, text):
        text = text[begin.end() :]
        if end := _command(_END, text):
            text = text[: end.start()]
    return text


def _files_read(name: str, texts: Mapping[str, str]) -> set[str]:
    found = set()
    for match in _READ.finditer(texts[name]):
        if match[3]:
            break
        if (wanted := match[1] or match[2]) and (other := _resolve(wanted, name, "", texts)) is not None:
            found.add(other)
    return found


def _resolve(wanted: str, reader: str, main: str, texts: Mapping[str, str]) -> str | None:
    """The file that is read: with .tex or as it is named, seen from the folder of the main file, then the reader's."""
    wanted = wanted.strip().strip('"').replace("\\", "/")
    for folder in (posixpath.dirname(main), posixpath.dirname(reader)):
        path = posixpath.normpath(posixpath.join(folder, wanted))
        for candidate in (f"{path}.tex", path):
            if candidate in texts:
                return candidate
    return None
