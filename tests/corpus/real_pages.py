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


def judged_pages(shared_data: Path) -> list[str]:
    """Some 370 English pages that passed the rules of DCLM and were judged good or bad by people."""
    paths = sorted((shared_data / "labelled").glob("quality-dclm/*.jsonl"))
    return [json.loads(line)["text"] for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
