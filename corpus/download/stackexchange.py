"""Archives of the Stack Exchange data dump at archive.org."""

import urllib.parse
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial

from corpus.download.fetch import RemoteFile, read
from corpus.download.listing import Listing
from corpus.errors import UserError

_ALL = ".7z"
_POSTS = "-Posts.7z"  # Stack Overflow, whose tables are archives of their own


def listing(mirror: str) -> Listing:
    """The listing of a whole dump, from which `of_sites` takes; the argument as for `files`."""
    return Listing("stackexchange", f"archives from {mirror}", partial(files, mirror))


def files(mirror: str) -> list[RemoteFile]:
    """Every archive of the dump, with its SHA-1, of the list of files that archive.org keeps of each item
    (archive.org/developers/items.html, fileformats.archiveteam.org/wiki/Internet_Archive_metadata).

    Args:
        mirror: the address of the item: https://archive.org/download/stackexchange.

    Raises:
        UserError: there is no such item.
    """
    from lxml import etree

    item = mirror.rpartition("/")[2]
    listing = read(f"{mirror}/{item}_files.xml", "check the address")
    found = etree.fromstring(listing, etree.XMLParser(resolve_entities=False)).findall("file")
    return [
        RemoteFile(
            f"{mirror}/{urllib.parse.quote(file.attrib['name'])}",
            file.findtext("sha1", "").lower(),
            int(file.findtext("size")) if file.findtext("size") else None,
            file.attrib["name"],
        )
        for file in found
        if file.attrib["name"].endswith(_ALL)
    ]


def of_sites(listed: Sequence[RemoteFile], sites: Sequence[str]) -> list[RemoteFile]:
    """The archives that hold the posts of these sites.

    Raises:
        UserError: the dump has no such site.
    """
    archives = {file.name: file for file in listed}
    found = []
    for site in dict.fromkeys(sites):
        archive = archives.get(f"{site}{_ALL}") or archives.get(f"{site}{_POSTS}")
        if archive is None:
            near = get_close_matches(site, [name.removesuffix(_POSTS).removesuffix(_ALL) for name in archives], 1)
            raise UserError(
                f"--site {site} is not in the dump: {f'is it {near[0]}?' if near else 'give the host name of a site'}"
            )
        found.append(archive)
    return found
