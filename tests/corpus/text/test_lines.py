import numpy as np
import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.lines import BLANK, find_lines, join_lines, split_lines
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


TEXTS = st.lists(st.text("a \n\r\u2028é\U0001f600", max_size=12), max_size=5)


@given(TEXTS, st.data())
def test_split_and_join(texts: list[str], data: st.DataObject) -> None:
    lines = split_lines(pa.array(["x\ny", *texts], pa.string()).slice(1))
    split = [text.split("\n") for text in texts]
    assert lines.text.to_pylist() == [line for some in split for line in some]
    assert np.diff(lines.starts).tolist() == [len(some) for some in split]
    assert lines.rows().tolist() == [row for row, some in enumerate(split) for _ in some]
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(lines.text), max_size=len(lines.text))), np.bool_)
    text, numbers = join_lines(lines, kept)
    flags = iter(kept.tolist())
    places = [[n for n in range(len(some)) if next(flags)] for some in split]
    assert numbers.to_pylist() == places
    assert text.to_pylist() == ["\n".join(some[n] for n in of) for some, of in zip(split, places, strict=True)]
    assert lines.sums(kept.astype(np.int64)).tolist() == [len(of) for of in places]
    everything, _ = join_lines(lines, np.ones(len(lines.text), np.bool_))
    assert everything.to_pylist() == texts
