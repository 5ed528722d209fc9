"""GitHub: from archives of repositories to documents, and their licence headers, on one core, in processor time.

The peer is the least that must be done with each file, `tarfile` and `bytes.decode`: it looks at no licence, encoding,
line ending or rule, and keeps nothing. MB are of the files in the archives; the best of `RUNS` runs, each side in turn.
"""

import argparse
import posixpath
import tarfile
from collections import Counter
from pathlib import Path

from benchmarks.timing import best
from corpus.clean.license_header import without_header
from corpus.schema import Document
from corpus.sources.github import Github
from corpus.sources.raw import list_files


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sources github")
    parser.add_argument("path", help="a folder of .tar.gz files")
    folder = parser.parse_args(arguments).path
    source = Github()
    documents: list[Document] = []
    outcomes: Counter[str] = Counter()

    def peer() -> int:
        size = 0
        for path in sorted(Path(folder).rglob("*.tar.gz")):
            with tarfile.open(path, "r|gz") as archive:
                for member in archive:
                    if member.isfile() and (file := archive.extractfile(member)) is not None:
                        data = file.read()
                        size += len(data)
                        data.decode("utf-8", "replace")
        return size

    def ours() -> int:
        documents.clear()
        outcomes.clear()
        for split in source.splits(list_files(folder, ("**.tar.gz",))):
            for record in source.read(folder, split):
                if isinstance(record, Document):
                    documents.append(record)
                    outcomes["documents"] += 1
                else:
                    outcomes[record.reason] += 1
        return len(documents)

    def headers() -> int:
        return sum(len(without_header(document.text, posixpath.basename(document.id))) for document in documents)

    (theirs, size), (own, _), (cleaned, _) = best(peer, ours, headers)
    text = sum(len(document.text) for document in documents)
    print(f"{size / 1e6:.0f} MB in {sum(outcomes.values()):,} files: {dict(outcomes.most_common())}")
    print(f"tarfile + decode   {size / 1e6 / theirs:7.1f} MB/s")
    print(f"github             {size / 1e6 / own:7.1f} MB/s   {theirs / own:.2f} of the peer")
    print(f"license_header     {text / 1e6 / cleaned:7.1f} MB/s of text")
