"""Repeated passages, by the definition: window by window in plain Python."""

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus.dedup import copies, winnowing
from corpus.dedup.substring import Substring
from corpus.dedup.winnowing import Unit
from corpus.rules import PartRef
from corpus.schema import Document, Origin, document_batch
from tests.corpus.dedup.driver import SHAPES, Shape, decide, documents, run

Found = dict[str, list[tuple[int, int]]]
"""Of each document, by its id, the spans of bytes that are repeated."""


def order(document: Document) -> int:
    return xxhash.xxh64_intdigest(document.id.encode())


def expected(docs: Sequence[Document], length: int, unit: Unit = "bytes") -> Found:
    """Documents in the order in which their copies compete."""
    first: dict[str | bytes, tuple[str, int]] = {}
    found: Found = {}
    for document in docs:
        text = document.text.encode() if unit == "bytes" else document.text
        covered = bytearray(len(text))
        for start in range(len(text) - length + 1):
            owner, place = first.setdefault(text[start : start + length], (document.id, start))
            if owner != document.id or start - place >= length:
                covered[start : start + length] = b"\1" * length
        at, unit_at = 0, 0
        spans: list[tuple[int, int]] = []
        for character in document.text:
            size, units = len(character.encode()), len(character.encode()) if unit == "bytes" else 1
            if all(covered[unit_at : unit_at + units]):
                begin = spans.pop()[0] if spans and spans[-1][1] == at else at
                spans.append((begin, at + size))
            at, unit_at = at + size, unit_at + units
        if spans:
            found[document.id] = spans
    return found


def found_by(rule: Substring, docs: Sequence[Document], shape: Shape = SHAPES[0], shipped: Any = None) -> Found:
    """Documents are dealt to the parts as they come."""
    count, rows = shape[0], shape[1] or 4000
    dealt = [docs[n::count] for n in range(count)]
    parts = [[document_batch(some[at : at + rows], "s") for at in range(0, len(some), rows)] for some in dealt]
    tables = decide(rule, [PartRef(n) for n in range(count)], parts, shape, shipped)
    found: Found = {}
    for part, table in tables.items():
        assert table.schema == pa.schema([("row", pa.uint32()), ("start", pa.uint32()), ("end", pa.uint32())])
        for row, start, end in zip(*(column.to_pylist() for column in table.columns), strict=True):
            found.setdefault(dealt[part][row].id, []).append((start, end))
    return {id: sorted(spans) for id, spans in found.items()}


@st.composite
def corpora(draw: st.DrawFn) -> list[str]:
    """Texts of few letters: passages that come again, whole, from within and beside each other, and periodic ones."""
    letters = draw(st.sampled_from(["ab", "abcdefgh", "aé", "aé€😀"]))
    pool = [draw(st.text(letters, min_size=1, max_size=60))]
    texts = []
    for _ in range(draw(st.integers(1, 8))):
        text = ""
        for _ in range(draw(st.integers(0, 6))):
            old = draw(st.sampled_from(pool))
            match draw(st.integers(0, 3)):
                case 0:
                    new = draw(st.text(letters, max_size=60))
                case 1:
                    new = draw(st.text(letters, min_size=1, max_size=5)) * draw(st.integers(1, 30))
                case 2:
                    new = old
                case _:
                    new = old[draw(st.integers(0, len(old))) :][: draw(st.integers(0, len(old)))]
            pool.append(new)
            text += new
        texts.append(text)
    return texts


AS_THEY_ARE = {"MOST_TEXT": copies.MOST_TEXT}
limits = st.sampled_from([AS_THEY_ARE, {"MOST_TEXT": 1}, {"MOST_TEXT": 100, "HOLD_ROWS": 50, "HOLD_BYTES": 100}])
"""All of a k-gram's windows by their text, by hashes, or some so and some so; a part's rows in one message or many."""


@given(corpora(), st.integers(1, 50), st.sampled_from(["bytes", "characters"]), st.sampled_from(SHAPES), limits)
def test_every_passage_and_nothing_else(
    texts: list[str], length: int, unit: Unit, shape: Shape, limits: dict[str, int]
) -> None:
    docs = documents(texts)
    rule = Substring(length=length, unit=unit)
    with patch.multiple(copies, **limits), patch.object(winnowing, "_ROOM", len(limits)):
        assert found_by(rule, docs, shape) == expected(sorted(docs, key=order), length, unit)


