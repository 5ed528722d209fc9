"""Each command from its options to the files, by a server on loopback; formats and refusals have tests of their own."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from corpus.cli import app
from corpus.errors import UserError
from corpus.recipe.load import bundled
from corpus.sources.raw import file_sizes
from tests.corpus.download.server import Answer, Site, serving

BODY = b"some bytes"
SHA1, SHA256, MD5 = (hashlib.new(kind, BODY).hexdigest() for kind in ("sha1", "sha256", "md5"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("corpus.download.fetch.sleep", lambda seconds: None)
    with serving() as site:
        yield site


def corpus(*arguments: str) -> None:
    app(["download", *arguments], standalone_mode=False)


def there(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


WIKI = "enwiki/20260901/enwiki-20260901-pages-articles-multistream.xml.bz2"
WET = "crawl-data/CC-MAIN-2019-30/segments/1563195523840.34/wet/CC-MAIN-20190715175205.warc.wet.gz"
C4 = "en/c4-train.00000-of-01024.json.gz"
TREE = json.dumps([{"type": "file", "oid": "0", "size": len(BODY), "path": C4, "lfs": {"oid": SHA256}}]).encode()
ITEM = (
    f'<files><file name="unix.stackexchange.com.7z" source="original"><size>{len(BODY)}</size><sha1>{SHA1}</sha1>'
    "</file></files>"
).encode()
TAR = "src/arXiv_src_2207_001.tar"
MANIFEST = (
    f"<arXivSRC><file><filename>{TAR}</filename><md5sum>{MD5}</md5sum><size>{len(BODY)}</size></file></arXivSRC>"
).encode()
BOOKS = b"Text#,Type,Issued,Title,Language,Authors,Subjects,LoCC,Bookshelves\n100,Text,1994-01-01,Works,en,x,x,x,x\n"

COMMANDS = {
    "wikipedia": (
        ["--language", "en"],
        {
            "/enwiki/latest/enwiki-latest-sha1sums.txt": f"{SHA1}  {WIKI.rpartition('/')[2]}\n".encode(),
            f"/{WIKI}": BODY,
        },
        ["en-latest.listing", WIKI],
        "1 file of unknown size",
    ),
    "commoncrawl": (
        ["--snapshot", "CC-MAIN-2019-30", "--kind", "wet"],
        {"/crawl-data/CC-MAIN-2019-30/wet.paths.gz": gzip.compress(f"{WET}\n".encode()), f"/{WET}": BODY},
        ["CC-MAIN-2019-30-wet.listing", WET],
        "1 file of unknown size",
    ),
    "stackexchange": (
        ["--site", "unix.stackexchange.com"],
        {"/stackexchange/stackexchange_files.xml": ITEM, "/stackexchange/unix.stackexchange.com.7z": BODY},
        ["stackexchange.listing", "unix.stackexchange.com.7z"],
        "1 file, 0.00 MB",
    ),
    "gutenberg": (
        ["--language", "en"],
        {"/cache/epub/feeds/pg_catalog.csv.gz": gzip.compress(BOOKS), "/cache/epub/100/pg100.txt": BODY},
        ["cache/epub/100/pg100.txt", "gutenberg-en.listing"],
        "1 file of unknown size",
    ),
    "arxiv": (
        ["--month", "2207"],
        {"/src/arXiv_src_manifest.xml": MANIFEST, f"/{TAR}": BODY},
        ["arxiv.listing", TAR],
        r"you pay Amazon for the transfer: about \$0\.00 .*\n1 file, 0\.00 MB",
    ),
    "c4": (
        [],
        {
            "/api/datasets/allenai/c4/tree/main/en?recursive=true": TREE,
            f"/datasets/allenai/c4/resolve/main/{C4}": BODY,
        },
        ["allenai_c4-en_c4-train._.json.gz.listing", C4],
        "1 file, 0.00 MB",
    ),
    "hub": (
        ["--dataset", "allenai/c4", "--files", "en/*.json.gz"],
        {
            "/api/datasets/allenai/c4/tree/main/en?recursive=true": TREE,
            f"/datasets/allenai/c4/resolve/main/{C4}": BODY,
        },
        ["allenai_c4-en_.json.gz.listing", C4],
        "1 file, 0.00 MB",
    ),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_from_options_to_files(site: Site, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    options, site.bodies, expected, said = COMMANDS[command]
    mirror = f"{site.url}/stackexchange/" if command == "stackexchange" else f"{site.url}/"
    line = [command, "raw", *options, "--mirror", mirror]
    corpus(*line, "--dry-run")
    assert re.search(said, capsys.readouterr().out)
    assert not Path("raw").exists()
    corpus(*line)
    assert there("raw") == sorted(expected)
    (data,) = (name for name in expected if not name.endswith(".listing"))
    assert Path("raw", data).read_bytes() == BODY
    # The bundled recipe takes the output folder as `input`.
    recipe = YAML(typ="safe").load(Path(bundled("llama")).read_text(encoding="utf-8"))["sources"]
    section = recipe[{"gutenberg": "books", "hub": "c4"}.get(command, command)]
    assert file_sizes("raw", section.get("include", ["**"])) == {data: len(BODY)}
    # Run again: the same listing, and nothing that is there.
    capsys.readouterr()
    asked = len(site.requests)
    corpus(*line)
    assert len(site.requests) == asked
    assert "; 1 of them are there" in capsys.readouterr().out
    # What has gone since the listing was made: one line that names it.
    Path("raw", data).unlink()
    site.bodies = {}
    if command == "gutenberg":
        corpus(*line)
        assert "the catalogue names 1 of them, which the mirror does not have as plain text" in capsys.readouterr().out
        return
    listing = next(name for name in expected if name.endswith(".listing"))
    with pytest.raises(
        UserError, match=rf"answered 404 Not Found: if it stays so, remove raw/{re.escape(listing)} and"
    ):
        corpus(*line)


def test_a_listing_of_ones_own(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.bodies = {f"/{name}": BODY for name in "abc"}
    Path("files.txt").write_text(f"a {SHA256}\nb {MD5} {len(BODY)}\nc - - x/y\n")
    corpus("listing", "files.txt", "raw", "--base", f"{site.url}/", "--limit", "2", "--dry-run")
    assert "2 files, 0.00 MB without 1 of unknown size" in capsys.readouterr().out
    corpus("listing", "files.txt", "raw", "--base", f"{site.url}/", "--limit", "2")
    assert there("raw") == ["a", "b"]
    corpus("listing", "files.txt", "raw", "--base", f"{site.url}/", "--connections", "1")
    assert there("raw") == ["a", "b", "x/y"]
    site.bodies["/a"] = b"other bytes"
    Path("raw/a").unlink()
    with pytest.raises(UserError, match=r"has the sha256 .*: mend files\.txt:1, or take it out"):
        corpus("listing", "files.txt", "raw", "--base", f"{site.url}/")


def test_several_languages_have_a_listing_each(site: Site) -> None:
    for wiki in ("enwiki", "dewiki"):
        name = f"{wiki}-20260901-pages-articles-multistream.xml.bz2"
        site.bodies[f"/{wiki}/20260901/{wiki}-20260901-sha1sums.txt"] = f"{SHA1}  {name}\n".encode()
        site.bodies[f"/{wiki}/20260901/{name}"] = BODY
    options = ["--date", "20260901", "--mirror", site.url]
    corpus("wikipedia", "raw", "--language", "en", "--language", "de", "--language", "en", *options)
    assert [name for name in there("raw") if "multistream" not in name] == [
        "de-20260901.listing",
        "en-20260901.listing",
    ]
    assert len(there("raw")) == 4
    with pytest.raises(UserError, match=r"en-20260901\.listing lists .* from http.*: remove it to fetch .*elsewhere"):
        corpus("wikipedia", "raw", "--language", "en", "--date", "20260901", "--mirror", "https://elsewhere")


def test_wikimedia_refuses_who_does_not_say_who_they_are(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORPUS_CONTACT", raising=False)
    site.next["/enwiki/latest/enwiki-latest-sha1sums.txt"] = [Answer(403)]
    with pytest.raises(UserError, match=r"answered 403 Forbidden: set CORPUS_CONTACT to your mail address"):
        corpus("wikipedia", "raw", "--language", "en", "--mirror", site.url)
    assert not Path("raw").exists()


def test_a_manifest_in_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By any file system of fsspec, in the worker processes too."""
    monkeypatch.chdir(tmp_path)
    Path("bucket/src").mkdir(parents=True)
    Path("bucket/src/arXiv_src_manifest.xml").write_bytes(MANIFEST)
    Path("bucket", TAR).write_bytes(BODY)
    corpus("arxiv", "raw", "--month", "2207", "--mirror", (tmp_path / "bucket").as_uri())
    assert Path("raw", TAR).read_bytes() == BODY


def test_files_go_to_a_local_folder() -> None:
    for line in (["listing", "listing"], ["c4"]):
        with pytest.raises(UserError, match="s3://bucket/raw is not a local folder"):
            corpus(*line, "s3://bucket/raw")
