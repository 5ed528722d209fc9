"""Drops pages whose sites do not want them taken by robots."""

import json
from typing import Annotated, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from corpus.robots_index import index_of
from corpus.rules import Filter
from corpus.settings import FileMark


class Robots(Filter):
    """Honours the robots.txt files that the crawl found, as HPLT does (hplt-project/monotextor-slurm,
    `scripts/robots2tsv.py`), and marks of the page itself: its X-Robots-Tag and its meta elements for robots, which
    documents made of WARC files have in their metadata (`robots`). WET files have no marks.

    robots.txt is read by RFC 9309 (the library Protego). HPLT takes a blank line for the end of a group and joins the
    groups of its three agents; here each agent has the group that names it, else that of "*".

    Score columns: `mark`, the first of `marks` that the page has, or null; `disallowed` (bool), false without a URL or
    without an index. Reasons: `robots_mark`, then `robots_txt`.

    Attributes:
        index: what `corpus models robots` makes of robots.txt records; null: only marks count.
        agents: none of which may be kept out (HPLT's three).
        marks: "none" on a page is "noindex" too.
    """

    reads: ClassVar[tuple[str, ...]] = ("url", "metadata")
    reasons: ClassVar[tuple[str, ...]] = ("robots_mark", "robots_txt")
    other_scores: ClassVar[tuple[str, ...]] = ("mark", "disallowed")

    index: Annotated[str | None, FileMark("index of robots.txt files")] = None
    agents: tuple[str, ...] = ("ia_archiver", "CCBot", "*")
    marks: tuple[str, ...] = ("noai", "noindex")

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Raises UserError when the index is none."""
        disallowed = [False] * batch.num_rows
        if self.index is not None:
            index = index_of(self.index)
            urls = batch.column("url").to_pylist()
            disallowed = [url is not None and index.forbids(url, self.agents) for url in urls]
        marks = [self._mark(metadata) for metadata in batch.column("metadata").to_pylist()]
        return pa.RecordBatch.from_pydict(
            {"mark": pa.array(marks, pa.string()), "disallowed": pa.array(disallowed, pa.bool_())}
        )

    def decide(self, scores: pa.RecordBatch) -> pa.Array:
        null = pa.scalar(None, pa.string())
        by_file = pc.if_else(scores.column("disallowed"), pa.scalar("robots_txt"), null)
        return pc.if_else(pc.is_valid(scores.column("mark")), pa.scalar("robots_mark"), by_file)

    def _mark(self, metadata: str | None) -> str | None:
        if not metadata or '"robots"' not in metadata:
            return None
        found = json.loads(metadata).get("robots", [])
        found = {*found, "noindex"} if "none" in found else found
        return next((mark for mark in self.marks if mark in found), None)
