"""robots.txt files by host."""

import gzip
from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.robots_index import RobotsIndex, build, host_of

AGENTS = ("ia_archiver", "CCBot", "*")


def record(url: str, body: str, status: str = "200 OK", kind: str = "response") -> bytes:
    http = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n\r\n{body}".encode()
    header = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:1>\r\nWARC-Target-URI: {url}\r\n"
    return gzip.compress(f"{header}Content-Length: {len(http)}\r\n\r\n".encode() + http + b"\r\n\r\n")


RECORDS = [
    record("https://a.org/robots.txt", "User-agent: *\nDisallow: /private/\nAllow: /private/open$\n"),
    record("http://www.a.org/robots.txt", "User-Agent: GPTBot\nUser-Agent: CCBot\nDisallow: /*.html\n"),
    record("https://b.org/robots.txt", "User-agent: GPTBot\nDisallow: /\n\nUser-agent: *\nDisallow:\n"),
    record("https://c.org/robots.txt", "\ufeffUser-agent: ccbot\nDisallow: /\n"),
    record("https://d.org/robots.txt", "User-agent: *\nAllow: /\n"),
    record("https://e.org/robots.txt", "User-agent: *\nDisallow: /\n", status="404 Not Found"),
    record("https://h.org/robots.txt", "User-agent: CCBot/2.0 (https://commoncrawl.org/faq/)\nDisallow: /x\n"),
    record("https://f.org/page", "User-agent: *\nDisallow: /\n"),
    record("https://g.org/robots.txt", "User-agent: *\nDisallow: /\n", kind="request"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number, half in enumerate((RECORDS[:3], RECORDS[3:])):
        (tmp_path / f"in/{number}.warc.gz").write_bytes(b"".join(half))
    return tmp_path


def test_every_record_is_counted_and_hosts_keep_what_they_say(folder: Path) -> None:
    counts = build(str(folder / "in"), str(folder / "robots.arrow"))
    assert counts == {"kept": 5, "forbids_nothing": 1, "status": 1, "not_robots_txt": 2}
    index = RobotsIndex(str(folder / "robots.arrow"))
    forbidden = {
        "https://a.org/private/x": True,
        "https://a.org/private/open": False,  # the group of CCBot does not forbid it, and that of "*" allows it
        "https://a.org/": False,
        "https://www.a.org/x.html": True,
        "https://b.org/x": False,
        "https://sub.b.org/x": False,
        "http://C.org:8080/x": True,
        "https://d.org/x": False,
        "https://e.org/x": False,
        "https://f.org/x": False,
        "https://g.org/x": False,
        "https://h.org/x": True,
        "https://h.org/y": False,
        "no url": False,
        "http://[bad/": False,
    }
    assert {url: index.forbids(url, AGENTS) for url in forbidden} == forbidden
    assert index.forbids("https://b.org/x", ("GPTBot",))


def test_the_index_does_not_depend_on_the_order_of_files(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.warc.gz").write_bytes(b"".join(reversed(RECORDS)))
    build(str(folder / "in"), str(folder / "one.arrow"))
    build(str(other), str(folder / "two.arrow"))
    assert (folder / "one.arrow").read_bytes() == (folder / "two.arrow").read_bytes()


def test_a_folder_without_robots_txt_and_a_file_that_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "x.warc.gz").write_bytes(RECORDS[7])
    with pytest.raises(UserError, match=r"holds no robots.txt file that forbids anything \(not_robots_txt 1\)"):
        build(str(tmp_path), str(tmp_path / "out"))
    with pytest.raises(UserError, match=r"is no index of robots.txt files"):
        RobotsIndex(str(tmp_path / "x.warc.gz"))


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://www.A.org./x", "a.org"), ("http://u:p@b.org:80/", "b.org"), ("x", None), ("http://[::1/", None)],
)  # fmt: skip
def test_host_of(url: str, host: str | None) -> None:
    assert host_of(url) == host
