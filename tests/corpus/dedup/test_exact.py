import xxhash
from hypothesis import given
from hypothesis import strategies as st

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


def test_estimate_is_honest() -> None:
    batch = document_batch(documents(str(i) for i in range(500)), "s")
    given = sum(block.nbytes for _, block in Exact().sign(PartRef(0), iter([batch]), 4))
    assert given / 2 <= Exact().estimate(500, batch["text"].nbytes) <= given * 2
