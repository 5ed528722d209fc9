"""Common Crawl: from WET to a finished part, and from WARC to documents, on one core, in processor time.

The peer of WET is a bare loop of FastWARC that decodes each text and keeps nothing: no part is written. The peer of
WARC is FastWARC's loop with Resiliparse's main content of each page that is HTML. MB are of the texts (WET) and of the
records (WARC), unpacked; the best of `RUNS` runs, each side in turn.
"""

import argparse
import tempfile
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

from benchmarks.timing import best
from corpus.dataset import StepFolder
from corpus.schema import Document
from corpus.sources.commoncrawl import CommonCrawl
from corpus.sources.raw import Split, list_files
from corpus.steps.extract import ExtractTask, extract_part


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sources commoncrawl")
    parser.add_argument("path", help="a folder of .wet.gz and .warc.gz files")
    folder = parser.parse_args(arguments).path
    for kind, measure in (("wet", wet), ("warc", warc)):
        include = [f"**.{kind}.gz"]
        if any(Path(folder).rglob(f"*.{kind}.gz")):
            measure(folder, CommonCrawl().splits(list_files(folder, include)))


def wet(folder: str, splits: list[Split]) -> None:
    source = CommonCrawl()

    def peer() -> int:
        size = 0
        for path in _files(folder, splits):
            with path.open("rb") as file:
                for record in ArchiveIterator(file, record_types=WarcRecordType.conversion):
                    data = record.reader.read()
                    data.decode("utf-8", "replace")
                    size += len(data)
        return size

    def parts() -> int:
        with tempfile.TemporaryDirectory() as output:
            return sum(
                extract_part(
                    ExtractTask(number, "web", source, folder, split, "", StepFolder(output), "step")
                ).documents_out
                for number, split in enumerate(splits)
            )

    (theirs, size), (own, documents) = best(peer, parts)
    print(f"WET: {size / 1e6:.0f} MB of text, {documents:,} documents")
    print(f"  FastWARC + decode      {size / 1e6 / theirs:7.1f} MB/s")
    print(
        f"  commoncrawl to parts   {size / 1e6 / own:7.1f} MB/s   {theirs / own:.2f} of the peer, which writes nothing"
    )


def warc(folder: str, splits: list[Split]) -> None:
    source = CommonCrawl()

    def peer() -> int:
        size = 0
        for path in _files(folder, splits):
            with path.open("rb") as file:
                for record in ArchiveIterator(file):
                    size += record.content_length
                    headers = record.http_headers
                    if record.record_type != WarcRecordType.response or headers is None or headers.status_code != 200:
                        continue
                    if "html" not in (record.http_content_type or ""):
                        continue
                    body = record.reader.read()
                    label = map_encoding_to_html5(record.http_charset or detect_encoding(body))  # not all are codecs
                    html = bytes_to_str(body, label)
                    extract_plain_text(html, preserve_formatting=True, main_content=True, alt_texts=False)
        return size

    def read() -> int:
        found = (record for split in splits for record in source.read(folder, split))
        return sum(isinstance(record, Document) for record in found)

    (theirs, size), (own, documents) = best(peer, read)
    print(f"WARC: {size / 1e6:.0f} MB of records, {documents:,} documents")
    print(f"  FastWARC + Resiliparse {size / 1e6 / theirs:7.1f} MB/s")
    print(f"  commoncrawl            {size / 1e6 / own:7.1f} MB/s   {theirs / own:.2f} of the peer")


def _files(folder: str, splits: list[Split]) -> list[Path]:
    return [Path(folder, piece.path) for split in splits for piece in split.pieces]
