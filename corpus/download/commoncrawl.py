"""Files of a snapshot of Common Crawl (commoncrawl.org/get-started)."""

import gzip
from functools import partial

from corpus.download.fetch import RemoteFile, read
from corpus.download.listing import Listing


def listing(snapshot: str, kind: str, mirror: str) -> Listing:
    """The listing of a snapshot's files of one kind; arguments as for `files`."""
    return Listing(f"{snapshot}-{kind}", f"{kind} of {snapshot}, from {mirror}", partial(files, snapshot, kind, mirror))


def files(snapshot: str, kind: str, mirror: str) -> list[RemoteFile]:
    """The WET or WARC files of a snapshot. Common Crawl publishes neither sizes nor checksums.

    Args:
        snapshot: as index.commoncrawl.org names it: CC-MAIN-2019-30.
        kind: wet, or warc.

    Raises:
        UserError: there is no such snapshot.
    """
    listing = f"{mirror}/crawl-data/{snapshot}/{kind}.paths.gz"
    paths = gzip.decompress(read(listing, "check --snapshot; index.commoncrawl.org names them")).decode().split()
    return [RemoteFile(f"{mirror}/{path}", path=path) for path in paths]
