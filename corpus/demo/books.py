"""Books as Project Gutenberg gives them: text files with a header and a footer."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from corpus.demo.prose import Module

_BOOK_CHARACTERS = 9_000
_WIDTH = 72
_FIRST_NUMBER = 90_001
_START = "*** START OF THE PROJECT GUTENBERG EBOOK {} ***"
_END = "*** END OF THE PROJECT GUTENBERG EBOOK {} ***"
_LICENSE = (
    "This file imitates an ebook so that a demonstration has something to clean. It was made on this computer, out of "
    "text that this computer carries, and nobody published it. Lines like these stand around every ebook, and a "
    "cleaner has to find them."
)

Chapter = tuple[str, list[str]]


def write(folder: Path, modules: Sequence[Module]) -> None:
    """A module a chapter. The second book comes again as a second edition, and beside them lie a book in an old
    encoding, an empty one, and a picture."""
    folder.mkdir(parents=True)
    books = list(_books(modules))
    for place, chapters in enumerate(books):
        _write(folder, _FIRST_NUMBER + place, f"Notes on {chapters[0][0]}", chapters, "utf-8")
    number = _FIRST_NUMBER + len(books)
    title, first = books[1][0]
    second = [(title, ["This edition has a new beginning, and nothing else in it is new.", *first]), *books[1][1:]]
    _write(folder, number, f"Notes on {title}, second edition", second, "utf-8")
    old = [(title, [f"“{paragraph}” — so the café’s guest", *rest]) for title, (paragraph, *rest) in books[0]]
    _write(folder, number + 1, "An old encoding", old[: len(old) // 2 + 1], "cp1252")
    (folder / f"{number + 2}.txt").write_bytes(b"\r\n")
    (folder / f"{number + 3}.jpg").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF\0")


def _books(modules: Sequence[Module]) -> Iterator[list[Chapter]]:
    chapters: list[Chapter] = []
    size = 0
    for module in modules:
        prose = [block.text for entry in module.entries for block in entry.blocks() if block.is_prose]
        if prose:
            chapters.append((module.name, prose))
            size += sum(map(len, prose))
        if size > _BOOK_CHARACTERS:
            yield chapters
            chapters, size = [], 0
    if chapters:
        yield chapters


def _write(folder: Path, number: int, title: str, chapters: Sequence[Chapter], encoding: str) -> None:
    declared = {"utf-8": "UTF-8", "cp1252": "Windows-1252"}[encoding]
    lines = [
        f"The Project Gutenberg EBook of {title}, by a Python installation",
        "",
        f"Title: {title}",
        "Author: A Python Installation",
        f"Release Date: August 1, 2022 [EBook #{number}]",
        "Language: English",
        f"Character set encoding: {declared}",
        "",
        _START.format(title.upper()),
        "",
        "Produced by Corpus Demo",
        "",
    ]
    for place, (name, paragraphs) in enumerate(chapters, 1):
        lines += ["", f"CHAPTER {place}. {name}", ""]
        for paragraph in paragraphs:
            lines += [*textwrap.wrap(paragraph, _WIDTH), ""]
    lines += [_END.format(title.upper()), "", *textwrap.wrap(_LICENSE, _WIDTH)]
    (folder / f"{number}.txt").write_bytes("\r\n".join(lines).encode(encoding, "replace"))
