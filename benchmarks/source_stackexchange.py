"""Stack Exchange: Posts.xml to documents, in MB of Posts.xml in a second of processor time, on one core; and memory.

    python -m benchmarks.sources stackexchange PATH [--repeat 5] [--megabytes 64]

PATH is a folder with `SITE/Posts.xml`. Every step is measured once in each of several rounds, on the same files, and
the median is printed:

- `read`: raw files to documents (`StackExchange.read`);
- `extract`: raw files to a part, with Parquet, checksums and fsync (`extract_part`);
- `iterparse + resiliparse`: the peer, a bare loop over lxml's `iterparse` that holds a site in memory, turns HTML into
  text by Resiliparse and joins answers to their questions; it must give the same documents with the same records;
- `html_texts` and `resiliparse`: HTML to text alone, in MB of HTML.

Then two sites of `--megabytes` and of four times as many are made of the same rows with other ids, and each is
extracted by a process of its own: how much memory its largest resident set took, and how much of that was there before.
"""

import argparse
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from lxml import etree
from resiliparse.extract.html2text import extract_plain_text

from benchmarks.timing import in_turn
from corpus.dataset import StepFolder
from corpus.schema import Document
from corpus.sources.posts import FIRST_INVENTED, Post, Rows, parse
from corpus.sources.raw import Split, list_files
from corpus.sources.stackexchange import StackExchange
from corpus.steps.extract import ExtractTask, extract_part
from corpus.text.html_blocks import html_text, html_texts

INCLUDE = ["**/Posts.xml", "**/posts.xml"]
_IDS = re.compile(rb' (Id|ParentId|AcceptedAnswerId)="(\d+)"')


def splits(root: str) -> list[Split]:
    return StackExchange().splits(list_files(root, INCLUDE))


def read(root: str) -> dict[str, int]:
    """The records of each document."""
    source = StackExchange()
    found = (record for split in splits(root) for record in source.read(root, split))
    return {record.id: record.records for record in found if isinstance(record, Document)}


def extract(root: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, split in enumerate(splits(root)):
            extract_part(ExtractTask(number, "stackexchange", StackExchange(), root, split, "", StepFolder(folder), ""))


def peer(root: str) -> dict[str, int]:
    records: dict[str, int] = {}
    for raw in list_files(root, INCLUDE):
        site = Path(raw.path).parent.name
        questions: dict[int, str] = {}
        answers: dict[int, list[tuple[int, int, str]]] = {}
        for _, row in etree.iterparse(f"{root}/{raw.path}", tag="row", huge_tree=True):
            kind, number = row.get("PostTypeId"), int(row.get("Id"))
            if kind in ("1", "2") and number < FIRST_INVENTED and not row.get("DeletionDate"):
                text = extract_plain_text(row.get("Body", ""), preserve_formatting=True, alt_texts=False)
                if kind == "1":
                    questions[number] = f"Q: {row.get('Title')}\n\n{text}"
                else:
                    answers.setdefault(int(row.get("ParentId", -1)), []).append((-int(row.get("Score")), number, text))
            row.clear()
            while row.getprevious() is not None:
                del row.getparent()[0]
        for number, question in questions.items():
            replies = sorted(answers.get(number, []))
            "\n\n".join([question, *(f"A: {text}" for *_, text in replies)])
            records[f"stackexchange:{site}:{number}"] = 1 + len(replies)
    return records


def posts_of(path: Path) -> list[Post]:
    return [post for post in parse(list(Rows([path.read_bytes()]))) if isinstance(post, Post)]


def make_site(root: str, folder: Path, size: int) -> None:
    """A Posts.xml of about `size` bytes: all rows of the sites below `root`, again and again with ids moved up."""
    (folder / "site").mkdir(parents=True)
    rows = [
        row.data
        for raw in list_files(root, INCLUDE)
        for row in Rows([Path(root, raw.path).read_bytes()])
        if b' PostTypeId="' in row.data
    ]
    highest = max(int(number) for row in rows for _, number in _IDS.findall(row))
    with (folder / "site" / "Posts.xml").open("wb") as file:
        file.write(b"<posts>\n")
        moved = 0
        while file.tell() < size:
            for row in rows:
                file.write(_IDS.sub(lambda m, by=moved: b' %s="%d"' % (m[1], int(m[2]) + by), row) + b"\n")  # type: ignore[misc]
            moved += highest + 1
        file.write(b"</posts>\n")


def measure_memory(root: str) -> None:
    """For a process of its own."""
    html_text("<p>compile</p>")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    extract(root)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, before // 1024)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sources stackexchange")
    parser.add_argument("path")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=64)
    options = parser.parse_args(arguments)
    root = options.path
    files = list_files(root, INCLUDE)
    size = sum(raw.size for raw in files)
    bodies = [post.body for raw in files for post in posts_of(Path(root, raw.path))]
    html = sum(len(body.encode()) for body in bodies)
    if read(root) != peer(root):
        sys.exit("the peer gives other documents: the sites share ids, or hold rows that it does not read")
    steps: dict[str, tuple[int, Callable[[], Any]]] = {
        "read": (size, lambda: read(root)),
        "extract": (size, lambda: extract(root)),
        "iterparse + resiliparse": (size, lambda: peer(root)),
        "html_texts": (html, lambda: html_texts(bodies)),
        "resiliparse": (
            html,
            lambda: [extract_plain_text(body, preserve_formatting=True, alt_texts=False) for body in bodies],
        ),
    }
    taken = in_turn(*(run for _, run in steps.values()), runs=options.repeat)
    seconds = {name: median(times) for name, (times, _) in zip(steps, taken, strict=True)}
    speed = {name: steps[name][0] / one / 1e6 for name, one in seconds.items()}
    print(f"{len(files)} sites, {size / 1e6:.1f} MB of Posts.xml, one core, median of {options.repeat}")
    for name, base in dict.fromkeys(("read", "extract", "iterparse + resiliparse"), "iterparse + resiliparse").items():
        print(f"  {name:28}{speed[name]:8.1f} MB/s {speed[name] / speed[base]:6.1f} x {base}")
    for name in ("html_texts", "resiliparse"):
        print(f"  {name:28}{speed[name]:8.1f} MB/s {speed[name] / speed['resiliparse']:6.1f} x resiliparse, of HTML")
    with tempfile.TemporaryDirectory() as folder:
        for times in (1, 4):
            site = Path(folder, str(times))
            make_site(root, site, times * options.megabytes * 1_000_000)
            command = f"from benchmarks.source_stackexchange import measure_memory; measure_memory({str(site)!r})"
            done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
            most, before = done.stdout.split()
            print(f"  {times * options.megabytes} MB: {most} MiB resident at most, {before} before the first row")


if __name__ == "__main__":
    main(sys.argv[1:])
