"""Each stream of a bzip2 file belongs to one range of its bytes, wherever it is cut."""

import bz2
import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources import bz2_streams
from corpus.sources.bz2_streams import Stream, opened, streams


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=6),
    st.lists(st.integers(0, 1200), max_size=4),
    st.integers(20, 400),
)
def test_ranges_share_out_the_streams(contents: list[bytes], cuts: list[int], chunk: int) -> None:
    packed = [bz2.compress(content or b"x", 1 + n % 9) for n, content in enumerate(contents)]
    data = b"".join(packed)
    starts = [sum(map(len, packed[:n])) for n in range(len(packed))]
    expected = [Stream(start, start + len(piece)) for start, piece in zip(starts, packed, strict=True)]
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bz2_streams, "CHUNK", chunk)
        found = [s for a, b in pairwise(edges) for s in streams(io.BytesIO(data), a, b)]
    assert found == expected
    for stream, content in zip(found, contents, strict=True):
        file = opened(io.BytesIO(data), stream)
        assert bz2.decompress(file.read()) == (content or b"x")
        file.seek(0)
        assert file.read(4).startswith(b"BZh")


def test_no_stream() -> None:
    assert list(streams(io.BytesIO(b"BZh9 1AY&SY BZh01AY&SY"))) == []
    assert list(streams(io.BytesIO(bz2.compress(b"a")), 1)) == []
