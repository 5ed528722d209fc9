"""One file, from a server on loopback that cuts, refuses, lies and asks to wait."""

import hashlib
import io
import os
import sys
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from time import time
from unittest.mock import patch

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.download import fetch as module
from corpus.download.fetch import (
    ATTEMPTS,
    CONTACT,
    LONGEST_PAUSE,
    DownloadTask,
    Gone,
    Refused,
    RemoteFile,
    download_files,
    fetch,
    read,
    read_pages,
)
from corpus.errors import UserError
from tests.corpus.download.server import Answer, Site, serving

BODY = bytes(range(256)) * 5000
SUMS = [hashlib.new(kind, BODY).hexdigest() for kind in ("md5", "sha1", "sha256")]


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        site.bodies = {"/f": BODY, "/a/b": BODY}
        yield site


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which nobody waits for."""
    taken: list[float] = []
    monkeypatch.setattr(module, "sleep", taken.append)
    monkeypatch.delenv(CONTACT, raising=False)
    return taken


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Cut, resumed


def test_a_cut_connection_goes_on_where_it_stopped(site: Site, tmp_path: Path, pauses: list[float]) -> None:
    rest = {"Content-Range": f"bytes 1000-{len(BODY) - 1}/{len(BODY)}"}
    site.next["/f"] = [Answer(body=BODY, sent=1000), Answer(206, rest, BODY[1000:], sent=2000)]
    fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY
    assert [request.range for request in site.requests] == [None, "bytes=1000-", "bytes=3000-"]
    assert pauses == [1.0, 1.0]  # each attempt brought the file further
    assert left(tmp_path) == ["f"]


def test_a_later_run_goes_on_where_the_one_before_stopped(site: Site, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(BODY[:500])
    fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY
    assert [request.range for request in site.requests] == ["bytes=500-"]


def test_what_is_whole_but_was_not_renamed_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(BODY)
    fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    assert [request.range for request in site.requests] == [f"bytes={len(BODY)}-"]
    (tmp_path / "g.part").write_bytes(BODY)
    fetch(RemoteFile(f"{site.url}/f", size=len(BODY)), str(tmp_path / "g"))
    assert len(site.requests) == 1
    assert (tmp_path / "f").read_bytes() == (tmp_path / "g").read_bytes() == BODY


def test_a_server_without_ranges_starts_again(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    (tmp_path / "f.part").write_bytes(b"x" * 500)
    fetch(RemoteFile(f"{site.url}/f", SUMS[0]), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY


@pytest.mark.parametrize(
    "wrong", [{"Content-Range": f"bytes 400-{len(BODY) - 1}/{len(BODY)}"}, {}, {"Content-Range": "bits"}]
)
def test_bytes_that_were_not_asked_for_are_not_put_behind_what_is_there(
    site: Site, tmp_path: Path, wrong: dict[str, str]
) -> None:
    site.next["/f"] = [Answer(206, wrong, BODY[400:])]
    (tmp_path / "f.part").write_bytes(BODY[:500])
    fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY


def test_the_beginning_of_an_older_version_is_dropped(site: Site, tmp_path: Path) -> None:
    """By the checksum; without one by the day on which it changed; or because the new one is shorter."""
    for name, checksum, changed, held in (
        ("a", SUMS[2], 0.0, 500),
        ("b", "", time() + 3600, 500),
        ("c", "", 0.0, len(BODY) + 1),
    ):
        site.always = {"Last-Modified": formatdate(changed, usegmt=True)}
        (tmp_path / f"{name}.part").write_bytes(b"x" * held)
        fetch(RemoteFile(f"{site.url}/f", checksum), str(tmp_path / name))
        assert (tmp_path / name).read_bytes() == BODY, name


def test_an_attempt_that_brings_nothing_counts_and_the_last_one_ends_it(
    site: Site, tmp_path: Path, pauses: list[float]
) -> None:
    site.next["/f"] = [Answer(body=BODY, sent=1000)] + [
        Answer(206, {"Content-Range": f"bytes 1000-{len(BODY) - 1}/{len(BODY)}"}, BODY[1000:], sent=0)
    ] * (ATTEMPTS - 1)
    with pytest.raises(UserError, match=r"cannot fetch .*/f: the connection ended 1,279,000 bytes early"):
        fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    assert left(tmp_path) == ["f.part"]  # to go on from


def test_a_chunked_body_that_is_cut_is_not_whole(site: Site, tmp_path: Path) -> None:
    cut = Answer(200, {"Transfer-Encoding": "chunked", "Content-Length": ""}, b"5\r\nhello\r\n3\r\nx")
    site.next["/f"] = [cut]
    fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY


def test_nobody_answers(tmp_path: Path, pauses: list[float]) -> None:
    with pytest.raises(UserError, match=r"cannot fetch http://127\.0\.0\.1:1/f: .*refused.*: check the network"):
        fetch(RemoteFile("http://127.0.0.1:1/f"), str(tmp_path / "f"), attempts=3)
    assert pauses == [1.0, 2.0]


# Wrong lengths, wrong checksums


@pytest.mark.parametrize("checksum", SUMS)
def test_a_right_checksum_of_each_kind(site: Site, tmp_path: Path, checksum: str) -> None:
    fetch(RemoteFile(f"{site.url}/f", checksum), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY


@pytest.mark.parametrize(("digits", "kind"), [(32, "md5"), (40, "sha1"), (64, "sha256")])
def test_a_wrong_checksum_leaves_no_file(site: Site, tmp_path: Path, digits: int, kind: str) -> None:
    file = RemoteFile(f"{site.url}/f", "0" * digits, remedy="mend it")
    with pytest.raises(UserError, match=rf"/f has the {kind} \w{{{digits}}}, the listing says 0+: mend it"):
        fetch(file, str(tmp_path / "f"))
    assert left(tmp_path) == []


@pytest.mark.parametrize("size", [len(BODY) - 1, len(BODY) + 1])
def test_a_length_that_is_not_that_of_the_listing_is_seen_before_the_bytes_come(
    site: Site, tmp_path: Path, size: int
) -> None:
    with pytest.raises(UserError, match=rf"has 1,280,000 bytes, the listing says {size:,}: mend it"):
        fetch(RemoteFile(f"{site.url}/f", size=size, remedy="mend it"), str(tmp_path / "f"))
    assert left(tmp_path) == []


def test_a_length_that_is_not_that_of_the_body(site: Site, tmp_path: Path) -> None:
    longer, shorter = {"Content-Length": str(len(BODY) + 9)}, {"Content-Length": str(len(BODY) - 9)}
    site.next["/f"] = [Answer(200, longer, BODY)]
    with pytest.raises(UserError, match="has 1,280,009 bytes"):
        fetch(RemoteFile(f"{site.url}/f", size=len(BODY)), str(tmp_path / "f"))
    site.next["/f"] = [Answer(200, longer, BODY)]  # without a size: it ended early, and a range says that it is whole
    fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY
    site.next["/f"] = [Answer(200, shorter, BODY)]
    with pytest.raises(UserError, match="md5"):
        fetch(RemoteFile(f"{site.url}/f", SUMS[0]), str(tmp_path / "g"))
    nobody_says = Answer(200, {"Content-Length": ""}, BODY[:-9])
    site.next["/f"] = [nobody_says]
    with pytest.raises(UserError, match="gave 1,279,991 bytes, the listing says 1,280,000"):
        fetch(RemoteFile(f"{site.url}/f", size=len(BODY)), str(tmp_path / "g"))


def test_an_empty_file(site: Site, tmp_path: Path) -> None:
    site.bodies["/e"] = b""
    fetch(RemoteFile(f"{site.url}/e", size=0), str(tmp_path / "e"))
    assert (tmp_path / "e").read_bytes() == b""


# Refused, busy, gone, elsewhere


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_the_server_says_how_long_to_wait(site: Site, tmp_path: Path, pauses: list[float], status: int) -> None:
    site.next["/f"] = [Answer(status, {"Retry-After": "7"})]
    fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    assert pauses == [7.0]


def test_a_server_that_asks_to_wait_very_long_is_left_alone(site: Site, tmp_path: Path, pauses: list[float]) -> None:
    site.next["/f"] = [Answer(429, {"Retry-After": "7200"})]
    with pytest.raises(Refused, match=r"answered 429 Too Many Requests and asks to wait 7,200 seconds: run again then"):
        fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    assert pauses == []
    assert len(site.requests) == 1


@given(st.one_of(st.text(), st.integers().map(str), st.floats().map(str), st.sampled_from(["²", "Wed, 1 Jan", "-1"])))
def test_any_retry_after_is_a_pause(value: str) -> None:
    assert module._asked_pause(value) >= 0


def test_retry_after_as_a_date() -> None:
    assert 90 < module._asked_pause(formatdate(time() + 100, usegmt=True)) <= 100
    assert module._asked_pause(formatdate(time() - 100, usegmt=True)) == 0
    assert module._asked_pause(None) == 0


def test_the_server_is_told_whom_to_write_to(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "a"))
    monkeypatch.setenv(CONTACT, "me@example.org")
    fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "b"))
    assert [request.agent for request in site.requests] == ["corpus/0.1", "corpus/0.1 (me@example.org)"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_says_what_may_help_and_is_not_repeated(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    site.next["/f"] = [Answer(status)] * 2
    with pytest.raises(Refused, match=rf"answered {status} \w+: set CORPUS_CONTACT to your mail address"):
        fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    monkeypatch.setenv(CONTACT, "me@example.org")
    with pytest.raises(Refused, match=r": check that it lets you have this"):
        fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    assert len(site.requests) == 2


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_is_gone_names_the_remedy(site: Site, tmp_path: Path, status: int) -> None:
    site.next["/f"] = [Answer(status)]
    with pytest.raises(Gone, match=rf"/f answered {status} .*: remove the listing"):
        fetch(RemoteFile(f"{site.url}/f", remedy="remove the listing"), str(tmp_path / "f"))


def test_another_answer_is_no_file(site: Site, tmp_path: Path) -> None:
    site.next["/f"] = [Answer(204), Answer(202, {}, b"come back later")]
    fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY
    site.next["/f"] = [Answer(400)]
    with pytest.raises(UserError, match="answered 400 Bad Request: check the address"):
        fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "g"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_with_the_range(site: Site, tmp_path: Path, status: int) -> None:
    site.next["/old"] = [Answer(status, {"Location": "/f"})]
    (tmp_path / "f.part").write_bytes(BODY[:500])
    fetch(RemoteFile(f"{site.url}/old", SUMS[1], len(BODY)), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY
    assert [(request.path, request.range) for request in site.requests] == [
        ("/old", "bytes=500-"),
        ("/f", "bytes=500-"),
    ]


@pytest.mark.parametrize("location", ["/old", "file:///etc/passwd"])
def test_a_redirect_that_leads_nowhere_is_one_line(site: Site, tmp_path: Path, location: str) -> None:
    site.next["/old"] = [Answer(302, {"Location": location})] * 20
    with pytest.raises(UserError, match="answered 302") as error:
        fetch(RemoteFile(f"{site.url}/old"), str(tmp_path / "f"))
    assert "\n" not in str(error.value)
    assert left(tmp_path) == []


def test_an_address_with_characters_that_http_has_not(site: Site, tmp_path: Path) -> None:
    site.bodies["/%C3%A9%20b%20%23"] = BODY
    fetch(RemoteFile(f"{site.url}/é b%20%23"), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY


# Several files


def test_the_other_files_are_fetched_before_a_failure_is_told(site: Site, tmp_path: Path) -> None:
    files = tuple(RemoteFile(f"{site.url}/{name}") for name in ("gone", "a/b"))
    with pytest.raises(UserError, match="gone answered 404"):
        download_files(DownloadTask(0, files, str(tmp_path)))
    assert (tmp_path / "a" / "b").read_bytes() == BODY
    site.requests.clear()
    assert download_files(DownloadTask(0, files[1:], str(tmp_path))).bytes_in == 0
    assert site.requests == []  # what is there is not fetched again
    download_files(DownloadTask(0, files, str(tmp_path), may_lack=True))
    assert site.asked == ["/gone"]


def test_after_a_refusal_nothing_more_is_asked_for(site: Site, tmp_path: Path) -> None:
    site.next["/f"] = [Answer(403)]
    files = tuple(RemoteFile(f"{site.url}/{name}") for name in ("a/b", "f", "gone", "a/b?again"))
    with pytest.raises(UserError, match=r"/f answered 403 .*; 2 more files were not asked for$"):
        download_files(DownloadTask(0, files, str(tmp_path)))
    assert site.asked == ["/a/b", "/f"]


def test_a_file_of_another_length_is_fetched_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"an older version")
    assert download_files(DownloadTask(0, (RemoteFile(f"{site.url}/f", size=len(BODY)),), str(tmp_path))).bytes_in
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_name_cannot_leave_the_folder() -> None:
    assert RemoteFile("https://host/../../etc/passwd").name == "etc/passwd"
    assert RemoteFile("https://host/a%2F..%2F..%2F..%2Fb").name == "b"
    assert RemoteFile("https://host/a", path="../../b").name == "b"
    assert RemoteFile("https://host/a", path="c/../d").below("/out") == os.path.join("/out", "d")


# Pages


def test_pages_follow_their_link(site: Site) -> None:
    site.bodies = {"/p": b"1", "/p?cursor=a": b"2", "/p?cursor=b": b"3"}
    site.next["/p"] = [Answer(200, {"Link": f'<{site.url}/p?cursor=a>; rel="next"'}, b"1")]
    site.next["/p?cursor=a"] = [Answer(200, {"Link": '</x>; rel="prev", </p?cursor=b>; rel=next'}, b"2")]
    assert list(read_pages(f"{site.url}/p", "-")) == [b"1", b"2", b"3"]
    assert read(f"{site.url}/p", "-") == b"1"


def test_pages_that_never_end(site: Site) -> None:
    site.bodies = {"/p": b"1"}
    site.always = {"Link": '</p>; rel="next"'}
    with pytest.raises(UserError, match="names itself as the page after it: look there"):
        list(read_pages(f"{site.url}/p", "look there"))


# Stores


@pytest.fixture
def store() -> Iterator[str]:
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/f", BODY)
    yield "memory://bucket"
    memory.rm("/bucket", recursive=True)


def test_a_file_of_a_store_is_resumed_and_checked(store: str, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(BODY[:500])
    fetch(RemoteFile(f"{store}/f", SUMS[0], len(BODY)), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY
    (tmp_path / "g.part").write_bytes(b"x" * (len(BODY) + 1))
    fetch(RemoteFile(f"{store}/f", SUMS[0]), str(tmp_path / "g"))
    assert (tmp_path / "g").read_bytes() == BODY
    for file, message in (
        (RemoteFile(f"{store}/f", "0" * 32, remedy="mend it"), "has the md5 .*: mend it"),
        (RemoteFile(f"{store}/f", size=5, remedy="mend it"), "has 1,280,000 bytes, the listing says 5: mend it"),
        (RemoteFile(f"{store}/gone", remedy="mend it"), "memory://bucket/gone is not there: mend it"),
    ):
        with pytest.raises(UserError, match=message):
            fetch(file, str(tmp_path / "h"))
    assert left(tmp_path) == ["f", "g"]


def test_a_store_that_fails_while_it_is_read(store: str, tmp_path: Path, pauses: list[float]) -> None:
    memory = fsspec.filesystem("memory")
    reads = iter([BODY[:1000], RuntimeError("the library's own error")])

    class Cut(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            piece = next(reads)
            if isinstance(piece, Exception):
                raise piece
            return piece

    with patch.object(type(memory), "_open", side_effect=[Cut(), io.BytesIO(BODY)]):
        fetch(RemoteFile(f"{store}/f", SUMS[2]), str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == BODY
    assert pauses == [1.0]


def test_a_store_that_refuses_is_one_line(store: str, tmp_path: Path) -> None:
    refused = PermissionError("Access\nDenied")
    with (
        patch.object(type(fsspec.filesystem("memory")), "info", side_effect=refused),
        pytest.raises(Refused, match=r"cannot read memory://bucket/f \(Access Denied\): check your credentials"),
    ):
        fetch(RemoteFile(f"{store}/f"), str(tmp_path / "f"))


def test_a_missing_library_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UserError, match=r"s3://arxiv/f cannot be reached: Install s3fs to access S3") as error:
        fetch(RemoteFile("s3://arxiv/f"), str(tmp_path / "f"))
    assert "\n" not in str(error.value)


def test_only_arxivs_bucket_is_told_that_we_pay(tmp_path: Path) -> None:
    opened = []

    def note(url: str, **options: object) -> None:
        opened.append((url, options))
        raise UserError("enough")

    with patch.object(module, "filesystem", note):
        for url in ("s3://arxiv/src/f", "s3://other/f"):
            with pytest.raises(UserError, match="enough"):
                fetch(RemoteFile(url), str(tmp_path / "f"))
    assert opened == [("s3://arxiv/src/f", {"requester_pays": True}), ("s3://other/f", {})]


def test_the_longest_pause_holds_for_our_own_too(site: Site, tmp_path: Path, pauses: list[float]) -> None:
    site.next["/f"] = [Answer(503)] * 11
    fetch(RemoteFile(f"{site.url}/f"), str(tmp_path / "f"), attempts=12)
    assert pauses[-1] == LONGEST_PAUSE
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
