"""Mutated sites through the source `stackexchange`: no exception, every row once, bounded time and memory.

    python -m tests.fuzz.stackexchange [--inputs 10000] [--seed 0] [FILE...]

Files are Posts.xml, whose bodies are mutated beside those made here: pieces of HTML
are put in, taken out and doubled up to 100,000 times; pieces of XML come between and into the rows. The site is plain,
in another encoding, or in a 7-Zip archive, of which a few bytes are changed, in its headers with the checksums made
right again. It is read in pieces that hand rows over.
"""

import io
import re
import struct
import time
import zlib
from html import escape
from pathlib import Path
from typing import Any

import py7zr
from py7zr import archiveinfo

from corpus.schema import Document, Rejected, document_batch
from corpus.sources import posts, sevenzip, stackexchange
from corpus.sources.posts import Post, Rows, parse
from corpus.sources.raw import list_files
from corpus.sources.stackexchange import StackExchange
from corpus.text.html_blocks import html_text
from tests.fuzz.driver import SECONDS, Below, main

LONGEST = 1 << 20
HTML = (
    '<p> </p> <pre> </pre> <code> </code> <ul> </ul> <ol start="-3"> <ol> </ol> <li> <li value=9> </li> <blockquote> '
    "</blockquote> <table> </table> <tr> <td> </td> <th> <sup> </sup> <sub> </sub> <br> <hr> <h2> <q> <dl> <dd> <div> "
    "</div> <!-- --> <!> <? </> <a title='> <img alt=\"> <script> </script> <svg> </svg> <b > < > & ' \" &amp; &lt; "
    "&nbsp; &#x1F600; &#0; &#xD800; &bogus; ( ) [ ] a 5 é 中 \U0001f600 \x00 \u00a0 \ud800"
)
XML = (
    '<posts> </posts> <row <row/> <row> <row\t /> > " Id="1" Id="x" PostTypeId="2" ParentId="1" ParentId="-9" '
    'Id="1000000001" DeletionDate="2020" Body=\'<\' &bomb; &#xD83D;&#xDE00; &#x1; <!DOCTYPE <![CDATA[ ]]> <?xml ?> '
    "\x00 \x0b \xff"
)
HTML_PIECES = ("\n", "\r\n", "    ", *HTML.split(" "))
XML_PIECES = ("\n", " ", *XML.split(" "))
METHODS = (py7zr.FILTER_BZIP2, py7zr.FILTER_LZMA2, py7zr.FILTER_COPY)
HEAD = '<?xml version="1.0" encoding="{}"?>\n<posts>\n'


def stirred(text: str, pieces: tuple[str, ...], below: Below) -> str:
    for _ in range(below(12)):
        piece = pieces[below(len(pieces))] * (1 if below(6) else 10 ** below(6))
        at = below(len(text) + 1)
        cut = below(100) if below(3) == 0 else 0
        text = (text[:at] + piece + text[at + cut :])[:LONGEST]
    return text


def mutated(bodies: list[str], below: Below) -> tuple[str, bytes]:
    """The name and content of a file of the site; `below(n)` chooses one of n."""
    rows = []
    for _ in range(below(8)):
        body = stirred(bodies[below(len(bodies))] if bodies and below(2) else "", HTML_PIECES, below)
        kind = f'PostTypeId="2" ParentId="{below(6)}"' if below(2) else 'PostTypeId="1" Title="t" Tags="|a|"'
        rows.append(f'  <row Id="{below(6)}" {kind} Score="{below(5) - 1}" Body="{escape(body)}" />\n')
    encoding = ("utf-8", "utf-8", "utf-8", "utf-16", "utf-16-be", "utf-32-le", "latin-1")[below(7)]
    text = HEAD.format(encoding) + "".join(rows) + "</posts>"
    if below(2):
        text = stirred(text, XML_PIECES, below)
    data = bytearray(text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace"))
    if below(3):
        return "site/Posts.xml", bytes(_scratched(data, 0, below))
    return "site.7z", _packed(bytes(data), below)


def _scratched(data: bytearray, start: int, below: Below) -> bytearray:
    for _ in range(below(4) if below(2) and len(data) > start else 0):
        data[start + below(len(data) - start)] = (0, 1, 0x7F, 0x80, 0xFF, 0x3C, 0x22, below(256))[below(8)]
    return data


def _packed(content: bytes, below: Below) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", filters=[{"id": METHODS[below(len(METHODS))]}]) as archive:
        archive.set_encoded_header_mode(bool(below(2)))
        archive.writestr(b"<users/>", "Users.xml")
        archive.writestr(content, ("Posts.xml", "a/Posts.xml", "b/posts.xml")[below(3)])
    data = bytearray(out.getvalue())
    start = 32 + struct.unpack_from("<Q", data, 12)[0]
    if below(2):
        _scratched(data, start, below)
        struct.pack_into("<I", data, 28, zlib.crc32(data[start:]))
        struct.pack_into("<I", data, 8, zlib.crc32(data[12:32]))
    return bytes(_scratched(data, 0, below)[: len(data) if below(4) else below(len(data) + 1)])


def check(folder: Path, name: str, data: bytes) -> None:
    """Raises where a row is lost or comes twice, or time runs away; what the parsers raise comes through."""
    for old in (folder / "site" / "Posts.xml", folder / "site.7z"):
        old.unlink(missing_ok=True)
    (folder / "site").mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    source = StackExchange()
    start = time.process_time()
    splits = source.splits(list_files(str(folder)), 4 * max(100, len(data) // 3))
    handed: dict[int, list[Any]] = {}
    for number in range(len(splits)):
        for owner, block in source.hand_over(str(folder), splits, number):
            handed.setdefault(owner, []).append(block)
    found = [
        record
        for number, split in enumerate(splits)
        for record in source.read_handed(str(folder), split, handed[number])
    ]
    document_batch([record for record in found if isinstance(record, Document)], "stackexchange")
    records = sum(record.records for record in found if record.origin.offset is not None)
    if name != "site.7z" and b"\0" not in data[:8] and b'"latin-1"' not in data[:100]:
        assert records == len(re.findall(rb"<row[\s/>]", data)), (records, name)
    for record in found:
        assert isinstance(record, Document | Rejected)
        if record.origin.offset is not None and record.origin.length:
            assert source.raw(str(folder), record.origin).startswith(b"<row")
            break
    assert time.process_time() - start < SECONDS, f"{len(data)} bytes are slow"


def bodies_of(files: list[Path]) -> list[str]:
    html_text("<p>")  # compiles the kernels, which is none of a record's time
    found = [post for file in files for post in parse(list(Rows([file.read_bytes()])))]
    return [post.body for post in found if isinstance(post, Post)]


def one(folder: Path, bodies: list[str], below: Below) -> None:
    check(folder, *mutated(bodies, below))


if __name__ == "__main__":
    main("stackexchange", bodies_of, one, [posts, stackexchange, sevenzip, archiveinfo])
