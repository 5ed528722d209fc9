"""Fuzzes arXiv submissions from their bytes to the text of a paper.

    python -m tests.fuzz.arxiv [--inputs 10000] [--seed 0] [FILE_OR_FOLDER...]

Real submissions, as far as they are given, are taken apart and put together again with TeX commands, broken braces and
random bytes in between, packed as arXiv packs them or not quite, and sometimes cut short. With atheris
(`pip install atheris`) coverage guides it; without, the bytes are random. It ends with the first input that raises,
takes more than MAX_SECONDS, needs more than MAX_MIB, or loses a character without a count.
"""

import argparse
import gzip
import io
import random
import re
import resource
import sys
import tarfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from corpus.clean.latex import COUNTS, clean_paper
from corpus.schema import Document, Origin
from corpus.sources.arxiv import Arxiv

MAX_SECONDS = 10.0
MAX_MIB = 1024

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
MAX_PIECES = 400


class Choices:
    """Decisions, one after another, by the bytes of an input; zeros behind its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, limit: int) -> int:
        """A number from 0 on that is less than `limit`."""
        width = 1 if limit <= 256 else 2 if limit <= 65536 else 4
        number = int.from_bytes(self._data[self._at : self._at + width], "big")
        self._at += width
        return number % limit

    @property
    def ended(self) -> bool:
        return self._at >= len(self._data)


def submission(data: bytes, seeds: Sequence[bytes] = ()) -> tuple[str, bytes]:
    """(file name, bytes) of the submission that an input stands for."""
    choices = Choices(data)
    files = {NAMES[choices.below(len(NAMES))]: tex(choices, seeds) for _ in range(1 + choices.below(4))}
    packing = choices.below(5)
    if packing == 0:
        packed, name = next(iter(files.values())), "0001.tex"
    elif packing == 1:
        packed, name = gzip.compress(next(iter(files.values())), 1), "0001.00001.gz"
    elif packing == 2:
        packed, name = zipped(files), "0001.00001.zip"
    else:
        packed, name = tarred(files), "0001.00001.tar"
        if packing == 4:
            packed, name = gzip.compress(packed, 1), "0001.00001v2.tar.gz"
    for _ in range(choices.below(4) if choices.below(8) == 0 else 0):  # damage
        at = choices.below(len(packed) + 1)
        packed = packed[:at] + bytes([choices.below(256)]) * choices.below(3) + packed[at + choices.below(3) :]
    if choices.below(16) == 1:
        packed = packed[: choices.below(len(packed) + 1)]
    return name, packed


def tex(choices: Choices, seeds: Sequence[bytes]) -> bytes:
    pieces: list[bytes] = []
    while not choices.ended and len(pieces) < MAX_PIECES:
        kind = choices.below(8)
        if kind == 0 and seeds:
            seed = seeds[choices.below(len(seeds))]
            at = choices.below(len(seed) + 1)
            pieces.append(seed[at : at + choices.below(4096)])
        elif kind == 1:
            pieces.append(bytes([choices.below(256)]))
        elif kind == 2 and pieces:
            pieces.append((pieces[choices.below(len(pieces))] * choices.below(200))[: 1 << 14])
        elif kind == 7:
            break
        else:
            pieces.append(COMMANDS[choices.below(len(COMMANDS))].encode())
    return b"".join(pieces)[: 1 << 20]


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name or "x", data)
    return out.getvalue()


def try_input(data: bytes, seeds: Sequence[bytes] = ()) -> None:
    """Reads and cleans the submission that an input stands for.

    Raises:
        AssertionError: it takes too long, or characters go uncounted.
    """
    name, packed = submission(data, seeds)
    started = time.process_time()
    record = Arxiv()._paper(io.BytesIO(packed), name, Origin(name))
    if isinstance(record, Document):
        paper = clean_paper(record.text)
        removed = sum(getattr(paper, count) for count in COUNTS if count not in ("expanded", "macros_left"))
        assert len(record.text) == len(paper.text) + removed - paper.expanded, "characters went uncounted"
    taken = time.process_time() - started
    assert taken < MAX_SECONDS, f"{taken:.1f} s"


def check_memory() -> None:
    """Of a process that does nothing else."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    assert peak < MAX_MIB, f"{peak} MiB"


def seeds_of(paths: Sequence[str]) -> list[bytes]:
    """The TeX of the submissions below the paths."""
    seeds = []
    for path in paths:
        place = Path(path)
        root, include = (place, ["*"]) if place.is_dir() else (place.parent, [place.name])
        source = Arxiv()
        for split in source.splits(source.files(str(root), include)):
            records = source.read(str(root), split)
            seeds += [record.text.encode() for record in records if isinstance(record, Document)]
    return seeds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.arxiv")
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    seeds = seeds_of(options.paths)

    def one(data: bytes) -> None:
        try_input(data, seeds)
        check_memory()

    try:
        import atheris
    except ImportError:
        generator = random.Random(options.seed)
        slowest = 0.0
        for number in range(options.inputs):
            data = generator.randbytes(generator.randrange(1, 2000))
            started = time.process_time()
            try:
                one(data)
            except BaseException:
                print(f"input {number} of seed {options.seed}: fuzz-arxiv", file=sys.stderr)
                Path("fuzz-arxiv").write_bytes(data)
                raise
            slowest = max(slowest, time.process_time() - started)
        print(f"{options.inputs} inputs, the slowest took {slowest:.2f} s")
        return
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-runs={options.inputs}", "-max_len=4000", "-len_control=0", "-timeout=60"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
