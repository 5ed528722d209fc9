import unicodedata

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus.dedup.exact import Exact
from corpus.rules import PartRef
from corpus.schema import Document, Origin, document_batch
from corpus.steps.spill import gather
from tests.corpus.dedup.driver import SHAPES, documents, run


def lowest(ids: list[str]) -> str:
    return min(ids, key=lambda i: xxhash.xxh64_intdigest(i.encode()))


@given(st.lists(st.sampled_from(["", "a", "b", "é" * 50, "a" * 100]), max_size=30))
def test_one_of_each_text_stays_whatever_the_spread(texts: list[str]) -> None:
    docs = documents(texts)
    keep = {lowest([d.id for d in docs if d.text == text]) for text in set(texts)}
    expected = {d.id: (None, d.text, None) if d.id in keep else ("duplicate", None, None) for d in docs}
    for shape in SHAPES:
        assert run(Exact(), docs, shape) == expected


def test_priority_beats_the_hash_of_the_id() -> None:
    docs = documents(["same", "same"])
    first, second = sorted(docs, key=lambda d: xxhash.xxh64_intdigest(d.id.encode()))
    for better in (first, second):
        refs = [PartRef(index, priority=0 if d is better else 1) for index, d in enumerate(docs)]
        blocks = [
            b for ref, d in zip(refs, docs, strict=True) for b in Exact().sign(ref, iter([document_batch([d], "s")]), 1)
        ]
        (dropped,) = [part for part, _ in gather(Exact().rounds()[0].decide([b for _, b in blocks], 0), 2)]
        assert docs[dropped] is not better


def test_by_url() -> None:
    docs = [Document(f"c4:{i}", str(i), Origin("f"), url=url) for i, url in enumerate(["u", "u", "v", None, None, ""])]
    kept = {i for i, (reason, _, _) in run(Exact(on="url"), docs).items() if reason is None}
    assert kept == {lowest(["c4:0", "c4:1"]), "c4:2", "c4:3", "c4:4", "c4:5"}


def bare(text: str) -> str:
    """Of text whose characters are in every version of Unicode."""
    composed = unicodedata.normalize("NFC", text).lower()
    return "".join(c for c in composed if unicodedata.category(c)[0] not in "PZC" and not c.isspace())


@given(st.lists(st.text(st.sampled_from("aAb\u00e9e\u0301É1 \n\t.,!。、\u3000\u200b-—語"), max_size=5), max_size=20))
def test_normalized_text(texts: list[str]) -> None:
    docs = documents(texts)
    keep = {lowest([d.id for d in docs if bare(d.text) == key]) for key in {bare(text) for text in texts}}
    keep |= {d.id for d in docs if not bare(d.text)}
    for shape in SHAPES[1:]:
        found = run(Exact(on="normalized"), docs, shape)
        assert {i for i, (reason, _, _) in found.items() if reason is None} == keep
        assert all(found[d.id][1] == d.text for d in docs if d.id in keep)  # the text itself stays as it is


def test_by_a_key_of_the_metadata() -> None:
    rows = [{"doi": "a"}, {"doi": "a", "x": 1}, {"doi": 1}, {"doi": "1"}, {"doi": [1, 2]}, {"doi": [1, 2]}, {"x": 1}]
    given = [*rows, {"doi": None}, {}]
    docs = [Document(f"s:{i}", str(i), Origin("f"), metadata=metadata) for i, metadata in enumerate(given)]
    kept = {i for i, (reason, _, _) in run(Exact(on="metadata.doi"), docs).items() if reason is None}
    assert kept == {lowest(["s:0", "s:1"]), lowest(["s:4", "s:5"]), "s:2", "s:3", "s:6", "s:7", "s:8"}


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        Exact(on="language")


def test_estimate_is_honest() -> None:
    batch = document_batch(documents(str(i) for i in range(500)), "s")
    given = sum(block.nbytes for _, block in Exact().sign(PartRef(0), iter([batch]), 4))
    assert given / 2 <= Exact().estimate(500, batch["text"].nbytes) <= given * 2
