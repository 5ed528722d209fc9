"""Mutated books through the source `books` and the cleaner `gutenberg`: no exception, no slow book, bounded memory, no
book lost.

    python -m tests.fuzz.books [--inputs 10000] [--seed 0] [FILE...]

Files are books of any kind that the source reads, mutated beside those made here: pieces of headers, of markup and of
packages are put in, taken out, doubled up to 100,000 times; then bytes of the text, of the zip or of what is in it are
changed.
"""

import io
import time
import warnings
import zipfile
from pathlib import Path

from corpus.clean import gutenberg, gutenberg_credits
from corpus.clean.gutenberg import strip_book
from corpus.schema import Document, Rejected
from corpus.sources import book_encoding, books, epub
from corpus.sources.books import Books
from corpus.sources.raw import list_files
from tests.corpus.sources.epubs import epub as packed_epub
from tests.fuzz import driver
from tests.fuzz.driver import SECONDS, Below

LONGEST = 1 << 20
LINES = (
    "*** START OF THE PROJECT GUTENBERG EBOOK A ***|*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.1*END*|"
    "***START**THE SMALL PRINT!**FOR ETEXTS**START***|*** END OF THE PROJECT GUTENBERG EBOOK A ***|"
    "End of Project Gutenberg's A|Produced by A B|E-text prepared by A|<<THIS ELECTRONIC VERSION OF|>>|Title: A|"
    "Language: Polish|Character set encoding: UTF-16|[EBook #84]|Updated editions will replace the previous one|"
    "This file should be named a.txt|Note: Project Gutenberg also has|The Project Gutenberg EBook of A|*** START: FULL "
    "LICENSE ***|\n\n|\r\n|\r|prose|\xe9\xe8|\x93\x94|é|中|\ufeff|\0|\x1a"
)
MARKUP = (
    '<p>|</p>|<span class="pagenum">|<span |[Pg 2]|</span>|<a id="x"/>|</a>|<br/>|<title/>|<title>|</title>|<script/>|'
    "<script>|<pre>|<ul>|<li>|<table>|<td>|<!--|-->|<![CDATA[|]]>|&amp;|&#0;|&bomb;|<html lang='pl'>|"
    "<meta charset=utf-7>|"
    '<?xml version="1.0" encoding="iso-2022-kr"?>|<!DOCTYPE a [<!ENTITY b "ccccccccc">]>|"|\'|>|<|/>| |é|\xa0|\u3000'
)
PACKAGE = (
    '<item id="page-0" href="../../../etc/passwd" media-type="text/html"/>|<itemref idref="page-0"/>|<itemref/>|'
    '<item/>|<itemref idref="gone"/>|</spine>|<spine>|</manifest>|&b;|'
    '<!DOCTYPE p [<!ENTITY a "aa"><!ENTITY b "&a;&a;&a;">]>|'
    '<dc:title>|</dc:title>|<dc:language>pl</dc:language>|properties="nav"|<![CDATA[|]]>|%00|%2e%2e/|\0|\xff'
)


def stirred(text: str, pieces: str, below: Below) -> str:
    choices = pieces.split("|")
    for _ in range(below(16)):
        piece = choices[below(len(choices))] * (1 if below(6) else 10 ** below(6))
        at = below(len(text) + 1)
        cut = below(200) if below(3) == 0 else 0
        text = (text[:at] + piece + ("\n" if pieces is LINES else "") + text[at + cut :])[:LONGEST]
    return text


def scratched(data: bytes, below: Below) -> bytes:
    changed = bytearray(data)
    for _ in range(below(5) if below(2) and data else 0):
        changed[below(len(changed))] = below(256)
    return bytes(changed[: below(len(changed) + 1)] if below(8) == 0 else changed)


def mutated(files: list[bytes], below: Below) -> tuple[str, bytes]:
    """The name and content of a file."""
    given = files[below(len(files))].decode("latin-1")[:LONGEST] if files and below(2) else ""
    kind = below(4)
    if kind == 0:
        encoding = ("utf-8", "latin-1", "utf-16", "cp037")[below(4)]
        return "84.txt", scratched(stirred(given, LINES, below).encode(encoding, "replace"), below)
    if kind == 1:
        return "84-h.htm", scratched(stirred(given, MARKUP, below).encode("utf-8", "replace"), below)
    pages = {f"{'ab'[below(2)]}{number}.xhtml": stirred("<p>x</p>", MARKUP, below) for number in range(below(5))}
    others = {}
    if below(2):
        opf = packed_epub(pages, title="A", language="en")
        with zipfile.ZipFile(io.BytesIO(opf)) as archive:
            others["OEBPS/content.opf"] = stirred(archive.read("OEBPS/content.opf").decode(), PACKAGE, below)
    data = scratched(packed_epub(pages, others=others, title="A"), below)
    if kind == 2:
        return "84.epub", data
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[below(2)]) as archive:
        archive.writestr("../x.epub", data)
        archive.writestr("a/84.txt", stirred(given, LINES, below).encode("utf-8", "replace"))
        archive.writestr("b.html", stirred("", MARKUP, below).encode("utf-8", "replace"))
    return "all.zip", scratched(packed.getvalue(), below)


def one(folder: Path, given: list[bytes], below: Below) -> None:
    """Raises where a record is slow or lost; what the parsers raise comes through."""
    for old in folder.iterdir():
        old.unlink()
    name, data = mutated(given, below)
    (folder / name).write_bytes(data)
    source = Books()
    found = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for split in source.splits(list_files(str(folder))):
            start = time.process_time()
            for record in source.read(str(folder), split):
                assert isinstance(record, Document | Rejected)
                found += 1
                if isinstance(record, Document):
                    book = strip_book(record.text)
                    assert book.text.strip()
                    assert sum(book[1:]) <= len(record.text)
                assert time.process_time() - start < SECONDS, f"a record of {name} is slow"
                start = time.process_time()
    assert found > 0 or name == "all.zip"
    assert [path.name for path in folder.iterdir()] == [name]


def read(files: list[Path]) -> list[bytes]:
    return [file.read_bytes() for file in files]


if __name__ == "__main__":
    driver.main("books", read, one, [books, epub, book_encoding, gutenberg, gutenberg_credits])
