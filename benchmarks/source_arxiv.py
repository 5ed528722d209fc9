"""arXiv: submissions to the text of papers, in MB of TeX in a second of processor time, on one core; and macros left.

    python -m benchmarks.sources arxiv PATH...

PATH is a submission, or a folder of them. Speed is the best of three runs, of extraction (`Arxiv.read`, which inflates
the figures too), of the rule `latex`, and of both beside pylatexenc, LaTeX to text. Then for each paper the uses of its
own macros: in its source, left in our text, and left by latexpand and by pandoc (from LaTeX to LaTeX). A peer that is
not installed is named and left out.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.timing import best
from corpus.clean.latex import clean_paper
from corpus.clean.latex_comments import strip_comments
from corpus.schema import Document
from corpus.sources.arxiv import Arxiv
from corpus.sources.raw import Split
from corpus.text.tex import word_set

PEER_BYTES = 400_000
"""Text given to a peer that is slow."""


def seconds(run: Callable[[], object]) -> float:
    """CPU time, the best of three runs after one to warm up."""
    run()
    return best(run)[0][0]


def speed(name: str, size: int, taken: float) -> float:
    """Prints and gives MB/s."""
    print(f"{name:52}{size / taken / 1e6:9.2f} MB/s")
    return size / taken / 1e6


_DEFINED = re.compile(
    r"""\\(?:(?:re)?newcommand|DeclareRobustCommand|providecommand|DeclareMathOperator
        |(?:New|Renew|Provide|Declare)DocumentCommand|DeclarePairedDelimiterX?)\*?\s*\{?\s*\\([A-Za-z]+)(?![A-Za-z@])
    | \\[gex]?def\s*\\([A-Za-z]+)(?![A-Za-z@])""",
    re.VERBOSE,
)
_USED = re.compile(r"\\([A-Za-z]+)")
_STRUCTURE = word_set("part chapter section subsection appendix abstract title author date thanks caption footnote")


def macros_of(text: str) -> set[str]:
    """Names that a paper defines, found without any of our code: to count whose uses are left."""
    return {match[1] or match[2] for match in _DEFINED.finditer(text)} - _STRUCTURE


def uses(text: str, names: set[str]) -> int:
    return sum(name in names for name in _USED.findall(text.rpartition(r"\begin{document}")[2]))


def with_pylatexenc() -> Callable[[str], str] | None:
    try:
        from pylatexenc.latex2text import LatexNodes2Text
    except ImportError as error:
        print(f"pylatexenc left out: {error}")
        return None
    return LatexNodes2Text(strict_latex_spaces=False).latex_to_text


def ones_it_reads(peer: Callable[[str], str], texts: list[str]) -> tuple[list[str], int]:
    """The first of the texts, about PEER_BYTES, that a peer does not fail at, and how many it failed at."""
    few: list[str] = []
    failed = 0
    for text in texts:
        if sum(map(len, few)) < PEER_BYTES:
            try:
                peer(text)
                few.append(text)
            except Exception as error:
                failed += 1
                print(f"  {type(error).__name__} of a paper of {len(text)} characters: {str(error)[:60]}")
    return few, failed


def with_program(name: str, *arguments: str) -> Callable[[str], str] | None:
    """A program that is given a file of LaTeX and prints LaTeX."""
    program = shutil.which(name)
    if program is None:
        print(f"{name} left out: it is not on the PATH")
        return None

    def run(text: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "paper.tex")
            path.write_text(text)
            command = [program, *arguments, path.name]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed")
        return done.stdout

    return run


def submissions(path: str) -> list[tuple[str, Split]]:
    """The root and the splits of a file, or of the files in a folder."""
    place = Path(path)
    root, include = (place, ["*"]) if place.is_dir() else (place.parent, [place.name])
    source = Arxiv()
    return [(str(root), split) for split in source.splits(source.files(str(root), include))]


def papers(given: Sequence[tuple[str, Split]]) -> list[Document]:
    source = Arxiv()
    found = [record for root, split in given for record in source.read(root, split)]
    return [record for record in found if isinstance(record, Document)]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sources arxiv")
    parser.add_argument("paths", nargs="+")
    paths = parser.parse_args(arguments).paths
    given = [some for path in paths for some in submissions(path)]
    found = [(paper.id, paper.text) for paper in papers(given)]
    size = sum(len(text.encode()) for _, text in found)
    print(f"{len(found)} papers, {size / 1e6:.2f} MB of TeX")
    extracting = seconds(lambda: papers(given))
    cleaning = seconds(lambda: [clean_paper(text) for _, text in found])
    speed("extract arxiv (TeX out; figures are inflated too)", size, extracting)
    speed("latex", size, cleaning)
    both = speed("extract and latex", size, extracting + cleaning)

    pylatexenc = with_pylatexenc()
    if pylatexenc is not None:
        few, failed = ones_it_reads(pylatexenc, [text for _, text in found])
        taken = seconds(lambda: [pylatexenc(text) for text in few])
        peer = speed(
            f"pylatexenc, LaTeX to text ({failed} papers fail)", sum(len(text.encode()) for text in few), taken
        )
        print(f"ratio: {both / peer:.0f}")

    programs = {
        "latexpand": with_program("latexpand"),
        "pandoc": with_program("pandoc", "-f", "latex", "-t", "latex", "--wrap=preserve"),
    }
    print(f"\nuses of the paper's own macros: in its source, and left\n{'':40}{'source':>8}{'ours':>8}", end="")
    print("".join(f"{name:>11}" for name, run in programs.items() if run))
    for name, text in found:
        names = macros_of(strip_comments(text))
        row = [uses(strip_comments(text), names), uses(clean_paper(text).text, names)]
        if not row[0]:
            continue
        line = f"{name[-40:]:40}{row[0]:8}{row[1]:8}"
        for run in filter(None, programs.values()):
            try:
                line += f"{uses(run(text), names):11}"
            except (RuntimeError, subprocess.TimeoutExpired):
                line += f"{'failed':>11}"
        print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
