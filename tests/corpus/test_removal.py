"""Lists of what is to be taken out, and the requests that a run keeps."""

from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.removal import add_request, listed, read_values, requests
from corpus.steps.find import Wanted


def test_a_file_of_values(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"\xef\xbb\xbf b \r\n\r\na\n b\n\xc3\xa9 x\n")
    assert read_values(str(file)) == ("a", "b", "é x")
    file.write_text("\n \n")
    with pytest.raises(UserError, match="names nothing: write one id or URL a line"):
        read_values(str(file))
    with pytest.raises(UserError, match="does not exist: give a text file, one id or URL a line"):
        read_values(str(tmp_path / "none"))


def test_requests_add_up(tmp_path: Path) -> None:
    run = str(tmp_path)
    assert not listed(run)
    for number in range(11):
        path = add_request(run, Wanted((f"id-{number % 10}",), ("u",) if number else ()), {"requested": "now"})
        assert path == f"{run}/removed/request-{number + 1:04d}.json"
    assert listed(run) == Wanted(tuple(f"id-{n}" for n in range(10)), ("u",))
    assert [request["ids"] for request in requests(run)][-2:] == [["id-9"], ["id-0"]]
