import numpy as np
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.lines import BLANK, find_lines
from corpus.text.unicode import classes


@given(st.text("a .\n\r\u2028é\U0001f600") | st.text(), st.integers(0, 3))
def test_as_split(text: str, start: int) -> None:
    data = np.frombuffer(b"x" * start + text.encode("utf-8", "replace"), np.uint8)
    text = text.encode("utf-8", "replace").decode()
    room = len(data) - start + 1
    hashes, lengths, lasts = np.zeros(room, np.uint64), np.zeros(room, np.int64), np.zeros(room, np.int32)
    count = find_lines(data, start, len(data), classes(), hashes, lengths, lasts)
    lines = text.split("\n")
    assert hashes[:count].tolist() == [xxhash.xxh64_intdigest(line.encode()) for line in lines]
    assert lengths[:count].tolist() == [len(line) for line in lines]
    assert lasts[:count].tolist() == [ord(line[-1]) if line.strip() else BLANK for line in lines]
