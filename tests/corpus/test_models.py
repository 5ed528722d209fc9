"""Models are found, hashed and downloaded; the network is a server on loopback."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from corpus import models
from corpus.errors import UserError
from corpus.models import Model
from tests.corpus.download.server import Answer, Site, serving

BODY = b"a model" * 300_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    digest = hashlib.sha256(BODY).hexdigest()
    with serving() as site:
        site.bodies = {f"/{name}.bin": BODY for name in ("good", "short", "other", "large")}
        known = {name: Model(f"{site.url}/{name}.bin", digest, len(BODY)) for name in ("good", "missing", "short")} | {
            "other": Model(f"{site.url}/other.bin", "0" * 64, len(BODY)),
            "large": Model(f"{site.url}/large.bin", digest, 7),
            "closed": Model("http://127.0.0.1:1/closed.bin", digest, len(BODY)),
        }
        monkeypatch.setattr(models, "MODELS", known)
        monkeypatch.setattr(models.platformdirs, "user_cache_path", lambda app: tmp_path / "cache" / app)
        monkeypatch.setattr("corpus.download.fetch.sleep", lambda seconds: None)
        yield site


def cached(tmp_path: Path) -> list[str]:
    folder = tmp_path / "cache" / "corpus" / "models"
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_get_downloads_once_and_locate_finds_it(server: Site, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="corpus models get good"):
        models.locate("good")
    path = models.get("good")
    assert Path(path).read_bytes() == BODY
    assert models.get("good") == models.locate("good") == path
    assert server.asked == ["/good.bin"]
    assert cached(tmp_path) == ["good.bin"]


def test_a_cut_file_in_the_cache_is_refused_and_fetched_again(server: Site) -> None:
    path = Path(models.get("good"))
    os.truncate(path, 1000)
    with pytest.raises(UserError, match=r"good\.bin has 1,000 bytes, .* 2,100,000: run `corpus models get good`"):
        models.locate("good")
    assert models.get("good") == models.locate("good")
    assert path.read_bytes() == BODY


def test_a_download_that_was_cut_goes_on_where_it_stopped(server: Site, tmp_path: Path) -> None:
    refused = [Answer(503)] * models.ATTEMPTS
    server.next["/short.bin"] = [Answer(body=BODY, sent=1000), *refused]
    with pytest.raises(UserError, match="cannot fetch"):
        models.get("short")
    assert cached(tmp_path) == ["short.bin.part"]
    server.next.clear()
    assert Path(models.get("short")).read_bytes() == BODY
    assert server.requests[-1].range == "bytes=1000-"


def test_processes_at_the_same_time_download_once(server: Site) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(models.get, ["good"] * 8))
    assert len(paths) == 1
    assert server.asked == ["/good.bin"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "answered 404"),
        ("other", "has the sha256 .* the listing says 0000.*: try again later"),
        ("large", "has 2,100,000 bytes, the listing says 7: try again later"),
        ("closed", "cannot fetch"),
        ("nonsense", "known are closed, good"),
    ],
)
def test_a_failed_download_is_one_line_and_leaves_nothing(
    server: Site, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        models.get(name)
    assert "\n" not in str(error.value)
    assert name == "nonsense" or cached(tmp_path) == []


def test_an_unwritable_cache_is_a_user_error(server: Site, tmp_path: Path) -> None:
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
