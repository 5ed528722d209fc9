"""`KIND.paths.gz` as commoncrawl.org/get-started describes it: a path a line, gzip."""

import gzip

import pytest

from corpus.download.commoncrawl import files, listing
from corpus.download.fetch import RemoteFile
from corpus.errors import UserError
from tests.corpus.download.server import Site

SEGMENT = "crawl-data/CC-MAIN-2019-30/segments/1563195523840.34"
PATHS = [f"{SEGMENT}/wet/CC-MAIN-20190715175205-20190715200159-0000{n}.warc.wet.gz" for n in range(3)]


@pytest.mark.parametrize("kind", ["wet", "warc"])
def test_a_snapshots_files(site: Site, kind: str) -> None:
    paths = "".join(f"{path}\n" for path in PATHS).encode()
    site.bodies[f"/crawl-data/CC-MAIN-2019-30/{kind}.paths.gz"] = gzip.compress(paths)
    expected = [RemoteFile(f"{site.url}/{path}", path=path) for path in PATHS]
    assert files("CC-MAIN-2019-30", kind, site.url) == expected
    assert listing("CC-MAIN-2019-30", kind, site.url).name == f"CC-MAIN-2019-30-{kind}"


def test_no_such_snapshot(site: Site) -> None:
    with pytest.raises(UserError, match=r"wet\.paths\.gz answered 404 Not Found: check --snapshot; index\.commoncrawl"):
        files("CC-MAIN-1999-01", "wet", site.url)


def test_a_page_in_place_of_the_listing(site: Site) -> None:
    site.bodies["/crawl-data/CC-MAIN-2019-30/wet.paths.gz"] = b"<html>log in</html>"
    with pytest.raises(UserError, match="what came is no listing of wet of CC-MAIN-2019-30"):
        listing("CC-MAIN-2019-30", "wet", site.url).files("nowhere", keep=False)
