"""Downloads from a server on loopback that cuts, refuses and asks to wait."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from corpus.download import CONTACT, DownloadTask, RemoteFile, download_files, fetch, read_listing
from corpus.errors import UserError
from pipelines.download import download
from pipelines.engine.runner import Runner

BODY = bytes(range(256)) * 5000


class Server(BaseHTTPRequestHandler):
    requests: ClassVar[list[tuple[str, str | None]]] = []
    agents: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.agents.append(self.headers.get("User-Agent"))
        asked = self.headers.get("Range")
        self.requests.append((self.path, asked))
        times = sum(path == self.path for path, _ in self.requests)
        if self.path == "/gone":
            self.send_error(404, "Not Found")
        elif self.path == "/busy" and times == 1:
            self.send_response(503)
            self.send_header("Retry-After", "7")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            body = BODY[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:100_000] if self.path == "/cut" and times < 4 else body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[str]:
    Server.requests.clear()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_a_cut_connection_goes_on_where_it_stopped(server: str, tmp_path: Path) -> None:
    pauses: list[float] = []
    digest = hashlib.sha256(BODY).hexdigest()
    assert fetch(RemoteFile(f"{server}/cut", digest), str(tmp_path / "f"), pauses.append) == len(BODY)
    assert (tmp_path / "f").read_bytes() == BODY
    assert [asked for _, asked in Server.requests] == [None, "bytes=100000-", "bytes=200000-", "bytes=300000-"]
    assert pauses == [1.0, 2.0, 4.0]


def test_the_server_says_how_long_to_wait(server: str, tmp_path: Path) -> None:
    pauses: list[float] = []
    fetch(RemoteFile(f"{server}/busy"), str(tmp_path / "f"), pauses.append)
    assert pauses == [7.0]


def test_the_server_is_told_whom_to_write_to(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Server.agents.clear()
    monkeypatch.delenv(CONTACT, raising=False)
    fetch(RemoteFile(f"{server}/good"), str(tmp_path / "a"))
    monkeypatch.setenv(CONTACT, "me@example.org")
    fetch(RemoteFile(f"{server}/good"), str(tmp_path / "b"))
    assert Server.agents == ["corpus/0.1", "corpus/0.1 (me@example.org)"]


def test_a_wrong_checksum_leaves_no_file(server: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"the listing says {'0' * 64}"):
        fetch(RemoteFile(f"{server}/good", "0" * 64), str(tmp_path / "f"))
    assert list(tmp_path.iterdir()) == []


def test_the_other_files_are_fetched_before_a_failure_is_told(server: str, tmp_path: Path) -> None:
    files = tuple(RemoteFile(f"{server}/{name}") for name in ("gone", "a/b"))
    with pytest.raises(UserError, match="gone answered 404"):
        download_files(DownloadTask(0, files, str(tmp_path)))
    assert (tmp_path / "a" / "b").read_bytes() == BODY
    Server.requests.clear()
    download_files(DownloadTask(0, files[1:], str(tmp_path)))
    assert Server.requests == []  # what is there is not fetched again


def test_a_name_cannot_leave_the_folder() -> None:
    assert RemoteFile("https://host/../../etc/passwd").name == "etc/passwd"
    assert RemoteFile("https://host/a%2F..%2F..%2F..%2Fb").name == "b"


def test_listings(tmp_path: Path) -> None:
    path = tmp_path / "paths.gz"
    path.write_bytes(gzip.compress(b"crawl/a.gz\n# note\n\ncrawl/b.gz ABC\n"))
    assert read_listing(str(path), "https://host/") == [
        RemoteFile("https://host/crawl/a.gz"),
        RemoteFile("https://host/crawl/b.gz", "abc"),
    ]
    assert len(read_listing(str(path), "https://host/", 1)) == 1
    with pytest.raises(UserError, match=r"paths\.gz:1: crawl/a\.gz is not an http URL"):
        read_listing(str(path))


def test_a_file_that_is_listed_twice_is_fetched_once(tmp_path: Path) -> None:
    path = tmp_path / "paths"
    path.write_text("https://host/a.gz\nhttps://host/b.gz\nhttps://host/a.gz\n")
    assert [file.name for file in read_listing(str(path))] == ["a.gz", "b.gz"]


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        (b"https://host/a.gz\nhttps://mirror/a.gz\n", r":2: https://mirror/a.gz is stored as a.gz, as is https://host"),
        (b"https://host/a.gz?v=1\nhttps://host/a.gz?v=2\n", ":2: .* is stored as a.gz"),
        (b"https://host/a.gz\nhttps://host/a.gz 00\n", ":2: .* is stored as a.gz"),
        (b"https://host/\n", ":1: https://host/ names no file"),
        (b"\xff\n", "cannot be read"),
    ],
)
def test_a_listing_that_makes_no_sense(tmp_path: Path, listing: bytes, message: str) -> None:
    path = tmp_path / "paths"
    path.write_bytes(listing)
    with pytest.raises(UserError, match=message):
        read_listing(str(path))


@pytest.mark.parametrize("damaged", [b"text", gzip.compress(b"https://host/a")[:12], b"\x1f\x8b\x08" + b"\xff" * 20])
def test_a_damaged_listing(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "paths.gz"
    path.write_bytes(damaged)
    with pytest.raises(UserError, match="cannot be read"):
        read_listing(str(path))


def test_files_go_to_a_local_folder() -> None:
    with pytest.raises(UserError, match="s3://bucket/raw is not a local folder"):
        download("listing", "s3://bucket/raw", "", None, 1, Runner("local", 1, quiet=True))
