"""`WIKI-DATE-sha1sums.txt` as dumps.wikimedia.org has it: `sha1sum`'s lines, over all files of a dump."""

import hashlib

import pytest

from corpus.download.fetch import RemoteFile
from corpus.download.wikipedia import files, listing
from corpus.errors import UserError
from tests.corpus.download.server import Site

PIECES = ["1.xml-p1p41242", "2.xml-p41243p151573", "27.xml-p77475910p78000000"]


def sha1(name: str) -> str:
    return hashlib.sha1(name.encode()).hexdigest()


def sums(wiki: str, date: str, pieces: list[str], *others: str) -> bytes:
    """The list of a dump that has these files of articles, and its usual others."""
    names = [
        *others,
        "pages-articles.xml.bz2",
        "pages-articles1.xml-p1p41242.bz2",
        "pages-meta-current.xml.bz2",
        "pages-articles-multistream-index.txt.bz2",
        "pages-articles-multistream-index1.txt-p1p41242.bz2",
        "siteinfo-namespaces.json.gz",
        *(f"pages-articles-multistream{piece}.bz2" for piece in pieces),
    ]
    names = [f"{wiki}-{date}-{name}" for name in names]
    return "".join(f"{sha1(name)}  {name}\n" for name in names).encode()


def expected(site: Site, wiki: str, date: str, pieces: list[str]) -> list[RemoteFile]:
    names = [f"{wiki}-{date}-pages-articles-multistream{piece}.bz2" for piece in pieces]
    return [RemoteFile(f"{site.url}/{wiki}/{date}/{name}", sha1(name), None, f"{wiki}/{date}/{name}") for name in names]


def test_numbered_pieces_are_taken_and_not_the_whole_file_too(site: Site) -> None:
    site.bodies["/enwiki/20260901/enwiki-20260901-sha1sums.txt"] = sums("enwiki", "20260901", [".xml", *PIECES])
    assert files("en", "20260901", site.url) == expected(site, "enwiki", "20260901", PIECES)


@pytest.mark.parametrize(("language", "wiki"), [("als", "alswiki"), ("zh-min-nan", "zh_min_nanwiki")])
def test_a_small_wiki_is_one_file(site: Site, language: str, wiki: str) -> None:
    site.bodies[f"/{wiki}/20260901/{wiki}-20260901-sha1sums.txt"] = sums(wiki, "20260901", [".xml"])
    assert files(language, "20260901", site.url) == expected(site, wiki, "20260901", [".xml"])


def test_the_latest_dump_is_listed_under_its_date(site: Site) -> None:
    site.bodies["/dewiki/latest/dewiki-latest-sha1sums.txt"] = sums("dewiki", "20260901", PIECES)
    assert files("de", "latest", site.url) == expected(site, "dewiki", "20260901", PIECES)


@pytest.mark.parametrize("latest", [True, False])
def test_a_dump_under_way_is_passed_over(site: Site, latest: bool) -> None:
    """Its list has no articles yet; a mirror without `latest` is asked for its folders."""
    site.bodies["/dewiki/"] = b"".join(
        b'<a href="%s/">%s/</a>  01-Oct-2026 08:00   -\n' % (name, name)
        for name in (b"..", b"20260801", b"20261001", b"20260901", b"latest")
    )
    site.bodies["/dewiki/20260801/dewiki-20260801-sha1sums.txt"] = sums("dewiki", "20260801", PIECES)
    site.bodies["/dewiki/20260901/dewiki-20260901-sha1sums.txt"] = sums("dewiki", "20260901", PIECES[:2])
    site.bodies["/dewiki/20261001/dewiki-20261001-sha1sums.txt"] = sums("dewiki", "20261001", [])
    if latest:
        site.bodies["/dewiki/latest/dewiki-latest-sha1sums.txt"] = sums("dewiki", "20261001", [])
    assert files("de", "latest", site.url) == expected(site, "dewiki", "20260901", PIECES[:2])


def test_what_there_is_not(site: Site) -> None:
    with pytest.raises(UserError, match="/xxwiki/ answered 404 Not Found: check --language xx, --date latest and"):
        files("xx", "latest", site.url)
    with pytest.raises(UserError, match=r"sha1sums\.txt answered 404 Not Found: check --language en, --date 2022"):
        files("en", "2022", site.url)
    site.bodies["/enwiki/20261001/enwiki-20261001-sha1sums.txt"] = sums("enwiki", "20261001", [])
    with pytest.raises(UserError, match="/enwiki/20261001/ has no articles yet: give the --date of an earlier dump"):
        files("en", "20261001", site.url)
    site.bodies["/enwiki/"] = b'<a href="20261001/">'
    with pytest.raises(UserError, match=r"no dump at .*/enwiki/ has articles"):
        files("en", "latest", site.url)


def test_the_listing_is_of_a_language_and_a_date(site: Site) -> None:
    site.bodies["/dewiki/20260901/dewiki-20260901-sha1sums.txt"] = sums("dewiki", "20260901", PIECES)
    of = listing("de", "20260901", site.url)
    assert (of.name, of.asked) == ("de-20260901", f"articles of de.wikipedia.org, dump 20260901, from {site.url}")
    assert of.make() == files("de", "20260901", site.url)
