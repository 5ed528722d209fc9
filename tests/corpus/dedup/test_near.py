"""Near duplicates: the invariances, and McCormick's articles with known plagiarised pairs."""

import random
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from pydantic import ValidationError

from corpus.dedup import verification
from corpus.dedup.components import Keep
from corpus.dedup.near import Near
from corpus.rules import PartRef
from corpus.schema import Document, Origin, document_batch
from corpus.text.buffers import text_buffers
from corpus.text.shingles import shingle_rows
from tests.corpus.dedup.driver import SHAPES, Shape, decide, documents, run

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


def gone(docs: list[Document], rule: Near, shape: Shape = SHAPES[0]) -> set[str]:
    result = run(rule, docs, shape)
    assert {reason for reason, _, _ in result.values()} <= {None, "near_duplicate"}
    return {i for i, (reason, _, _) in result.items() if reason}


@pytest.mark.parametrize("keep", ["neighbours", "component"])
def test_one_of_each_cluster_stays_whatever_the_spread(keep: Keep) -> None:
    docs = documents(clusters(count=15, size=4, changed=2))  # Jaccard similarity of two about 0.9
    groups = [[d.id for d in docs[i : i + 4]] for i in range(0, len(docs), 4)]
    expected = {i for group in groups for i in group if i != min(group, key=order)}
    for shape in SHAPES:
        assert gone(docs, Near(keep=keep), shape) == expected


def shingles(docs: list[Document], n: int) -> list[set[int]]:
    hashes, ends = shingle_rows(*text_buffers(pa.array([d.text for d in docs], pa.large_string())), n)
    return [set(hashes[ends[i] : ends[i + 1]].tolist()) for i in range(len(docs))]


def reference(docs: list[Document], rule: Near) -> set[str]:
    """Ids that go, by comparing all pairs of whole sets."""
    sets = dict(zip((d.id for d in docs), shingles(docs, rule.ngram), strict=True))
    like = {
        i: {j for j, b in sets.items() if i != j and len(a & b) >= rule.threshold * len(a | b)} for i, a in sets.items()
    }
    stay: set[str] = set()
    if rule.keep == "neighbours":
        for i in sorted(sets, key=order):
            stay |= set() if like[i] & stay else {i}
    else:
        left = set(sets)
        while left:
            cluster = {min(left, key=order)}
            stay |= cluster
            while more := {j for i in cluster for j in like[i]} - cluster:
                cluster |= more
            left -= cluster
    return set(sets) - stay


@pytest.mark.parametrize("keep", ["neighbours", "component"])
@pytest.mark.parametrize("seed", range(8))
def test_all_that_are_alike_by_comparing_all_pairs(seed: int, keep: Keep) -> None:
    """Chains of edits: each text is one of the texts before it with a few words changed, so that pairs of all
    similarities about the threshold occur, and neighbours are not a component."""
    rng = random.Random(seed)
    texts = [rng.choices(WORDS, k=60) for _ in range(6)]
    for _ in range(60):
        words = list(rng.choice(texts))
        for place in rng.sample(range(60), rng.choice([1, 3, 6])):
            words[place] = rng.choice(WORDS)
        texts.append(words)
    docs = documents(map(" ".join, texts))
    rule = Near(ngram=1, threshold=0.9, bands=40, rows=4, keep=keep)
    expected = reference(docs, rule)
    assert 10 < len(expected) < 60
    assert expected != reference(
        docs, rule.model_copy(update={"keep": "component" if keep != "component" else "neighbours"})
    )
    for shape in SHAPES:
        assert gone(docs, rule, shape) == expected


@pytest.mark.parametrize(("shared", "threshold"), [(8, 0.8), (7, 0.8), (80, 0.8), (79, 0.8), (100, 1.0)])
def test_a_pair_that_just_reaches_the_threshold(shared: int, threshold: float) -> None:
    """One set is part of the other, of 10 or 100 words: no estimate, and no rounding."""
    words = [f"word{i}" for i in range(10 if shared < 10 else 100)]
    docs = documents([" ".join(words), " ".join(words[:shared])])
    found = gone(docs, Near(ngram=1, threshold=threshold, bands=50, rows=1))
    assert len(found) == (shared / len(words) >= threshold)


def with_own_words(count: int, common: int, own: int, seed: int = 3) -> list[list[str]]:
    """Texts of `common` words that are the same in all, and `own` that no other has; one shingle is one word."""
    rng = random.Random(seed)
    boilerplate = [f"b{i}" for i in range(common)]
    return [[*boilerplate, *(f"o{rng.getrandbits(40)}" for _ in range(own))] for _ in range(count)]


def test_boilerplate_does_not_glue_a_source_together() -> None:
    """Every pair has similarity 0.698, and 100 texts have a copy of similarity 0.9."""
    texts = with_own_words(1500, common=411, own=89)
    rule = Near(ngram=1)
    docs = documents(map(" ".join, texts))
    assert gone(docs, rule, SHAPES[1]) == set()
    copies = [[*text[:-26], *(f"c{i}x{n}" for n in range(26))] for i, text in enumerate(texts[:100])]
    docs = documents(map(" ".join, texts + copies))
    pairs = [(docs[i].id, docs[1500 + i].id) for i in range(100)]
    assert gone(docs, rule, SHAPES[1]) == {max(pair, key=order) for pair in pairs}