def test_by_a_suffix_array_of_two_editions(shared_data: Path) -> None:
    """Frankenstein in two editions, other lines and other characters in some places, with its own suffixes sorted."""
    folder = shared_data / "gutenberg" / "Frankenstein_84"
    texts = [(folder / name).read_text("utf-8", "replace")[:120_000] for name in ("84.txt", "old/frank15.txt")]
    docs = sorted(
        documents([text[at : at + 20_000] for text in texts for at in range(0, len(text), 20_000)]), key=order
    )
    length, body, starts = 100, b"", []
    for document in docs:
        starts.append(len(body))
        body += document.text.encode() + b"\xff"
    owner = [n for n, (start, end) in enumerate(pairwise([*starts, len(body)])) for _ in range(start, end)]
    suffixes = sorted(
        (place for place in range(len(body)) if b"\xff" not in body[place : place + length]),
        key=lambda place: (body[place : place + length], place),
    )
    covered = bytearray(len(body))
    first = -1
    for before, place in pairwise([-1, *suffixes]):
        if before < 0 or body[before : before + length] != body[place : place + length]:
            first = place
        if owner[first] != owner[place] or place - first >= length:
            covered[place : place + length] = b"\1" * length
    found = found_by(Substring(length=length), docs, SHAPES[1])
    size = 0
    for document, start in zip(docs, starts, strict=True):
        text = document.text.encode()
        ours = bytearray(len(text))
        for begin, end in found.get(document.id, []):
            text[begin:end].decode()  # whole characters
            ours[begin:end] = b"\1" * (end - begin)
        size += sum(ours)
        theirs = covered[start : start + len(text)]
        apart = [n for n in range(len(text)) if ours[n] != theirs[n]]
        assert all(text[n] >= 0x80 for n in apart)
    assert size > 60_000


@pytest.mark.parametrize("shape", SHAPES)
def test_an_earlier_source_keeps_its_copy(shape: Shape) -> None:
    passage = "".join(random.Random(1).choices("abcdef", k=600))
    parts = [[document_batch([Document(f"s:{n}", f"{n}{passage}{n}", Origin("f"))], "s")] for n in range(4)]
    for priorities in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 300, 0, 1)):
        refs = [PartRef(n, priority) for n, priority in enumerate(priorities)]
        found = decide(Substring(), refs, parts, shape)
        assert {part: table.to_pylist() for part, table in found.items()} == {
            part: [{"row": 0, "start": 1, "end": 601}] for part in range(4) if priorities[part]
        }


def test_one_unit_decides() -> None:
    passage = "".join(random.Random(1).choices("abcdef", k=500))
    for size, found in ((499, {}), (500, 1)):
        docs = documents([f"1{passage[:size]}2", f"3{passage[:size]}4"])
        last = max(docs, key=order).id
        assert found_by(Substring(), docs) == (found and {last: [(1, 501)]})
    docs = documents([f"1{passage[:100]}", f"2{passage[:100]}"])
    assert len(found_by(Substring(length=100, unit="characters"), docs)) == 1


@pytest.mark.parametrize("limits", [AS_THEY_ARE, {"MOST_TEXT": 1000}])
def test_a_passage_in_many_documents(limits: dict[str, int]) -> None:
    """Each stands between other texts, so that its edges differ: by text, and by hashes of the windows."""
    rng = random.Random(2)
    passage = "".join(rng.choices("abcdefgh", k=300))
    docs = documents(
        "".join(rng.choices("ijklmno", k=70)) + passage + "".join(rng.choices("ijklmno", k=70)) for _ in range(60)
    )
    rule = Substring(length=100)
    sent: list[Any] = []
    hashed = copies.Finder._hashed
    spy = lambda self, *given: sent.append(len(given[1]["row"])) or hashed(self, *given)  # noqa: E731
    with patch.multiple(copies, **limits), patch.object(copies.Finder, "_hashed", spy):
        assert found_by(rule, docs, SHAPES[1]) == expected(sorted(docs, key=order), 100)
    assert (sum(sent) > 0) == (limits != AS_THEY_ARE)


@pytest.mark.parametrize("text", ["a" * 4000, "ab" * 4000, "abc" * 4000, "a" * 4000 + "b" * 4000])
def test_what_is_sent_does_not_grow_with_a_text_that_repeats_itself(text: str) -> None:
    """Nor, by more than the span that names each, with the number of texts that are equal."""
    sizes = []
    for docs in (documents([text]), documents([text * 10]), documents([text] * 100)):
        shipped: list[int] = []
        found = found_by(Substring(length=50), docs, shipped=shipped)
        assert found == expected(sorted(docs, key=order), 50)
        sizes.append(sum(shipped))
    assert sizes[1] < 2 * sizes[0] + 1000
    assert sizes[2] < 2 * sizes[0] + 100 * 100


