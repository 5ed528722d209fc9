"""The tree of a data set as the hub's API gives it (huggingface.co/docs/hub/api; `huggingface_hub` reads the same
fields): pages of 1,000 entries, each with the address of the next in its Link header."""

import hashlib
import json
from typing import Any

import pytest

from corpus.download.fetch import RemoteFile
from corpus.download.hub import files, listing
from corpus.errors import UserError
from tests.corpus.download.server import Answer, Site

TREE = "/api/datasets/allenai/c4/tree/main"


def entry(path: str, lfs: bool = True) -> dict[str, Any]:
    """A file outside of git, with the SHA-256 of its bytes, or one in it, whose `oid` is not a sum of its bytes."""
    body = {"type": "file", "oid": hashlib.sha1(path.encode()).hexdigest(), "size": len(path), "path": path}
    sha256 = hashlib.sha256(path.encode()).hexdigest()
    return body | ({"lfs": {"oid": sha256, "size": len(path), "pointerSize": 134}, "xetHash": "0" * 64} if lfs else {})


def expected(site: Site, path: str, address: str = "") -> RemoteFile:
    sha256 = hashlib.sha256(path.encode()).hexdigest()
    return RemoteFile(f"{site.url}/datasets/allenai/c4/resolve/main/{address or path}", sha256, len(path), path)


def test_the_files_of_a_folder_over_two_pages(site: Site) -> None:
    paths = [f"en/c4-train.{number:05}-of-01024.json.gz" for number in range(3)]
    first = [entry(path) for path in paths[:2]] + [{"type": "directory", "oid": "0", "size": 0, "path": "en/x.json.gz"}]
    second = [entry(paths[2]), entry("en/c4-validation.00000-of-00008.json.gz"), entry("en/.gitattributes", lfs=False)]
    following = f"{site.url}{TREE}/en?recursive=true&limit=1000&cursor=ZXlK%3D%3D"
    site.next[f"{TREE}/en?recursive=true"] = [
        Answer(200, {"Link": f'<{following}>; rel="next"'}, json.dumps(first).encode()),
    ]
    site.bodies[following.removeprefix(site.url)] = json.dumps(second).encode()
    found = files("allenai/c4", "en/c4-train.*.json.gz", site.url)
    assert found == [expected(site, path) for path in paths]


def test_all_files_and_those_of_git_without_a_sum(site: Site) -> None:
    body = json.dumps([entry("a b#/é.parquet"), entry("README.md", lfs=False)]).encode()
    site.bodies[f"{TREE}?recursive=true"] = body
    assert files("allenai/c4", "*", site.url) == [
        expected(site, "a b#/é.parquet", "a%20b%23/%C3%A9.parquet"),
        RemoteFile(f"{site.url}/datasets/allenai/c4/resolve/main/README.md", "", len("README.md"), "README.md"),
    ]


@pytest.mark.parametrize(
    ("pattern", "folder"), [("en/*.gz", "/en"), ("a b/c/d[0-9]/*", "/a%20b/c"), ("en/one.gz", "/en"), ("?", "")]
)
def test_only_the_folder_of_the_pattern_is_asked_for(site: Site, pattern: str, folder: str) -> None:
    with pytest.raises(UserError, match="answered 404 Not Found: check --dataset and --files"):
        files("allenai/c4", pattern, site.url)
    assert site.asked == [f"{TREE}{folder}?recursive=true"]


def test_no_match(site: Site) -> None:
    site.bodies[f"{TREE}?recursive=true"] = json.dumps([entry("a")]).encode()
    with pytest.raises(UserError, match=r"allenai/c4 has no file that matches \*\.gz: check --files"):
        files("allenai/c4", "*.gz", site.url)


def test_a_closed_data_set(site: Site) -> None:
    site.next[f"{TREE}?recursive=true"] = [Answer(401)]
    with pytest.raises(UserError, match=r"answered 401 Unauthorized: .*check that it lets you have this"):
        files("allenai/c4", "*", site.url)


@pytest.mark.parametrize("answer", [b"<html>", b'{"error": "x"}', b'[{"type": "file", "path": "a"}]', b"[1]", b"\xff"])
def test_an_answer_that_is_no_tree(site: Site, answer: bytes) -> None:
    site.bodies[f"{TREE}?recursive=true"] = answer
    with pytest.raises(UserError, match=r"what came is no listing of \* of allenai/c4"):
        listing("allenai/c4", "*", site.url).files("nowhere", keep=False)
