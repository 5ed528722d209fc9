"""Models are found, hashed and downloaded; the network is a server on loopback."""

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from corpus import models
from corpus.errors import UserError
from corpus.models import Model

BODY = b"a model" * 300_000


class Server(BaseHTTPRequestHandler):
    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.requests.append(self.path)
        if self.path == "/missing.bin":
            self.send_error(404, "Not Found")
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[:1000] if self.path == "/short.bin" else BODY)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    Server.requests.clear()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    root = f"http://127.0.0.1:{httpd.server_port}"
    digest = hashlib.sha256(BODY).hexdigest()
    known = {
        "good": Model(f"{root}/good.bin", digest, len(BODY)),
        "missing": Model(f"{root}/missing.bin", digest, len(BODY)),
        "short": Model(f"{root}/short.bin", digest, len(BODY)),
        "other": Model(f"{root}/other.bin", "0" * 64, len(BODY)),
        "closed": Model("http://127.0.0.1:1/closed.bin", digest, len(BODY)),
    }
    monkeypatch.setattr(models, "MODELS", known)
    monkeypatch.setattr(models.platformdirs, "user_cache_path", lambda app: tmp_path / "cache" / app)
    yield root
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def cached(tmp_path: Path) -> list[str]:
    folder = tmp_path / "cache" / "corpus" / "models"
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_get_downloads_once_and_locate_finds_it(server: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="corpus models get good"):
        models.locate("good")
    path = models.get("good")
    assert Path(path).read_bytes() == BODY
    assert models.get("good") == models.locate("good") == path
    assert Server.requests == ["/good.bin"]
    assert cached(tmp_path) == ["good.bin"]


def test_a_cut_file_in_the_cache_is_refused_and_fetched_again(server: str) -> None:
    path = Path(models.get("good"))
    os.truncate(path, 1000)
    with pytest.raises(UserError, match=r"good\.bin has 1,000 bytes, .* 2,100,000: run `corpus models get good`"):
        models.locate("good")
    assert models.get("good") == models.locate("good")
    assert path.read_bytes() == BODY


def test_processes_at_the_same_time_download_once(server: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(models.get, ["good"] * 8))
    assert len(paths) == 1
    assert Server.requests == ["/good.bin"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "answered 404"),
        ("short", "expected"),
        ("other", "has SHA-256 .* expected 0000"),
        ("closed", "cannot download"),
        ("nonsense", "known are closed, good"),
    ],
)
def test_a_failed_download_is_one_line_and_leaves_nothing(server: str, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        models.get(name)
    assert "\n" not in str(error.value)
    assert name == "nonsense" or cached(tmp_path) == []


def test_an_unwritable_cache_is_a_user_error(server: str, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    with pytest.raises(UserError, match="cannot write"):
        models.get("good")


def test_locate_takes_paths(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with pytest.raises(UserError, match="no model file"):
        models.locate(str(path))
    path.write_bytes(b"x")
    assert models.locate(str(path)) == str(path)


def test_sha256_sees_a_changed_file(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    for body in (b"one", b"two", b"three"):
        path.write_bytes(body)
        os.utime(path, ns=(0, len(body) * 1000 + body[0]))
        assert models.sha256(str(path)) == hashlib.sha256(body).hexdigest()
    with pytest.raises(UserError, match="No such file"):
        models.sha256(str(tmp_path / "gone"))


def test_the_known_language_model_is_the_real_one(shared_data: Path) -> None:
    path = next(shared_data.glob("models-wordlists/**/lid.176.ftz"))
    assert models.sha256(str(path)) == models.MODELS["lid"].sha256
    assert path.stat().st_size == models.MODELS["lid"].size
