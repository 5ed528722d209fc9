"""`pg_catalog.csv.gz`, as gutenberg.org/ebooks/offline_catalogs.html and its own first line describe it."""

import gzip
from pathlib import Path

import pytest

from corpus.download.fetch import RemoteFile
from corpus.download.gutenberg import files, listing
from corpus.errors import UserError
from corpus.sources.books import Books
from corpus.sources.raw import Piece, Split
from tests.corpus.download.server import Site

CATALOGUE = """Text#,Type,Issued,Title,Language,Authors,Subjects,LoCC,Bookshelves
1,Text,1971-12-01,The Declaration of Independence,en,"Jefferson, Thomas, 1743-1826",x,E,y
98,Text,1994-01-01,"A Tale of
Two Cities",en,"Dickens, Charles, 1812-1870",x,PR,y
2229,Text,2000-06-01,Faust:\u2028Der Tragödie erster Teil,de,"Goethe, Johann Wolfgang von, 1749-1832",x,PT,y
4000,Text,2003-05-01,A dictionary,en; fr,"Nobody",x,PC,y
9551,Sound,2003-08-01,A reading,en,"Somebody",x,PR,y
"""


def put(site: Site, catalogue: str = CATALOGUE) -> None:
    site.bodies["/cache/epub/feeds/pg_catalog.csv.gz"] = gzip.compress(catalogue.encode("utf-8-sig"))


@pytest.mark.parametrize(
    ("languages", "books"),
    [([], [1, 98, 2229, 4000]), (["en"], [1, 98, 4000]), (["de"], [2229]), (["de", "fr"], [2229, 4000])],
)
def test_texts_of_languages(site: Site, languages: list[str], books: list[int]) -> None:
    put(site)
    paths = [f"cache/epub/{book}/pg{book}.txt" for book in books]
    assert files(languages, site.url) == [RemoteFile(f"{site.url}/{path}", path=path) for path in paths]


def test_none(site: Site) -> None:
    put(site)
    with pytest.raises(UserError, match="the catalogue has no text in tlh: check --language"):
        files(["tlh"], site.url)
    site.bodies.clear()
    with pytest.raises(UserError, match="answered 404 Not Found: use another --mirror"):
        files([], site.url)


def test_another_table_in_its_place(site: Site) -> None:
    put(site, "Number,Title\n1,x\n")
    with pytest.raises(UserError, match=r"what came is no listing of books \(all\) from http.*KeyError: 'Language'"):
        listing([], site.url).files("nowhere", keep=False)


def test_listings_of_different_languages_are_different(site: Site) -> None:
    assert [listing(some, site.url).name for some in ([], ["de"], ["de", "en"])] == [
        "gutenberg-all",
        "gutenberg-de",
        "gutenberg-de-en",
    ]


def test_the_source_finds_the_number_in_the_name(site: Site, tmp_path: Path) -> None:
    put(site)
    name = files(["de"], site.url)[0].name
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("Habe nun, ach! Philosophie,\nJuristerei und Medizin")
    (book,) = Books().read(str(tmp_path), Split((Piece(name),)))
    assert book.url == "https://www.gutenberg.org/ebooks/2229"  # type: ignore[union-attr]
