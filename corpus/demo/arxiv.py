"""arXiv's bulk tars: one gzip member for each paper, a single TeX file or a tar of several, or a PDF."""

import gzip
import io
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from corpus.demo.prose import Entry, Module

MONTH = "0000"
"""No paper has such a number."""
_PAPER_CHARACTERS = 3000
_PACKED = 6
"""One paper in so many is a tar of several files."""
_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    character: f"\\{character}" for character in "&%$#_{}"
}
_TO_ESCAPE = re.compile("|".join(map(re.escape, _SPECIAL)))


def write(folder: Path, modules: Sequence[Module]) -> None:
    """Papers with macros, comments and a bibliography; one that is only a PDF, one withdrawn, one cut short."""
    folder.mkdir(parents=True)
    papers = list(_papers(modules))
    members = [
        (f"{number:05d}", _gzip(_several(paper) if number % _PACKED == 0 else _single(paper)), ".gz")
        for number, paper in enumerate(papers, 1)
    ]
    number = len(papers)
    members += [
        (f"{number + 1:05d}", b"%PDF-1.5\n", ".pdf"),
        (f"{number + 2:05d}", _gzip(b"%auto-ignore\nThis paper has been withdrawn by its author.\n"), ".gz"),
        (f"{number + 3:05d}", _gzip(_single(papers[0]))[:300], ".gz"),
    ]
    archive = _tar([(f"{MONTH}/{MONTH}.{name}{ending}", data) for name, data, ending in members])
    (folder / f"arXiv_src_{MONTH}_001.tar").write_bytes(archive)


def _papers(modules: Sequence[Module]) -> Iterator[list[Entry]]:
    held: list[Entry] = []
    for module in modules:
        held += [entry for entry in module.entries if any(block.is_prose for block in entry.blocks())]
        if sum(len(entry.text) for entry in held) > _PAPER_CHARACTERS:
            yield held
            held = []


def _single(paper: Sequence[Entry]) -> bytes:
    sections = "\n".join(_section(entry) for entry in paper)
    return f"{_preamble(paper)}{sections}\n{_END}".encode()


def _several(paper: Sequence[Entry]) -> bytes:
    inputs = "".join(f"\\input{{sections/part{number}}}\n" for number in range(len(paper)))
    files = [("main.tex", f"{_preamble(paper)}{inputs}{_END}".encode())]
    files += [(f"sections/part{number}.tex", _section(entry).encode()) for number, entry in enumerate(paper)]
    return _tar([*files, ("figures/one.png", b"\x89PNG\r\n\x1a\n")])


def _preamble(paper: Sequence[Entry]) -> str:
    title = _escaped(paper[0].name)
    return (
        "\\documentclass{article}\n"
        "% made by corpus demo\n"
        "\\newcommand{\\code}[1]{\\texttt{#1}}\n"
        "\\def\\eg{for example}\n"
        f"\\title{{On \\code{{{title}}}}}\n\\author{{A Python Installation}}\n"
        "\\begin{document}\n\\maketitle\n"
        f"\\begin{{abstract}}We look at \\code{{{title}}} and what is near to it.\\end{{abstract}}\n"
    )


_END = (
    "% the referee wanted one reference at least\n"
    "\\begin{thebibliography}{9}\n\\bibitem{one} A. Installation, \\emph{Docstrings}, this computer.\n"
    "\\end{thebibliography}\n\\end{document}\n"
)


def _section(entry: Entry) -> str:
    lines = [f"\\section{{The case of \\code{{{_escaped(entry.name)}}}}} % was longer"]
    for block in entry.blocks():
        if block.is_prose:
            lines += [_escaped(block.text).replace("e.g. ", "\\eg{} "), ""]
        elif "\\end{verbatim}" not in block.text:
            lines += ["\\begin{verbatim}", block.text, "\\end{verbatim}", ""]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return _TO_ESCAPE.sub(lambda match: _SPECIAL[match[0]], text)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _tar(files: Sequence[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()
