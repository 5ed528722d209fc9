"""Pages of Common Crawl for the tests of rules: raw ones, and ones that people judged."""

import json
from pathlib import Path

from corpus.schema import Document
from corpus.sources.commoncrawl import CommonCrawl
from corpus.sources.raw import list_files

WET = "CommonCrawlScalaTools/filter_test_1.wet.gz"


def wet_pages(shared_data: Path) -> list[Document]:
    """25 pages of December 2016 in several languages, as a WET file has them."""
    root = str(shared_data / "commoncrawl")
    source = CommonCrawl()
    found = [record for split in source.splits(list_files(root, (WET,))) for record in source.read(root, split)]
    return [record for record in found if isinstance(record, Document)]


def judgements(shared_data: Path) -> list[tuple[str, bool]]:
    """(text, whether most judges found it good) of some 370 English pages that had passed the rules of DCLM."""
    paths = sorted((shared_data / "labelled").glob("quality-dclm/*.jsonl"))
    rows = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row["text"], row["label"] == 1) for row in rows]


def judged_pages(shared_data: Path) -> list[str]:
    """Those pages alone."""
    return [text for text, _ in judgements(shared_data)]
