"""The committed table against `str`, and the UTF-8 kernels against the codec."""

import unicodedata

import numpy as np
import pytest

from corpus.text import unicode as u
from corpus.text.make_unicode import runs

BY_METHOD = {
    u.ALPHABETIC: str.isalpha,
    u.ALPHANUMERIC: str.isalnum,
    u.DECIMAL: str.isdecimal,
    u.SPACE: str.isspace,
    u.UPPER: str.isupper,
}


def test_classes_of_known_characters() -> None:
    bits = u.classes()
    for c in "aZßǅⒶ9٣½ \u3000\u00a0\x1c\u200b，１'é中":
        for bit, method in BY_METHOD.items():
            assert bool(bits[ord(c)] & bit) == method(c), (c, bit)
    assert [bool(bits[ord(c)] & u.MARK) for c in "\u0301\u093f\u0e31\u20dd\u200daक"] == [True] * 4 + [False] * 3
    assert [c for c in "，１►-'‘" if bits[ord(c)] & u.CCNET_PUNCT] == ["，", "１", "►"]


def test_lower_case_of_known_characters() -> None:
    lower = u.lower_case()
    assert [chr(lower[ord(c)]) for c in "AÉǅßЖẞ\u212a"] == ["a", "é", "ǆ", "ß", "ж", "ß", "k"]
    assert lower[u.CAPITAL_SIGMA] == ord("σ")
    assert lower[u.CAPITAL_I_WITH_DOT] == u.CAPITAL_I_WITH_DOT


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="Python of another Unicode version")
def test_table_is_what_the_script_writes() -> None:
    table = u.files("corpus.text").joinpath(u.TABLE).read_text("ascii")
    assert table == "# Unicode 14.0.0\n" + "".join(runs())


def test_decode_encode_previous_on_every_length() -> None:
    for c in "a\x7f\x80\u07ff\u0800\uffff\U00010000\U0010ffff":
        raw = np.frombuffer(f"é{c}é".encode(), np.uint8)
        size = len(c.encode())
        assert u.decode(raw, 2) == (ord(c), size)
        assert u.previous(raw, 2 + size) == 2
        out = np.zeros(8, np.uint8)
        assert u.encode(ord(c), out, 1) == 1 + size
        assert out[1 : 1 + size].tobytes() == c.encode()
