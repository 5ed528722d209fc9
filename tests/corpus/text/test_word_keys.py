"""Keys of words hold their bytes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.word_keys import KEY_BYTES, READ_BYTES, word_key


@given(st.binary(min_size=1, max_size=KEY_BYTES), st.binary(max_size=3), st.integers(0, 255))
def test_a_key_is_the_bytes_and_their_number(word: bytes, before: bytes, behind: int) -> None:
    data = np.frombuffer(before + word + bytes([behind] * READ_BYTES), np.uint8)
    *key, h = word_key(data, len(before), len(word))
    assert b"".join(int(k).to_bytes(8, "little") for k in key) == word.ljust(KEY_BYTES, b"\0") + bytes([len(word)])
    alone = np.frombuffer(word + bytes(READ_BYTES), np.uint8)
    assert word_key(alone, 0, len(word)) == (*key, h)


def test_hashes_spread() -> None:
    """Of many words few share the bits that a table of them looks at."""
    words = [f"{n:x}".encode() for n in range(20_000)] + [b"a" * n for n in range(1, KEY_BYTES + 1)]
    hashes = [word_key(np.frombuffer(word + bytes(READ_BYTES), np.uint8), 0, len(word))[3] for word in words]
    slots = {int(h) >> 32 & 0xFFFF for h in hashes}
    assert len(slots) > 0.9 * 65536 * (1 - np.exp(-len(words) / 65536))
