"""Mutated dumps through the source `wikipedia` and the cleaner `wikitext`: no exception, no slow page, bounded memory.

    python -m tests.fuzz.wikipedia [--inputs 10000] [--seed 0] [FILE...]

Files are dumps, plain or packed, whose pages are mutated beside those made here:
pieces of markup are put in, taken out, doubled up to 100,000 times and moved, so that constructs are cut and nested;
then the XML, or the bzip2 or gzip file around it, gets a few bytes changed.
"""

import bz2
import gzip
import time
from html import escape
from pathlib import Path

from corpus.clean.wikitext import plain_text
from corpus.schema import Document, Rejected
from corpus.sources.raw import list_files
from corpus.sources.wikipedia import Wikipedia
from tests.fuzz.driver import SECONDS, Below, main

LONGEST = 2 << 20
MARKUP = (
    "[[ ]] {{ }} {{{ }}} {| |} | = * # : == === ''' '' <ref> </ref> <ref name=\"a <!-- --> <nowiki> </nowiki> "
    "<math> </math> <sup> </sup> <br> [http://a ] __TOC__ -{ }- ~~~~ &lt; &#x3b; &nbsp; {{convert|5|km}} {{lang|fr|x}} "
    "{{#if:a|b|c}} {{#expr:1+(2*3)}} {{#switch:a|b=c|d}} {{cn}} {{unknown|a|b}} {{date|1|2|1900}} {{Bio|Nome=a}} "
    "( ) , . ; A a 0 1900 File: Category: Template: \ue000 \ue003 é 中 \U0001f600 <page> </page> <text> <revision>"
)
PIECES = ("\n", "\n\n", " ", *MARKUP.split())
PAGE = (
    "<page><title>{title}</title><ns>0</ns><id>{number}</id><revision><id>1</id>"
    "<timestamp>2022-01-01T00:00:00Z</timestamp><text>{text}</text></revision></page>\n"
)


def mutated(pages: list[str], below: Below) -> bytes:
    """A dump of a few pages; `below(n)` chooses one of n."""
    made = []
    for number in range(1 + below(3)):
        text = pages[below(len(pages))] if pages and below(2) else ""
        for _ in range(below(20)):
            piece = PIECES[below(len(PIECES))] * (1 if below(8) else 10 ** below(6))
            at = below(len(text) + 1)
            cut = below(200) if below(3) == 0 else 0
            text = (text[:at] + piece + text[at + cut :])[:LONGEST]
        made.append(PAGE.format(title=f"T{number}", number=number + 1, text=escape(text) if below(10) else text))
    data = bytearray(f'<mediawiki xml:lang="en">\n{"".join(made)}</mediawiki>'.encode("utf-8", "surrogatepass"))
    packed = bytearray((bytes, bz2.compress, gzip.compress)[below(3)](bytes(data)))
    for _ in range(below(4) if below(2) else 0):
        packed[below(len(packed))] = below(256)
    return bytes(packed)


def check(folder: Path, data: bytes) -> None:
    """Raises where a record is slow or lost; whatever the parsers raise comes through."""
    source = Wikipedia()
    name = ("enwiki-x-multistream.xml.bz2", "enwiki-x.xml")[not data.startswith(b"BZh")]
    for old in folder.iterdir():
        old.unlink()
    (folder / name).write_bytes(data)
    for split in source.splits(list_files(str(folder)), 1000):
        for record in source.read(str(folder), split):
            assert isinstance(record, Document | Rejected)
            if isinstance(record, Document):
                start = time.process_time()
                plain = plain_text(record.text, "en", record.metadata["title"])
                assert bool(plain.text.strip()) == (plain.reason is None)
                assert time.process_time() - start < SECONDS, f"a page of {len(record.text)} characters is slow"


def pages_of(files: list[Path]) -> list[str]:
    """The wikitext of the pages of dumps, without the longest."""
    pages = []
    for file in files:
        root = str(file.parent)
        splits = Wikipedia().splits([raw for raw in list_files(root) if raw.path == file.name])
        found = (record for split in splits for record in Wikipedia().read(root, split))
        pages += [record.text for record in found if isinstance(record, Document) and len(record.text) < 100_000]
    return pages


def one(folder: Path, pages: list[str], below: Below) -> None:
    check(folder, mutated(pages, below))


if __name__ == "__main__":
    main("tests.fuzz.wikipedia", pages_of, one)
