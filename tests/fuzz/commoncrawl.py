"""Mutated archives through the source `commoncrawl`: no exception, no slow record, bounded memory, and the kernel's
columns equal to the single records.

    python -m tests.fuzz.commoncrawl [--inputs 10000] [--seed 0] [FILE...]

Files are WARC, WET or ARC archives whose records are mutated beside those made here: pieces of headers and of markup
are put in, taken out, doubled up to 100,000 times and moved, bodies are packed, chunked and cut; then the archive, or
the gzip members around its records, get a few bytes changed.
"""

import gzip
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

import brotli
import numpy as np
import pyarrow as pa

from corpus.schema import Document, Rejected, batched
from corpus.sources import archive_stream, http_response, magic, members, warc, web_page, wet
from corpus.sources.commoncrawl import CommonCrawl
from corpus.sources.raw import list_files
from corpus.sources.warc import Record, read_records
from corpus.text.web.extractors import main_text
from tests.fuzz.driver import SECONDS, Below, main

LONGEST = 1 << 20
MARKUP = (
    "<p> </p> <div> </div> <ul> <li> </ul> <table> <tr> <td> </table> <pre> </pre> <br> <a@href=x> </a> <h1> <nav> "
    "</nav> <script> </script> <style> <!-- --> <title> </title> <sup> <xmp> <svg> <textarea> <body> <html> <noscript> "
    "</body> <meta@charset=koi8-r> <meta@charset=utf-16> & &amp; &#x41; &#0; &notin; &#99999999; < </ class=' "
    "style='display:none \0 \ufeff é 中 \U0001f600 word. sentence,@and@more. 10"
)
HEADERS = (
    "\r\n",
    "\n",
    "\r\n\r\n",
    "WARC/1.0\r\n",
    "WARC-Type: response\r\n",
    "WARC-Type: conversion\r\n",
    "WARC-Date: 0000-00-00T00:00:00Z\r\n",
    "WARC-Date: 99999\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 99999999999999999\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "Content-Type: text/html; charset=utf-16\r\n",
    "Content-Type: ,,text/html;;\r\n",
    "Content-Encoding: gzip, br, deflate\r\n",
    "Transfer-Encoding: chunked\r\n",
    "ffffffff\r\n",
    "0\r\n",
    "http://x 1.2.3.4 20080101000000 text/html 10\n",
)
PIECES = (*HEADERS, *(piece.replace("@", " ") for piece in MARKUP.split()))
PACK = (
    bytes,
    bytes,
    gzip.compress,
    zlib.compress,
    lambda data: zlib.compress(data)[2:-4],
    lambda data: brotli.compress(data, quality=0),
    lambda data: bytes(pa.Codec("zstd").compress(data)),
    lambda data: b"%x\r\n" % len(data) + data + b"\r\n0\r\n\r\n",
)


def mutated(records: list[bytes], below: Below) -> bytes:
    """An archive of a few records; `below(n)` chooses one of n."""
    made = []
    for number in range(1 + below(4)):
        if records and below(2):
            made.append(_stirred(records[below(len(records))], below))
            continue
        body = _stirred(b"<html><title>T</title><body><p>Some text of a page, as long as it is.", below)
        body = PACK[below(len(PACK))](body)
        if below(4) == 0:
            body = body[: below(len(body) + 1)]
        block = body
        kind = ("response", "conversion", "request")[min(below(4), 2)]
        if kind == "response":
            block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: deflate\r\n\r\n" + body
        head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
        head += f"WARC-Record-ID: <urn:uuid:{number}>\r\n"
        head += f"Content-Length: {len(block) + (below(9) - 4 if below(8) == 0 else 0)}\r\n\r\n"
        if below(8) == 0:
            head = _stirred(head.encode(), below).decode("utf-8", "replace")
        made.append(head.encode() + block + b"\r\n\r\n")
    packed = bytearray(b"".join(map(gzip.compress, made) if below(3) else made))
    for _ in range(below(4) if below(2) else 0):
        packed[below(len(packed))] = below(256)
    return bytes(packed)


def _stirred(data: bytes, below: Below) -> bytes:
    for _ in range(below(20)):
        piece = PIECES[below(len(PIECES))].encode() * (1 if below(8) else 10 ** below(6))
        at = below(len(data) + 1)
        cut = below(200) if below(3) == 0 else 0
        data = (data[:at] + piece + data[at + cut :])[:LONGEST]
    return data


def check(folder: Path, data: bytes) -> None:
    """Raises where a record is slow or lost, or the two ways to read differ; what parsers raise comes through."""
    source = CommonCrawl()
    for old in folder.iterdir():
        old.unlink()
    (folder / "CC-MAIN-2020-01.warc.gz").write_bytes(data)
    (split,) = source.splits(list_files(str(folder)))
    slow: list[Document | Rejected] = []
    begun = time.process_time()
    for record in source.read(str(folder), split):
        assert time.process_time() - begun < SECONDS, f"a record of an archive of {len(data)} bytes is slow"
        slow.append(record)
        begun = time.process_time()
    fast = list(source.read_batches(str(folder), split, "web"))
    one = _texts(record for record in fast if not isinstance(record, Rejected))
    assert one == _texts(record for record in slow if isinstance(record, Document))
    assert sorted(r.reason for r in fast if isinstance(r, Rejected)) == sorted(
        r.reason for r in slow if isinstance(r, Rejected)
    )


def _texts(found: Iterable[Document | pa.RecordBatch]) -> list[tuple[str, str]]:
    batches = batched(found, "web")
    return sorted((row["id"], row["text"]) for batch in batches for row in batch.to_pylist())


def records_of(files: list[Path]) -> list[bytes]:
    """The records of archives, without the longest; and compiles what reads them, outside of every time limit."""
    main_text("<p>text</p><ul><li>item</ul>")
    wet.scan(np.zeros(0, np.uint8), np.zeros(1, np.int64))
    records = []
    for path in files:
        with path.open("rb") as file:
            found = [one.data for one in read_records(file, path.name, LONGEST) if isinstance(one, Record)]
        records += [data + b"\r\n\r\n" for data in found if len(data) < 100_000]
    return records


def one(folder: Path, records: list[bytes], below: Below) -> None:
    check(folder, mutated(records, below))


if __name__ == "__main__":
    main("commoncrawl", records_of, one, [archive_stream, http_response, magic, members, warc, wet, web_page])
