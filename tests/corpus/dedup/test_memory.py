"""Documents in snapshots, each compared with what is kept of those before: as all at once, older ones first."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus.dedup import verification
from corpus.dedup.exact import Exact
from corpus.dedup.lines import Lines
from corpus.dedup.minhash import set_signatures, signatures
from corpus.dedup.near import Near
from corpus.dedup.overlap import Overlap
from corpus.dedup.sets import decode_sets, encode_sets, shingle_sets
from corpus.rules import Cleaned, Dedup, PartRef
from corpus.schema import Document, Origin, document_batch
from corpus.text.buffers import text_buffers
from tests.corpus.dedup.driver import SHAPES, Shape, decide, kept_of

Part = list[pa.RecordBatch]


def parts_of(snapshot: Sequence[Document], count: int, rows: int) -> list[Part]:
    dealt = [snapshot[i::count] for i in range(count)]
    return [[document_batch(part[i : i + rows], "s") for i in range(0, len(part), rows)] for part in dealt]


def results(rule: Dedup, part: Part, decisions: pa.Table | None) -> list[tuple]:
    """(reason, text, kept lines) of each document of a part."""
    found, row = [], 0
    for batch in part:
        cleaned: Cleaned = rule.apply(batch, row, decisions)
        row += batch.num_rows
        lines = [None] * batch.num_rows if cleaned.kept_lines is None else cleaned.kept_lines.to_pylist()
        found += [
            (reason, None if reason else text, None if reason else kept)
            for reason, text, kept in zip(cleaned.reason.to_pylist(), cleaned.text.to_pylist(), lines, strict=True)
        ]
    return found


def check(rule: Dedup, snapshots: Sequence[Sequence[Document]], shape: Shape) -> list[int]:
    """Compares; returns how many documents went from each snapshot."""
    dealt = [parts_of(snapshot, 1 + (shape[0] + n) % 4, shape[1]) for n, snapshot in enumerate(snapshots)]
    refs = [PartRef(0, age, group=f"{age}") for age, parts in enumerate(dealt) for _ in parts]
    refs = [PartRef(i, ref.priority, ref.group) for i, ref in enumerate(refs)]
    every = [part for parts in dealt for part in parts]
    together = decide(rule, refs, every, shape)
    held: list[Part] = []
    gone = []
    for parts in dealt:
        before = len(held)
        own = refs[before : before + len(parts)]
        seen = [replace(ref, kept=True) for ref in refs[:before]]
        decisions = decide(rule, seen + own, held + parts, shape)
        counts = 0
        for ref, part in zip(own, parts, strict=True):
            found = results(rule, part, decisions.get(ref.index))
            assert found == results(rule, part, together.get(ref.index))
            assert same(decisions.get(ref.index), together.get(ref.index))
            counts += sum(reason is not None for reason, _, _ in found)
        held += [kept_of(rule, ref, part, decisions.get(ref.index)) for ref, part in zip(own, parts, strict=True)]
        gone.append(counts)
    return gone


def same(one: pa.Table | None, other: pa.Table | None) -> bool:
    """As they are written: sorted by all columns."""
    if one is None or other is None:
        return one is other
    order = [(name, "ascending") for name in one.schema.names]
    return bool(one.sort_by(order).equals(other.sort_by(order)))


def snapshots_of(texts: Sequence[Sequence[str]]) -> list[list[Document]]:
    return [
        [
            Document(f"s:{age}:{i}", text, Origin("f"), url=None if len(text) % 7 == 0 else text[:3])
            for i, text in enumerate(some)
        ]
        for age, some in enumerate(texts)
    ]


LINES = ["", "a", "A ", "b", "c 1", "c 2", "\u00e9\u00e8", "a long line"]
texts = st.lists(st.sampled_from(LINES), max_size=4).map("\n".join)


@pytest.mark.parametrize(
    "rule",
    [
        Exact(),
        Exact(on="url"),
        Exact(on="normalized"),
        Lines(keep="first", min_chars=2),
        Lines(keep="first", min_chars=0, normalize="none", order="url"),
    ],
    ids=["text", "url", "normalized", "lines", "lines as they are"],
)
@given(st.lists(st.lists(texts, max_size=8), min_size=1, max_size=4), st.sampled_from(SHAPES))
def test_one_after_another_is_all_at_once(rule: Dedup, drawn: list[list[str]], shape: Shape) -> None:
    check(rule, snapshots_of(drawn), shape)


def edited_texts(seed: int) -> list[list[str]]:
    """Three to five snapshots of edits of edits of a few texts, and of texts with much in common and something of their
    own, which crowd a bucket: some of these are a text of an earlier snapshot with a few words changed."""
    rng = random.Random(seed)
    words = [f"word{n}" for n in range(2000)]
    texts = [rng.choices(words, k=60) for _ in range(4)]
    shared = rng.choices(words, k=rng.choice([40, 50]))
    crowd = [[*shared, *rng.choices(words, k=10)]]
    snapshots = []
    for _ in range(rng.randint(3, 5)):
        some = []
        for _ in range(rng.randint(5, 40)):
            family = rng.choice([texts, crowd])
            if family is crowd and rng.random() < 0.6:
                text = [*shared, *rng.choices(words, k=10)]
            else:
                text = list(rng.choice(family))
                for place in rng.sample(range(len(text)), rng.choice([0, 1, 3, 6])):
                    text[place] = rng.choice(words)
            family.append(text)
            some.append(" ".join(text))
        snapshots.append([*some, "", "..."])
    return snapshots


@pytest.mark.parametrize(
    "rule",
    [Near(ngram=1), Near(ngram=1, threshold=0.9, bands=40, rows=4), Near(ngram=2, prefer="longest")],
    ids=["default", "many bands", "longest"],
)
@pytest.mark.parametrize("seed", range(4))
def test_near_duplicates_one_snapshot_after_another(rule: Near, seed: int) -> None:
    gone = check(rule, snapshots_of(edited_texts(seed)), SHAPES[1 + seed % 2])
    assert min(gone[1:]) > 0


def test_copies_that_boilerplate_of_an_earlier_snapshot_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pair has similarity 0.78; 40 texts have a copy of 0.85 in the next snapshot, and some of these pairs are
    found only by what both have beside the boilerplate."""
    rng = random.Random(3)
    boilerplate = [f"b{n}" for n in range(438)]
    first = [[*boilerplate, *(f"o{rng.getrandbits(40)}" for _ in range(62))] for _ in range(250)]
    copies = [[*text[:-40], *(f"c{n}x{m}" for m in range(40))] for n, text in enumerate(first[:40])]
    snapshots = snapshots_of([[" ".join(text) for text in some] for some in (first, copies)])
    gone = check(Near(ngram=1), snapshots, SHAPES[1])
    assert gone[0] == 0
    monkeypatch.setattr(verification, "DIFFERENCES", 0)
    assert check(Near(ngram=1), snapshots, SHAPES[1])[1] < gone[1] <= 40


