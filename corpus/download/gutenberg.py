"""Books of Project Gutenberg, from a mirror: its own site is for people, and blocks robots
(gutenberg.org/policy/robot_access.html)."""

import csv
import gzip
import io
import re
from collections.abc import Sequence
from functools import partial

from corpus.download.fetch import RemoteFile, read
from corpus.download.listing import Listing
from corpus.errors import UserError


def listing(languages: Sequence[str], mirror: str) -> Listing:
    """The listing of the books in some languages; arguments as for `files`."""
    what = "-".join(languages) or "all"
    return Listing(f"gutenberg-{what}", f"books ({what}) from {mirror}", partial(files, languages, mirror))


def files(languages: Sequence[str], mirror: str) -> list[RemoteFile]:
    """The plain text of each book, in UTF-8, one file a book: `cache/epub/N/pgN.txt` of the collection that is
    generated (gutenberg.org/help/mirroring.html), by the catalogue (gutenberg.org/ebooks/offline_catalogs.html).

    The catalogue names books, not files: a few have no plain text, and no book has a size or checksum.

    Args:
        languages: two letters each (de), or three where ISO 639-1 has no two; none = all. A book in several languages
            is taken for each of them.
        mirror: one that has the generated collection.

    Raises:
        UserError: the catalogue names no such book.
    """
    catalogue = gzip.decompress(read(f"{mirror}/cache/epub/feeds/pg_catalog.csv.gz", "use another --mirror"))
    found = []
    for row in csv.DictReader(io.StringIO(catalogue.decode("utf-8-sig"), newline="")):
        spoken = re.split(r"[;,\s]+", row["Language"])
        if row["Type"] == "Text" and (not languages or set(spoken) & set(languages)):
            path = f"cache/epub/{int(row['Text#'])}/pg{int(row['Text#'])}.txt"
            found.append(RemoteFile(f"{mirror}/{path}", path=path))
    if not found:
        raise UserError(f"the catalogue has no text in {', '.join(languages) or 'it'}: check --language")
    return found
