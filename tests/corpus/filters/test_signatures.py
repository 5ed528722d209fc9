"""Stored signatures beside datasketch's own."""

import datasketch
import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.minhash import signatures
from corpus.filters.signatures import Signatures
from corpus.schema import Document, Origin, document_batch
from corpus.text.buffers import text_buffers
from corpus.text.shingles import shingle_rows


def batch(texts: list[str]) -> pa.RecordBatch:
    return document_batch([Document(str(n), text, Origin("f", record=n)) for n, text in enumerate(texts)], "books")


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6), st.sampled_from([2, 5, 112]), st.integers(1, 3))
def test_a_signature_is_that_of_datasketch_over_the_shingles(texts: list[str], minima: int, ngram: int) -> None:
    column = Signatures(minima=minima, ngram=ngram).score(batch(texts)).column("signature")
    hashes, starts = shingle_rows(*text_buffers(pa.array(texts, pa.large_string())), ngram)
    for row, stored in enumerate(column.to_pylist()):
        own = hashes[starts[row] : starts[row + 1]]
        if not len(own):
            assert stored is None
            continue
        sketch = datasketch.MinHash(num_perm=minima, hashfunc=lambda value: value)
        sketch.update_batch((own & np.uint64(0xFFFFFFFF)).astype(np.uint32).tolist())
        assert np.frombuffer(stored, "<u4").tolist() == sketch.hashvalues.tolist()


def test_nothing_is_dropped_and_a_slice_gives_the_same() -> None:
    texts = ["a house and a garden with trees", "", "...", "another house and garden with a tree or two"]
    rule = Signatures()
    scores = rule.score(batch(texts))
    assert rule.decide(scores).null_count == len(texts)
    assert (
        rule.score(batch(texts).slice(1)).column("signature").to_pylist() == scores.column("signature")[1:].to_pylist()
    )
    assert rule.score(batch([])).num_rows == 0
    found, _ = signatures(*text_buffers(pa.array(texts, pa.large_string())), 5, 112)
    assert scores.column("signature")[0].as_py() == found[0].astype("<u4").tobytes()
