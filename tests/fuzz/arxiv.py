"""Fuzzes arXiv submissions from their bytes to the text of a paper.

    python -m tests.fuzz.arxiv [--inputs N] [FILE_OR_FOLDER...]

Real submissions, as far as they are given, are taken apart and put together again with TeX commands, broken braces and
random bytes in between, packed as arXiv packs them or not quite, and sometimes cut short. With atheris
(`pip install atheris`) coverage guides it; without, the bytes are random. It ends with the first input that raises,
takes more than MAX_SECONDS, needs more than MAX_MIB, or loses a character without a count.
"""

import gzip
import io
import random
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

COMMANDS = (
    *(
        r"\documentclass{article}",
        r"\documentstyle[own]{article}",
        r"\begin{document}",
        r"\end{document}",
        r"\bye",
        r"\end",
    ),
    *(
        r"\input{a}",
        r"\input b.tex",
        r"\import{sub/}{a}",
        r"\subfile{a}",
        r"\InputIfFileExists{a}{",
        r"\usepackage{own}",
    ),
    *(
        r"\newcommand{\a}[1][x]{#1",
        r"\newcommand\b\a",
        r"\def\c#1.{#1\a",
        r"\let\d=\b",
        r"\def\e{\input{a}}",
        r"\endinput",
    ),
    *(r"\NewDocumentCommand{\f}{s O{x} m}{#1#2#3}", r"\DeclarePairedDelimiter\g()", r"\newcommandx{\h}[2][1=a]{#1#2}"),
    *(
        r"\a[",
        r"\a",
        r"\b",
        r"\c x.",
        r"\d",
        r"\e",
        r"\f*{x}",
        r"\g[\big]{x}",
        r"\h{x}",
        r"\xspace",
        r"\@ifnextchar[{\a}{\b}",
    ),
    *(r"\section{One}", r"\section*{References}", r"\appendix", r"\bibliography{x}", r"\Refs", r"\endref", r"\lref\x{"),
    *(
        r"\begin{thebibliography}{9}",
        r"\bibitem{x}",
        r"\end{thebibliography}",
        "\n{\\bf References}\n",
        r"\includepdf{x}",
    ),
    *(
        r"\begin{verbatim}",
        r"\end{verbatim}",
        r"\begin{comment}",
        r"\end{comment}",
        r"\verb|",
        r"\url{a%b}",
        "%",
        "\n",
        "\n\n",
    ),
    *(
        r"\iffalse",
        r"\fi",
        r"\else",
        r"\newif\ifx",
        r"\xtrue",
        r"\ifx",
        r"\ifmmode x\else $x$\fi",
        r"\csname",
        r"\endcsname",
    ),
    *(
        r"\begin{picture}",
        r"\end{picture}",
        r"\vspace{1cm}",
        r"\centerline{",
        r"\hskip 1pt plus",
        r"\hsize=",
        r"\label{x}",
    ),
    *("{", "}", "[", "]", "\\", "\\\\", "#1", "##", "$", "&", "\0", "\x000\x00", "é", "\ud7ff", " ", "word", "2001"),
)
NAMES = (
    "main.tex",
    "a.tex",
    "b.tex",
    "sub/a.tex",
    "own.sty",
    "own.cls",
    "c.bbl",
    "../x.tex",
    "C:\\y.tex",
    "d",
    "e.png",
    "",
)
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
        AssertionError: it takes too long or too much memory, or characters go uncounted.
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


def main(arguments: list[str]) -> None:
    inputs = int(arguments[arguments.index("--inputs") + 1]) if "--inputs" in arguments else 10_000
    paths = [a for i, a in enumerate(arguments) if a != "--inputs" and (i == 0 or arguments[i - 1] != "--inputs")]
    seeds = seeds_of(paths)
    try:
        import atheris
    except ImportError:
        print("atheris is not installed: the inputs are random")
        generator = random.Random(0)
        slowest = 0.0
        for _ in range(inputs):
            data = generator.randbytes(generator.randrange(1, 2000))
            started = time.process_time()
            try:
                try_input(data, seeds)
            except Exception:
                Path("failed-input").write_bytes(data)
                print("the input is in failed-input")
                raise
            slowest = max(slowest, time.process_time() - started)
        print(f"{inputs} inputs, the slowest took {slowest:.2f} s")
        return
    atheris.instrument_all()
    atheris.Setup(
        [
            sys.argv[0],
            f"-runs={inputs}",
            f"-rss_limit_mb={MAX_MIB * 2}",
            "-max_len=4000",
            "-len_control=0",
            "-timeout=60",
        ],
        lambda data: try_input(data, seeds),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
