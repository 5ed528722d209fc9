"""Rules beside datatrove's of the same name, on the same documents.

    python -m benchmarks.filters FILE...

The files are JSON lines with `text`, packed by gzip or not, or WET of Common Crawl; their documents are repeated up to
32 MB. One core, processor time, the best of three runs; datatrove gets the first 2 MB, since it is slower, and is
compared by MB/s. Its words are split at white space, as ours are, so that the ratio is of the rules alone and decisions
can be compared. URL lists have 5,000,000 entries, which no URL is one of: the slowest case.
"""

import gzip
import json
import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks.timing import best
from corpus.filters.url_blocklist import UrlBlocklist

OURS_BYTES = 32_000_000
PEER_BYTES = 2_000_000
ENTRIES, URLS = 5_000_000, 1_000_000


def documents(paths: list[str]) -> Iterator[str]:
    for path in paths:
        data = Path(path).read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        if data.startswith(b"WARC/"):
            found = re.findall(rb"WARC-Type: conversion.*?\r\n\r\n(.*?)\r\n\r\n", data, re.DOTALL)
            yield from (text.decode("utf-8", "replace") for text in found)
        else:
            yield from (json.loads(line)["text"] for line in data.splitlines())


def urls() -> None:
    """Random hosts and paths, as many letters as those of Common Crawl have (70 characters)."""
    rng = random.Random(0)

    def word(least: int, most: int) -> str:
        return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(least, most)))

    with tempfile.TemporaryDirectory() as folder:
        domains, pages, words = (Path(folder) / name for name in ("domains", "pages", "words"))
        domains.write_text("".join(f"{word(5, 15)}{n}.com\n" for n in range(ENTRIES - 20_000)))
        pages.write_text("".join(f"{word(5, 15)}{n}.com/{word(5, 20)}\n" for n in range(20_000)))
        words.write_text("".join(f"{word(5, 12)}\n" for n in range(200)))
        some = [f"https://www.{word(5, 15)}.com/{word(4, 8)}/{word(4, 8)}-{word(10, 30)}" for n in range(URLS)]
        batch = pa.RecordBatch.from_pydict({"url": pa.array(some, pa.large_string())})
        blocked = set(domains.read_text().split("\n"))
        hosts = UrlBlocklist(domains=(str(domains),))
        places = UrlBlocklist(domains=(str(domains),), pages=(str(pages),))
        everything = UrlBlocklist(
            domains=(str(domains),), pages=(str(pages),),
            words=(str(words),), subwords=(str(words),), soft_words=(str(words),),
        )  # fmt: skip
        sides: dict[str, Callable[[], object]] = {
            "url_blocklist: domains": lambda: hosts.score(batch),
            "url_blocklist: domains and pages": lambda: places.score(batch),
            "url_blocklist: and words, subwords, soft words": lambda: everything.score(batch),
            "a Python set of domains, whole hosts only": lambda: [
                url.split("/", 3)[2].removeprefix("www.") in blocked for url in some
            ],
        }
        for side in sides.values():
            side()
        results = best(*sides.values())
        for name, (seconds, _) in zip(sides, results, strict=True):
            print(f"{name:52}{URLS / seconds / 1e6:8.2f} million URLs/s, {ENTRIES:,} entries")


def main(paths: list[str]) -> None:
    urls()


if __name__ == "__main__":
    main(sys.argv[1:])
