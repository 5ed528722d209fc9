import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.interop import packed
from tokenizer.interop.packed import document_blocks, write_array


@given(st.lists(st.integers(0, 12), max_size=40), st.integers(1, 20))
def test_blocks_are_all_documents_in_order_and_as_large_as_allowed(lengths: list[int], size: int) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.uint64)
    blocks = list(document_blocks(offsets, size))
    assert [d for first, stop in blocks for d in range(first, stop)] == list(range(len(lengths)))
    for first, stop in blocks:
        assert stop - first == 1 or sum(lengths[first:stop]) <= size
        assert stop == len(lengths) or sum(lengths[first : stop + 1]) > size


def test_arrays_are_written_piece_by_piece(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(packed, "BLOCK_TOKENS", 3)
    for count in (0, 1, 3, 7):
        sink = io.BytesIO()
        write_array(sink, np.arange(count, dtype=np.uint32)[::-1], "<i8")
        assert np.frombuffer(sink.getvalue(), "<i8").tolist() == list(range(count))[::-1]


def test_large_offsets_stay_exact() -> None:
    offsets = np.arange(7, dtype=np.uint64) + np.uint64(1 << 53)
    assert list(document_blocks(offsets, 3)) == [(0, 3), (3, 6)]
