"""`stackexchange_files.xml`: the list of files of an item of archive.org, in the form that
fileformats.archiveteam.org/wiki/Internet_Archive_metadata shows."""

import hashlib

import pytest

from corpus.download.fetch import RemoteFile
from corpus.download.stackexchange import files, listing, of_sites
from corpus.errors import UserError
from tests.corpus.download.server import Site

ARCHIVES = [
    "ru.stackoverflow.com.7z",
    "stackoverflow.com-Badges.7z",
    "stackoverflow.com-PostHistory.7z",
    "stackoverflow.com-Posts.7z",
    "unix.meta.stackexchange.com.7z",
    "unix.stackexchange.com.7z",
]


def entry(name: str, source: str = "original") -> str:
    sha1, md5 = (hashlib.new(kind, name.encode()).hexdigest() for kind in ("sha1", "md5"))
    return (
        f'  <file name="{name}" source="{source}">\n    <mtime>1712191123</mtime>\n    <size>{len(name)}</size>\n'
        f"    <md5>{md5}</md5>\n    <crc32>18e75ee6</crc32>\n    <sha1>{sha1}</sha1>\n"
        "    <format>7z</format>\n  </file>\n"
    )


ITSELF = '  <file name="stackexchange_files.xml" source="original">\n    <format>Metadata</format>\n  </file>\n'
"""The list has neither size nor checksum of itself."""


def put(site: Site, item: str = "stackexchange") -> str:
    """Gives the site an item; returns its address."""
    rows = "".join(map(entry, ARCHIVES)) + entry(f"{item}_meta.sqlite") + ITSELF
    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<files>\n{rows}</files>\n'
    site.bodies[f"/download/{item}/{item}_files.xml"] = xml.encode()
    return f"{site.url}/download/{item}"


@pytest.mark.parametrize("item", ["stackexchange", "stackexchange_20250331"])
def test_the_archives_of_an_item(site: Site, item: str) -> None:
    address = put(site, item)
    assert files(address) == [
        RemoteFile(f"{address}/{name}", hashlib.sha1(name.encode()).hexdigest(), len(name), name) for name in ARCHIVES
    ]
    assert listing(address).name == "stackexchange"


def test_the_archives_of_sites(site: Site) -> None:
    listed = files(put(site))
    sites = ["unix.stackexchange.com", "stackoverflow.com", "unix.stackexchange.com"]
    assert [file.name for file in of_sites(listed, sites)] == [
        "unix.stackexchange.com.7z",
        "stackoverflow.com-Posts.7z",
    ]
    with pytest.raises(UserError, match=r"--site unix\.stackexchange is not in the dump: is it unix\.stackexchange\.c"):
        of_sites(listed, ["unix.stackexchange"])
    with pytest.raises(UserError, match="--site q is not in the dump: give the host name of a site"):
        of_sites(listed, ["q"])


@pytest.mark.parametrize("answer", [b"<html><body>down for maintenance", b"", b'<files><file source="x"/></files>'])
def test_a_page_in_place_of_the_listing(site: Site, answer: bytes) -> None:
    site.bodies["/download/stackexchange/stackexchange_files.xml"] = answer
    with pytest.raises(UserError, match="what came is no listing of archives from"):
        listing(f"{site.url}/download/stackexchange").files("nowhere", keep=False)
