from pathlib import Path

import pytest

from corpus.errors import UserError
from corpus.text.word_lists import list_bytes, read_words, state_of


def test_words_of_a_list(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes("\ufeffone\r\n\r\n  two words \n# três\nthree".encode())
    assert read_words(str(path)) == ("one", "two words", "# três", "three")
    assert list_bytes(str(path)).tobytes().startswith(b"one\r\n")
    before = state_of(str(path))
    path.write_text("other\nwords")
    assert state_of(str(path)) != before
    assert read_words(str(path)) == ("other", "words")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"one\ntw\xf6\n", r"list:2: not UTF-8 text: save the list as UTF-8, one entry a line"),
        ("one\ntwo".encode("utf-16"), r"list:1: not UTF-8 text"),
        (b"one\n\ntwo\0", r"list:3: not UTF-8 text"),
        (b" \n\n", r"list holds no word: give one a line"),
        (b"", r"list holds no word"),
    ],
)
def test_what_is_no_list(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "list").write_bytes(data)
    with pytest.raises(UserError, match=message):
        read_words(str(tmp_path / "list"))


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    for read in (state_of, list_bytes, read_words):
        with pytest.raises(UserError, match=r"cannot read the list .*/none: No such file or directory: give the path"):
            read(str(tmp_path / "none"))
