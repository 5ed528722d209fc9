"""Mutated submissions through the source `arxiv` and the cleaner `latex`: no exception, no slow paper, no character
that goes without a count, bounded memory.

    python -m tests.fuzz.arxiv [--inputs 10000] [--seed 0] [FILE...]

Files are submissions, whose TeX is taken apart and put together again with commands, broken braces and random bytes in
between, packed as arXiv packs it or not quite, and sometimes cut short.
"""

import gzip
import io
import re
import tarfile
import time
import zipfile
from pathlib import Path

from corpus.clean import latex, latex_body, latex_comments, latex_layout, latex_macros
from corpus.clean.latex import COUNTS, clean_paper
from corpus.schema import Document
from corpus.sources import arxiv, tex_files, tex_inputs
from corpus.sources.arxiv import Arxiv
from corpus.sources.raw import list_files
from corpus.text import tex, tex_macros
from tests.fuzz.driver import SECONDS, Below, main

_COMMANDS = r"""
\documentclass{article}  \documentstyle[own]{article}  \begin{document}  \end{document}  \bye  \end
\input{a}  \input b.tex  \import{sub/}{a}  \subfile{a}  \InputIfFileExists{a}{  \usepackage{own}
\newcommand{\a}[1][x]{#1  \newcommand\b\a  \def\c#1.{#1\a  \let\d=\b  \def\e{\input{a}}  \endinput
\NewDocumentCommand{\f}{s O{x} m}{#1#2#3}  \DeclarePairedDelimiter\g()  \newcommandx{\h}[2][1=a]{#1#2}  \a[
\a  \b  \c x.  \d  \e  \f*{x}  \g[\big]{x}  \h{x}  \xspace  \@ifnextchar[{\a}{\b}  \section{One}
\section*{References}  \appendix  \bibliography{x}  \Refs  \endref  \lref\x{  \begin{thebibliography}{9}
\bibitem{x}  \end{thebibliography}  \includepdf{x}  \begin{verbatim}  \end{verbatim}  \begin{comment}
\end{comment}  \verb|  \url{a%b}  %  \iffalse  \fi  \else  \newif\ifx  \xtrue  \ifx  \ifmmode x\else $x$\fi
\csname  \endcsname  \begin{picture}  \end{picture}  \vspace{1cm}  \centerline{  \hskip 1pt plus  \hsize=
\label{x}  {  }  [  ]  \  \\  #1  ##  $  &  word  2001
"""
"""With two spaces, or a line end, between them."""
COMMANDS = (
    *re.split("  |\n", _COMMANDS.strip()),
    *("\n{\\bf References}\n", "\n", "\n\n", "\x00", "\x000\x00", "\xe9", "\ud7ff", " "),
)
_PLAIN_NAMES = ("main.tex", "a.tex", "b.tex", "sub/a.tex", "own.sty", "own.cls", "c.bbl")
NAMES = (*_PLAIN_NAMES, "../x.tex", "C:\\y.tex", "d", "e.png", "")
LONGEST = 1 << 20


def mutated(seeds: list[bytes], below: Below) -> tuple[str, bytes]:
    """The name and content of a submission; `below(n)` chooses one of n."""
    files = {NAMES[below(len(NAMES))]: _tex(seeds, below) for _ in range(1 + below(4))}
    packing = below(5)
    if packing == 0:
        packed, name = next(iter(files.values())), "0001.tex"
    elif packing == 1:
        packed, name = gzip.compress(next(iter(files.values())), 1), "0001.00001.gz"
    elif packing == 2:
        packed, name = _zipped(files), "0001.00001.zip"
    else:
        packed, name = _tarred(files), "0001.00001.tar"
        if packing == 4:
            packed, name = gzip.compress(packed, 1), "0001.00001v2.tar.gz"
    for _ in range(below(4) if below(8) == 0 else 0):  # damage
        at = below(len(packed) + 1)
        packed = packed[:at] + bytes([below(256)]) * below(3) + packed[at + below(3) :]
    if below(16) == 0:
        packed = packed[: below(len(packed) + 1)]
    return name, packed


def _tex(seeds: list[bytes], below: Below) -> bytes:
    pieces: list[bytes] = []
    for _ in range(1 << below(10)):
        kind = below(8)
        if kind == 0 and seeds:
            seed = seeds[below(len(seeds))]
            at = below(len(seed) + 1)
            pieces.append(seed[at : at + below(4096)])
        elif kind == 1:
            pieces.append(bytes([below(256)]))
        elif kind == 2 and pieces:
            pieces.append((pieces[below(len(pieces))] * below(200))[: 1 << 14])
        else:
            pieces.append(COMMANDS[below(len(COMMANDS))].encode())
    return b"".join(pieces)[:LONGEST]


def _tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name or "x", data)
    return out.getvalue()


def check(folder: Path, name: str, data: bytes) -> None:
    """Raises where a paper is slow, or characters of it go uncounted; whatever the parsers raise comes through."""
    for old in folder.iterdir():
        old.unlink()
    (folder / name).write_bytes(data)
    source = Arxiv()
    start = time.process_time()
    for split in source.splits(list_files(str(folder))):
        for record in source.read(str(folder), split):
            if isinstance(record, Document):
                paper = clean_paper(record.text)
                removed = sum(getattr(paper, count) for count in COUNTS if count not in ("expanded", "macros_left"))
                assert len(record.text) == len(paper.text) + removed - paper.expanded, "characters went uncounted"
    took = time.process_time() - start
    assert took < SECONDS, f"{took:.1f} s for {len(data)} bytes"


def texts_of(files: list[Path]) -> list[bytes]:
    """The TeX of submissions."""
    source = Arxiv()
    splits = [(file, source.splits(list_files(str(file.parent), [file.name]))) for file in files]
    found = (record for file, some in splits for split in some for record in source.read(str(file.parent), split))
    return [record.text.encode() for record in found if isinstance(record, Document)]


def one(folder: Path, seeds: list[bytes], below: Below) -> None:
    check(folder, *mutated(seeds, below))


if __name__ == "__main__":
    cleaning = [latex, latex_body, latex_comments, latex_layout, latex_macros]
    main("arxiv", texts_of, one, [arxiv, tex_files, tex_inputs, tex, tex_macros, *cleaning])
