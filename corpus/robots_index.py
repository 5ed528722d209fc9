"""What the robots.txt files of a crawl say, by host: an Arrow file that is mapped into memory, not read.

Made of the records of Common Crawl's `robotstxt` files (beside `warc` and `wet` in each snapshot), or of any WARC files
that have them. Memory for making one: about three times its size.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import xxhash

from corpus.errors import UserError
from corpus.schema import Rejected
from corpus.sources.http_response import TooLong, header_fields, header_text, parse_response
from corpus.sources.raw import list_files, open_raw
from corpus.sources.warc import read_records
from corpus.storage import commit

MAX_BYTES = 500 << 10
"""Of a robots.txt file that are read (RFC 9309, section 2.5: at least so many)."""

_LONGEST_RECORD = 16 << 20
_VERSION = re.compile(r"^([ \t]*user-agent[ \t]*:[ \t]*[\w.-]+)/[^\r\n#]*", re.IGNORECASE | re.MULTILINE)
"""What sites copy of a robot's full name, as in "CCBot/2.0", where RFC 9309 (2.2.1) has its token alone."""
_FILES = ("**.warc.gz", "**.warc")
_SCHEMA = pa.schema([("host", pa.uint64()), ("rules", pa.large_string())])
_PARSED = 4096  # files of hosts that are kept parsed


def build(folder: str, path: str) -> Counter[str]:
    """Writes the index of all robots.txt records in the WARC files of a folder.

    Returns:
        How many records there were by what became of them: `kept`, `forbids_nothing`, or why they are no robots.txt
        file (`status`, `not_robots_txt`, `not_http`, `too_long`, or a reason of `read_records`).

    Raises:
        UserError: there are no such files, or none of their records is a robots.txt file that forbids anything.
    """
    counts: Counter[str] = Counter()
    found = pa.Table.from_batches(_batches(folder, [file.path for file in list_files(folder, _FILES)], counts), _SCHEMA)
    if not found.num_rows:
        told = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "no records"
        raise UserError(f"{folder} holds no robots.txt file that forbids anything ({told})")
    found = found.sort_by("host").group_by("host", use_threads=False).aggregate([("rules", "distinct")])
    # The files of one host, by either scheme, on other days, are read as one (RFC 9309, 2.2.1: groups are joined).
    rules = pa.array(
        ["\n".join(sorted(each)) for each in found.column("rules_distinct").to_pylist()], pa.large_string()
    )
    table = pa.table([found.column("host").combine_chunks(), rules], _SCHEMA)

    def write(sink: Any) -> None:
        with pa.ipc.new_file(sink, _SCHEMA) as writer:
            writer.write_table(table.combine_chunks())

    commit(path, write)
    return counts


def _batches(folder: str, paths: Iterable[str], counts: Counter[str]) -> Iterator[pa.RecordBatch]:
    for path in paths:
        with open_raw(folder, path) as file:
            rows = []
            for record in read_records(file, path, _LONGEST_RECORD):
                kept = record.reason if isinstance(record, Rejected) else _row(record.data)
                counts[kept if isinstance(kept, str) else "kept"] += 1
                if not isinstance(kept, str):
                    rows.append(kept)
        hosts, rules = zip(*rows, strict=True) if rows else ((), ())
        yield pa.record_batch([pa.array(hosts, pa.uint64()), pa.array(rules, pa.large_string())], schema=_SCHEMA)


def _row(record: bytes) -> tuple[int, str] | str:
    """(hash of the host, rules) of a WARC record, or why it has none."""
    header, _, message = record.partition(b"\r\n\r\n")
    fields = header_fields(header)
    host = host_of(url := fields.get("warc-target-uri", [""])[0].strip("<> "))
    if fields.get("warc-type", [""])[0].lower() != "response" or host is None or urlsplit(url).path != "/robots.txt":
        return "not_robots_txt"
    try:
        response = parse_response(message, _LONGEST_RECORD)
    except TooLong:
        return "too_long"
    if response is None:
        return "not_http"
    if response.status != 200:
        return "status"
    rules = header_text(response.body[:MAX_BYTES].removeprefix(b"\xef\xbb\xbf"))
    return (_hash(host), rules) if "disallow" in rules.lower() else "forbids_nothing"


def host_of(url: str) -> str | None:
    """In lower case and without "www.", as HPLT has it; None where there is none."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    return host.removeprefix("www.").rstrip(".") or None if host else None


def _hash(host: str) -> int:
    return xxhash.xxh64_intdigest(host.encode("utf-8", "replace"))


class RobotsIndex:
    """
    Raises:
        UserError: a file is not of `build`.
    """

    def __init__(self, path: str) -> None:
        try:
            table = pa.ipc.open_file(pa.memory_map(path)).read_all()
        except (pa.ArrowInvalid, OSError):
            table = None
        if table is None or table.schema != _SCHEMA:
            raise UserError(f"{path} is no index of robots.txt files: make one with `corpus models robots`")
        self._hosts: Any = table.column("host").combine_chunks().to_numpy()
        self._rules = table.column("rules").combine_chunks()

    def forbids(self, url: str, agents: Sequence[str]) -> bool:
        """Whether any of the agents may not fetch a URL. A host without a file forbids nothing."""
        host = host_of(url)
        rules = self._parsed(_hash(host)) if host else None
        return rules is not None and not all(rules.can_fetch(url, agent) for agent in agents)

    @lru_cache(maxsize=_PARSED)  # noqa: B019 -- an index lives as long as its process
    def _parsed(self, host: int) -> Any:
        from protego import Protego

        at = int(np.searchsorted(self._hosts, np.uint64(host)))
        if at == len(self._hosts) or int(self._hosts[at]) != host:
            return None
        return Protego.parse(_VERSION.sub(r"\1", self._rules[at].as_py()))


@lru_cache(maxsize=4)
def open_index(path: str, size: int, changed: int) -> RobotsIndex:
    """An index, opened once a process while its size and time of change stay."""
    return RobotsIndex(path)


def index_of(path: str) -> RobotsIndex:
    status = os.stat(path)
    return open_index(path, status.st_size, status.st_mtime_ns)
