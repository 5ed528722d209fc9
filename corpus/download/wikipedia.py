"""Articles of a Wikipedia, from the dumps of the Wikimedia Foundation (meta.wikimedia.org/wiki/Data_dumps)."""

import re
from collections.abc import Iterator
from functools import partial

from corpus.download.fetch import Gone, RemoteFile, read
from corpus.download.listing import Listing
from corpus.errors import UserError


def listing(language: str, date: str, mirror: str) -> Listing:
    """The listing of one dump's articles; arguments as for `files`."""
    asked = f"articles of {language}.wikipedia.org, dump {date}, from {mirror}"
    return Listing(f"{language}-{date}", asked, partial(files, language, date, mirror))


def files(language: str, date: str, mirror: str) -> list[RemoteFile]:
    """The multistream articles of one dump, with the SHA-1 of the dump's own list: its numbered pieces where it has
    some, else the whole file. (Both hold the same pages.)

    Args:
        language: as in the address of the Wikipedia, en of en.wikipedia.org.
        date: of the dump, as in its address, 20260901; or "latest", the newest that has its articles.

    Raises:
        UserError: there is no such dump, or its articles are not finished.
    """
    wiki = f"{language.replace('-', '_')}wiki"
    remedy = f"check --language {language}, --date {date} and the address"
    if date != "latest":
        found = _articles(read(f"{mirror}/{wiki}/{date}/{wiki}-{date}-sha1sums.txt", remedy), wiki, mirror)
        if not found:
            raise UserError(f"{mirror}/{wiki}/{date}/ has no articles yet: give the --date of an earlier dump")
        return found
    # The list of `latest` may be that of a dump under way, without articles yet; and some mirrors have no `latest`.
    for name in _names(wiki, mirror, remedy):
        try:
            found = _articles(read(f"{mirror}/{wiki}/{name}/{wiki}-{name}-sha1sums.txt", remedy), wiki, mirror)
        except Gone:
            continue
        if found:
            return found
    raise UserError(f"no dump at {mirror}/{wiki}/ has articles: {remedy}")


def _names(wiki: str, mirror: str, remedy: str) -> Iterator[str]:
    """`latest`, then the dates of the wiki's folder, the newest first."""
    yield "latest"
    yield from sorted(set(re.findall(r'href="(\d{8})/', read(f"{mirror}/{wiki}/", remedy).decode())), reverse=True)


def _articles(sums: bytes, wiki: str, mirror: str) -> list[RemoteFile]:
    """Of `WIKI-DATE-sha1sums.txt`: a line is a SHA-1, two spaces, and the name of a file."""
    lines = re.findall(
        rf"^([0-9a-f]{{40}})  ({wiki}-(\d{{8}})-pages-articles-multistream\d*\.xml(-p\d+p\d+)?\.bz2)$",
        sums.decode(),
        re.MULTILINE,
    )
    pieces = [line for line in lines if line[3]] or lines
    paths = ((sha1, f"{wiki}/{date}/{name}") for sha1, name, date, _ in pieces)
    return [RemoteFile(f"{mirror}/{path}", sha1, path=path) for sha1, path in paths]