def test_the_signature_of_a_set_is_that_of_its_text() -> None:
    texts = pa.array([*(text for some in edited_texts(0) for text in some), "one two", ""], pa.large_string())
    encoded = encode_sets(*shingle_sets(*text_buffers(texts), 2))
    for some, rows in (
        (encoded, slice(None)),
        (encoded.slice(3, 20), slice(3, 23)),
        (encoded.slice(5, 0), slice(0, 0)),
    ):
        elements, ends = decode_sets(some)
        found, counts = signatures(*text_buffers(texts), 2, 112)
        assert (set_signatures(elements, ends, 112) == found[rows]).all()
        assert ((np.diff(ends) > 0) == (counts[rows] > 0)).all()


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (Overlap, "can make an n-gram too frequent to count"),
        (Lines, "would have to go from the earlier one too"),
        (partial(Near, keep="component"), "can join two that stayed"),
    ],
)
def test_what_cannot_be_exact_says_why(rule: Callable[..., Dedup], why: str) -> None:
    for setting in ("against", "index"):
        with pytest.raises(ValidationError, match=f"no index can be kept: .*{why}"):
            rule(**{setting: "folder"})


def test_the_index_of_a_step_is_another_one() -> None:
    with pytest.raises(ValidationError, match="`index` is the folder of `against`, same: name another one"):
        Exact(against="same", index="same")


def test_an_index_is_no_setting_of_the_result() -> None:
    assert Exact(against="one", index="two").model_dump() == Exact().model_dump()