def test_shingles_that_the_best_one_lacks_find_what_boilerplate_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pair has similarity 0.78, and 100 texts have a copy of similarity 0.85."""
    texts = with_own_words(1500, common=438, own=62)
    copies = [[*text[:-40], *(f"c{i}x{n}" for n in range(40))] for i, text in enumerate(texts[:100])]
    docs = documents(map(" ".join, texts + copies))
    expected = {max(docs[i].id, docs[1500 + i].id, key=order) for i in range(100)}
    found = gone(docs, Near(ngram=1), SHAPES[1])
    assert found <= expected
    assert len(found) >= 98
    monkeypatch.setattr(verification, "DIFFERENCES", 0)
    assert len(gone(docs, Near(ngram=1), SHAPES[1])) < 90


def test_a_crowded_bucket_of_texts_below_the_threshold() -> None:
    """Every pair has similarity 0.95, at a threshold of 0.97."""
    docs = documents(map(" ".join, with_own_words(1000, common=487, own=13)))
    assert gone(docs, Near(ngram=1, threshold=0.97), SHAPES[1]) == set()


@pytest.mark.parametrize("keep", ["neighbours", "component"])
def test_many_copies_of_one_text(keep: Keep) -> None:
    docs = documents(["a b c d e f g h"] * 200 + ["i j k l m n"] * 3)
    kept = {min((d.id for d in some), key=order) for some in (docs[:200], docs[200:])}
    for shape in SHAPES:
        assert gone(docs, Near(keep=keep), shape) == {d.id for d in docs} - kept


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
    assert gone(docs, Near()) == {max((docs[i].id, docs[i + 20].id), key=order) for i in range(20)}


def test_priority_beats_the_hash_of_the_id() -> None:
    parts = [[document_batch([Document(f"s:{i}", clusters(1, 1, 0)[0], Origin("f"))], "s")] for i in range(2)]
    for priorities in ((0, 1), (1, 0), (300, 299)):
        refs = [PartRef(index, priority) for index, priority in enumerate(priorities)]
        assert set(decide(Near(), refs, parts, SHAPES[0])) == {priorities.index(max(priorities))}


def test_bands_and_rows_go_together() -> None:
    with pytest.raises(ValidationError, match="set both"):
        Near(bands=3)
    assert Near().banding() == (16, 7)
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
    for keep in get_args(Keep):
        assert gone(docs, Near(keep=keep), SHAPES[1]) == {max(pair, key=order) for pair in truth}


def test_decisions_name_the_partner_and_the_similarity() -> None:
    texts = ["a b c d e f", "g", "a b c d e f g", "a b c d e f g"]
    parts = [[document_batch([Document(f"s:{i}", text, Origin("f"))], "s")] for i, text in enumerate(texts)]
    refs = [PartRef(index, priority=index) for index in range(4)]
    found = decide(Near(ngram=1, bands=30, rows=1), refs, parts, SHAPES[2])
    assert {part: table.to_pylist() for part, table in found.items()} == {
        part: [{"row": 0, "partner": "s:0", "partner_part": 0, "partner_row": 0, "score": np.float32(6 / 7)}]
        for part in (2, 3)
    }


def test_what_is_shipped_is_as_it_is_said_where_a_fifth_of_all_are_copies() -> None:
    """Texts of 346 shingles; two thirds of the edits have a similarity of 0.95, the others one below the threshold."""
    rng = random.Random(1)
    texts = [" ".join(rng.choices(WORDS, k=350)) for _ in range(400)]
    for changed in (2, 2, 12):
        texts += [" ".join(edited(rng.choice(texts[:400]), changed, rng)) for _ in range(40)]
    docs = documents(texts)
    parts = [[document_batch(docs[i::4], "s")] for i in range(4)]
    shipped: list[int] = []
    gone = decide(Near(), [PartRef(i) for i in range(4)], parts, (4, 0, 4, 0), shipped)
    assert 60 < sum(table.num_rows for table in gone.values()) < 110
    said = Near().shipped(len(docs), sum(len(d.text) for d in docs))
    assert 0.5 * said < sum(shipped) < 1.5 * said


def edited(text: str, changed: int, rng: random.Random) -> list[str]:
    words = text.split()
    for place in rng.sample(range(len(words)), changed):
        words[place] = "changed"
    return words


def test_bytes_of_a_document_as_they_are_said() -> None:
    """12 bytes for each of 16 bands."""
    docs = documents(clusters(500, 1, 0))
    blocks = [block for _, block in Near().sign(PartRef(0), iter([document_batch(docs, "s")]), 4)]
    assert 192 <= sum(block.nbytes for block in blocks) / 500 < 193
