"""Overlap against exact containment of shingle sets, and the editions among the sample books."""

import random
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pytest
import xxhash

from corpus.dedup import overlap
from corpus.dedup.overlap import LEAST_SHINGLES, Overlap
from corpus.rules import PartRef
from corpus.schema import Document, Origin, document_batch
from corpus.text.buffers import text_buffers
from corpus.text.shingles import shingle_rows
from tests.corpus.dedup.driver import SHAPES, documents, run


def order(identity: str) -> int:
    return xxhash.xxh64_intdigest(identity.encode())


def sets(texts: list[str], n: int) -> list[set[int]]:
    hashes, ends = shingle_rows(*text_buffers(pa.array(texts, pa.large_string())), n)
    return [set(hashes[ends[i] : ends[i + 1]].tolist()) for i in range(len(texts))]


def reference(docs: list[Document], rule: Overlap) -> set[str]:
    """Ids that go, by comparing all pairs of whole sets."""
    shingles = [s if len(s) >= LEAST_SHINGLES else set() for s in sets([d.text for d in docs], rule.ngram)]
    common = {h for s in shingles for h in s if sum(h in other for other in shingles) > rule.max_documents}
    cluster = {d.id: {d.id} for d in docs}
    for (a, x), (b, y) in combinations(zip(docs, shingles, strict=True), 2):
        if x and y and len((x & y) - common) >= rule.threshold * min(len(x), len(y)) - 1e-6:
            joined = cluster[a.id] | cluster[b.id]
            cluster |= dict.fromkeys(joined, joined)
    return {i for i, members in cluster.items() if i != min(members, key=order)}


def gone(docs: list[Document], rule: Overlap, shape: tuple[int, int, int, int] = SHAPES[0]) -> set[str]:
    result = run(rule, docs, shape)
    assert {reason for reason, _, _ in result.values()} <= {None, "overlap"}
    return {i for i, (reason, _, _) in result.items() if reason}


def books(seed: int) -> list[Document]:
    """Passages of 30 words strung together, so that many books share many of them."""
    rng = random.Random(seed)
    passages = [" ".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=30)) for _ in range(40)]
    texts: list[str] = []
    for _ in range(12):
        own = rng.sample(passages, rng.choice([1, 2, 8, 20]))
        texts += [" ".join(own), " ".join(own[: -max(1, len(own) // 12)] + rng.sample(passages, 1))]
    return documents(texts)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("max_documents", [3, 100])
def test_unsampled_equals_all_pairs_whatever_the_spread(seed: int, max_documents: int) -> None:
    docs, rule = books(seed), Overlap(sample=1, max_documents=max_documents)
    expected = reference(docs, rule)
    for shape in SHAPES:
        assert gone(docs, rule, shape) == expected


def test_pairs_are_counted_alike_in_small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    docs, rule = books(1), Overlap(sample=1)
    expected = reference(docs, rule)
    assert expected
    monkeypatch.setattr(overlap, "HELD_PAIRS", 7)
    assert gone(docs, rule) == expected


def numbered(count: int, first: int = 0) -> str:
    return " ".join(f"w{i}" for i in range(first, first + count))


def test_a_few_words_are_left_alone() -> None:
    words = numbered(LEAST_SHINGLES + 4)
    shorter = words.rsplit(" ", 1)[0]
    for rule in (Overlap(sample=1), Overlap()):
        assert len(gone(documents([words, words]), rule)) == 1
        assert not gone(documents([shorter, shorter, words]), rule)


@pytest.mark.parametrize("words", [30, 300, 640, 1280, 1300, 3000])
def test_documents_of_any_length_are_compared_with_those_like_them(words: int) -> None:
    text = numbered(words)
    docs = documents([text, text, numbered(words - 3, 3), numbered(words, words)])
    expected = reference(docs, Overlap(sample=1))
    assert len(expected) == 2
    for shape in SHAPES:
        assert gone(docs, Overlap(), shape) == expected


def test_a_short_document_is_not_compared_with_a_long_one() -> None:
    docs = documents([numbered(300), numbered(5000)])
    assert gone(docs, Overlap(sample=1)) != gone(docs, Overlap()) == set()


def gutenberg(folder: Path, pattern: str) -> list[Document]:
    docs = []
    for path in sorted(folder.glob(pattern)):
        raw = path.read_bytes()
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        docs.append(Document(str(path.relative_to(folder)), text, Origin("f")))
    return docs


def test_editions_of_books(shared_data: Path) -> None:
    """Exact containment of whole files, word 5-grams: editions 0.939 or more, any other two below 0.5."""
    folder = shared_data / "gutenberg"
    docs = gutenberg(folder, "*_*/**/*.txt")
    titles = {d.id: d.id.split("/")[0] for d in docs}
    assert len(docs) == 16
    assert sorted(titles.values()).count("Frankenstein_84") == 4
    expected = {d.id for d in docs if d.id != min((i for i in titles if titles[i] == titles[d.id]), key=order)}
    assert len(expected) == 8  # Alice 1, Frankenstein 3, Pride 2, Sherlock Holmes 1, Time Machine 1
    assert gone(docs, Overlap(), SHAPES[1]) == expected


def test_estimate_is_honest(shared_data: Path) -> None:
    batch = document_batch(gutenberg(shared_data / "gutenberg", "*_*/*.txt"), "books")
    given = sum(block.nbytes for _, block in Overlap().sign(PartRef(0), iter([batch]), 1))
    assert given / 2 <= Overlap().estimate(batch.num_rows, batch["text"].nbytes) <= given * 2
