import random

import pytest

from corpus.sources.decode import decode_text, is_opaque


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1251", "shift_jis", "cp866"])
def test_text_is_not_opaque(encoding: str) -> None:
    for text in ("plain text\r\n\t\x0c\x1b[1m", "Größe", "Привет", "日本語のテキスト", ""):
        assert not is_opaque(text.encode(encoding, "ignore"))


def test_random_bytes_are_opaque() -> None:
    for seed in range(20):
        assert is_opaque(random.Random(seed).randbytes(1000))
    assert is_opaque(b"a\0b\0c\0")


def test_guesses_in_order() -> None:
    assert decode_text(b"\xef\xbb\xbfa\xc3\xa9") == ("aé", "utf-8")
    assert decode_text(b"a\xe9\x93") == ("aé“", "cp1252")
    assert decode_text(b"a\xe9\x81") == ("aé\x81", "latin-1")
    assert decode_text(b"\xe9", "iso8859-5") == ("щ", "iso8859-5")
    assert decode_text(b"\xc3\xa9", "iso8859-5") == ("é", "utf-8")