def test_a_block_over_and_over() -> None:
    block = "".join(random.Random(3).choices("abcdefgh \n", k=1024))
    found = found_by(Substring(), documents([block * 300]))
    assert found == {"s:0": [(1024, 300 * 1024)]}
    found = found_by(Substring(), documents([block] * 300), SHAPES[1])
    assert len(found) == 299
    assert all(spans == [(0, 1024)] for spans in found.values())


TEXTS = ["one two three", "é two", " two\n", "", "  ", "four"]
DECISIONS = pa.table(
    {
        "row": pa.array([2, 0, 1, 0, 12], pa.uint32()),  # in no order; row 12 is another batch's
        "start": pa.array([1, 8, 3, 3, 0], pa.uint32()),
        "end": pa.array([4, 13, 6, 7, 2], pa.uint32()),
    }
)


def applied(rule: Substring, decisions: pa.Table | None = DECISIONS) -> list[tuple[str | None, str]]:
    """(reason, text) of each; what is repeated is counted whatever is done with it."""
    cleaned = rule.apply(document_batch(documents(TEXTS), "s"), 0, decisions)
    assert cleaned.counts is not None
    spans, size = ([2, 1, 1, 0, 0, 0], [9, 3, 3, 0, 0, 0]) if decisions else ([0] * 6, [0] * 6)
    assert cleaned.counts.to_pydict() == {"spans": spans, "bytes": size}
    return list(zip(cleaned.reason.to_pylist(), cleaned.text.to_pylist(), strict=True))


STAY = [(None, text) for text in TEXTS]


def test_cut_joins_what_is_left_and_drops_what_is_bare() -> None:
    """Of the first text "one" and the blank between two passages are left; who had no text before does not go."""
    assert applied(Substring()) == [(None, "one "), (None, "é "), ("nothing_left", " \n"), *STAY[3:]]
    assert applied(Substring(), None) == STAY


def test_drop_counts_bytes_and_cuts_nothing() -> None:
    """Shares of 9/13, 3/6 and 3/5."""
    gone = [("repeated", text) for text in TEXTS]
    assert applied(Substring(action="drop")) == [gone[0], STAY[1], gone[2], *STAY[3:]]
    assert applied(Substring(action="drop", max_share=0.6)) == [gone[0], *STAY[1:]]
    assert applied(Substring(action="drop", max_share=0)) == [*gone[:3], *STAY[3:]]


def test_report_changes_nothing() -> None:
    assert applied(Substring(action="report")) == STAY


def test_rows_count_from_the_first_of_the_batch() -> None:
    cleaned = Substring().apply(document_batch(documents(["eleven", "twelve"]), "s"), 11, DECISIONS)
    assert cleaned.text.to_pylist() == ["eleven", "elve"]


def test_one_copy_stays_through_all_of_it() -> None:
    passage = "".join(random.Random(4).choices("abcdefgh", k=600))
    docs = documents([f"{n} {passage} {n}" for n in range(9)])
    result = run(Substring(), docs, SHAPES[1])
    assert sorted(len(text) for _, text, _ in result.values()) == [2] * 8 + [604]


def generated(length: int, share: float) -> list[str]:
    """Texts of 24 times the length; of a share of them a third is a passage of another one."""
    rng = random.Random(5)
    texts = ["".join(rng.choices("abcdefghijklm nopqrstuvwxyz", k=24 * length)) for _ in range(100)]
    for n in range(round(100 * share)):
        texts[n] = texts[n][: 8 * length] + texts[-1 - n][4 * length : 12 * length] + texts[n][: -8 * length - 1 : -1]
    return texts


@pytest.mark.parametrize("length", [100, 500])
def test_estimate_is_honest(length: int) -> None:
    rule = Substring(length=length)
    docs = [document_batch(documents(generated(length, 0)), "s")]
    given = sum(block.nbytes for _, block in rule.sign(PartRef(0), iter(docs), 4))
    assert given / 2 <= rule.estimate(100, docs[0]["text"].nbytes) <= given * 2


@pytest.mark.parametrize("length", [100, 500])
def test_what_is_shipped_is_as_it_is_said_where_a_tenth_is_repeated(length: int) -> None:
    texts = generated(length, 0.3)
    shipped: list[int] = []
    found = found_by(Substring(length=length), documents(texts), (4, 0, 4, 0), shipped)
    size = sum(map(len, texts))
    assert sum(end - start for spans in found.values() for start, end in spans) == pytest.approx(0.1 * size, rel=0.05)
    assert sum(shipped) == pytest.approx(Substring(length=length).shipped(100, size), rel=0.3)


def test_settings_that_cannot_be() -> None:
    for settings in ({"length": 0}, {"length": 10_001}, {"unit": "tokens"}, {"action": "remove"}, {"max_share": 1.0}):
        with pytest.raises(ValidationError, match=next(iter(settings))):
            Substring(**settings)
