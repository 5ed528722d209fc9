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
from functools import partial
from pathlib import Path

import pyarrow as pa

from benchmarks.timing import best, first
from corpus.filters.decontaminate import Decontaminate
from corpus.filters.url_blocklist import UrlBlocklist
from corpus.registry import find_rule
from corpus.schema import Document, Origin, document_batch
from corpus.steps.chain import apply_rule
from corpus.steps.rule import NamedRule
from tests.corpus.filters_page import compared

OURS_BYTES = 32_000_000
PEER_BYTES = 2_000_000
ENTRIES, URLS, ITEMS = 5_000_000, 1_000_000, 60_000
RULES = (
    *("gopher_quality", "gopher_repetition", "fineweb_quality", "c4_lines", "refinedweb_lines", "madlad_quality"),
    *("pii", "characters", "stats", "compression", "code", "starcoder", "length"),
)


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


def rules(texts: list[str]) -> None:
    """MB/s of each rule for web text on the whole, and of datatrove's of the same name on the first part."""
    batch = document_batch([Document("", text, Origin("file")) for text in texts], "pages")
    size = sum(len(text.encode()) for text in texts)
    ours = {name: NamedRule(name, find_rule(name)()) for name in RULES}
    print(f"{len(texts):,} documents, {size / 1e6:.0f} MB")
    for name, named in ours.items():
        apply_rule(named, batch)
        [(seconds, _)] = best(partial(apply_rule, named, batch))
        print(f"{name:28}{size / seconds / 1e6:10.1f} MB/s")
    few = first(texts, PEER_BYTES)
    few_size = sum(len(text.encode()) for text in few)
    few_batch = document_batch([Document("", text, Origin("file")) for text in few], "pages")
    for one in compared():
        named = NamedRule(one.rule, find_rule(one.rule)(**one.settings))
        results = best(partial(apply_rule, named, few_batch), lambda one=one: [one.theirs(text) for text in few])
        (our_seconds, applied), (their_seconds, reasons) = results
        ours_keep = [reason is None for reason in applied.reasons.to_pylist()]
        equal = sum(a == (reason is None) for a, reason in zip(ours_keep, reasons, strict=True))
        print(
            f"{one.title:48}{few_size / our_seconds / 1e6:8.1f} MB/s, datatrove {few_size / their_seconds / 1e6:6.2f}: "
            f"{their_seconds / our_seconds:6.1f} times; {equal:,} of {len(few):,} decided alike"
        )


def items(texts: list[str]) -> None:
    """Test items of 9 to 60 words of the documents in any order, so that hardly one is there by chance."""
    rng = random.Random(0)
    words = [word for text in texts[:1000] for word in text.split()]
    batch = document_batch([Document("", text, Origin("file")) for text in texts], "pages")
    size = sum(len(text.encode()) for text in texts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.jsonl"
        made = [{"text": " ".join(rng.choices(words, k=rng.randint(9, 60)))} for _ in range(ITEMS)]
        path.write_text("".join(json.dumps(item) + "\n" for item in made))
        rule = Decontaminate(items=(str(path),))
        found = len(texts) - rule.score(batch)["item"].null_count
        [(seconds, _)] = best(lambda: rule.score(batch))
        print(f"{'decontaminate':28}{size / seconds / 1e6:10.1f} MB/s, {ITEMS:,} items, found in {found:,} documents")


def main(paths: list[str]) -> None:
    texts: list[str] = []
    if paths:
        pages = list(documents(paths))
        while sum(map(len, texts)) < OURS_BYTES:
            texts += pages
        rules(texts)
        items(texts)
    urls()


if __name__ == "__main__":
    main(sys.argv[1:])
