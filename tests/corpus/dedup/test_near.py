"""Near duplicates: the invariances, and McCormick's articles with known plagiarised pairs."""

import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
import xxhash
from pydantic import ValidationError

from corpus.dedup.minhash import signatures, sketches
from corpus.dedup.near import MAX_LEADERS, Near
from corpus.rules import PartRef
from corpus.schema import Document, Origin, document_batch
from corpus.text.buffers import text_buffers
from tests.corpus.dedup.driver import SHAPES, documents, run

WORDS = [f"word{i}" for i in range(5000)]


def clusters(count: int, size: int, changed: int, seed: int = 0) -> list[str]:
    """`count` clusters of `size` texts of 400 words; each text has `changed` words of its cluster's replaced."""
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        original = rng.choices(WORDS, k=400)
        for _ in range(size):
            words = list(original)
            for place in rng.sample(range(400), changed):
                words[place] = "changed"
            texts.append(" ".join(words))
    return texts


def order(identity: str) -> int:
    return xxhash.xxh64_intdigest(identity.encode())


def test_one_of_each_cluster_stays_whatever_the_spread() -> None:
    docs = documents(clusters(count=15, size=4, changed=2))  # Jaccard similarity of two about 0.9
    groups = [[d.id for d in docs[i : i + 4]] for i in range(0, len(docs), 4)]
    expected = {i: None if i == min(group, key=order) else "near_duplicate" for group in groups for i in group}
    for shape in SHAPES:
        assert {i: reason for i, (reason, _, _) in run(Near(bands=14, rows=8), docs, shape).items()} == expected


def test_unlike_texts_stay() -> None:
    docs = documents(clusters(count=20, size=2, changed=60))  # Jaccard similarity about 0.2
    rule = Near(bands=64, rows=2)  # nearly all meet in a bucket, so that the estimate decides
    assert {reason for reason, _, _ in run(rule, docs).values()} == {None}


def test_a_pair_that_just_reaches_the_threshold() -> None:
    """At 0.5, and 16 minima, 9 bytes of the sketches must agree (16 (1 + 127.5) / 256 = 8.03)."""
    rule = Near(permutations=16, bands=16, rows=1, threshold=0.5)
    found: Counter[tuple[int, bool]] = Counter()
    for seed in range(60):
        pair = documents(clusters(count=1, size=2, changed=16, seed=seed))
        data, offsets = text_buffers(pa.array([d.text for d in pair]))
        one, other = sketches(signatures(data, offsets, 5, 16)[0])
        dropped = "near_duplicate" in {reason for reason, _, _ in run(rule, pair).values()}
        found[int((one == other).sum()), dropped] += 1
    assert {agree for agree, dropped in found if dropped} == {agree for agree, _ in found if agree >= 9}
    assert {agree for agree, dropped in found if not dropped} == {agree for agree, _ in found if agree < 9}
    assert found[9, True] > 0 < found[8, False]


def test_texts_without_words_stay_and_short_equal_ones_do_not() -> None:
    result = run(Near(), documents(["", "", "...", "...", "Hi!", "hi", "ho"]))
    assert [result[f"s:{i}"][0] for i in range(4)] == [None] * 4
    assert sorted(str(result[f"s:{i}"][0]) for i in (4, 5)) == ["None", "near_duplicate"]
    assert result["s:6"][0] is None


@pytest.mark.parametrize("language", ["cmn", "jpn", "tha", "hin"])
def test_edits_are_found_in_scripts_without_spaces_and_with_vowel_signs(shared_data: Path, language: str) -> None:
    """Two characters of 25 real sentences replaced. With words for tokens a shingle of Chinese was five sentences."""
    name = next((shared_data / "labelled/LASER/langid-tatoeba").glob(f"*.{language}"))
    lines = name.read_text("utf-8").splitlines()
    rng = random.Random(1)
    originals = ["\n".join(lines[i : i + 25]) for i in range(0, 500, 25)]
    edited = []
    for text in originals:
        places = rng.sample(range(len(text)), 2)
        edited.append("".join(lines[0][0] if i in places else c for i, c in enumerate(text)))
    docs = documents([*originals, *edited])
    gone = {i for i, (reason, _, _) in run(Near(bands=16, rows=7), docs).items() if reason}
    assert gone == {max((docs[i].id, docs[i + 20].id), key=order) for i in range(20)}


def test_priority_beats_the_hash_of_the_id() -> None:
    rule, text = Near(), clusters(1, 1, 0)[0]
    for priorities in ((0, 1), (1, 0)):
        blocks = [
            block
            for index, priority in enumerate(priorities)
            for block in rule.sign(PartRef(index, priority), iter([document_batch(documents([text]), "s")]), 1)
        ]
        for step in rule.rounds():
            blocks = list(step.decide([block for _, block in blocks], 1))
        assert [part for part, _ in blocks] == [priorities.index(1)]


def test_more_unlike_documents_in_a_bucket_than_leaders() -> None:
    texts = clusters(count=MAX_LEADERS + 20, size=2, changed=1)
    docs = documents(texts)
    rule = Near(permutations=1, bands=1, rows=1, threshold=1.0)  # a single band of a single minimum
    one, other = run(rule, docs, SHAPES[0]), run(rule, docs, SHAPES[2])
    assert one == other


def test_bands_and_rows_go_together_and_fit() -> None:
    with pytest.raises(ValidationError, match="set both"):
        Near(bands=3)
    with pytest.raises(ValidationError, match="bands x rows is 256"):
        Near(bands=16, rows=16)
    assert Near().banding() == (9, 13)
    assert Near(bands=14, rows=8).banding() == (14, 8)


@pytest.mark.parametrize("documents_in", [1, 500])
def test_estimate_is_honest(documents_in: int) -> None:
    docs = [document_batch(documents(clusters(documents_in, 1, 0)), "s")]
    given = sum(block.nbytes for _, block in Near().sign(PartRef(0), iter(docs), 4))
    assert given / 2 <= Near().estimate(documents_in, docs[0]["text"].nbytes) <= given * 2


@pytest.mark.parametrize("name", ["articles_100", "articles_1000"])
def test_mccormick(shared_data: Path, name: str) -> None:
    """Each .truth line is a pair of copies: one of each pair goes, and nothing else does."""
    folder = shared_data / "labelled/MinHash/neardup-mccormick"
    lines = [line.split(" ", 1) for line in (folder / f"{name}.train").read_text("utf-8").splitlines()]
    docs = [Document(identity, text, Origin("f")) for identity, text in lines]
    truth = [line.split() for line in (folder / f"{name}.truth").read_text("utf-8").splitlines()]
    for rule in (Near(), Near(bands=14, rows=8)):
        gone = {i for i, (reason, _, _) in run(rule, docs, SHAPES[1]).items() if reason}
        assert gone == {max(pair, key=order) for pair in truth}


def test_decisions_are_rows() -> None:
    docs = [document_batch(documents(["a b c", "a b c"]), "s")]
    rule = Near()
    blocks = list(rule.sign(PartRef(3), iter(docs), 1))
    for step in rule.rounds():
        blocks = list(step.decide([block for _, block in blocks], 1))
    assert [(part, block.schema) for part, block in blocks] == [(3, pa.schema([("row", pa.uint32())]))]
