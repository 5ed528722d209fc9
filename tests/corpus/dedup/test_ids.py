"""Ids that come twice: against plain Python."""

import random
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.ids import BYTES_PER_DOCUMENT, decide_ids, sign_ids
from corpus.schema import Document, Origin, document_batch
from corpus.steps.spill import gather

Decided = dict[tuple[int, int], bool]
"""(part, row) -> whether it is dropped, of those whose id an earlier one has."""


def batches(rows: list[tuple[str, str]], size: int) -> Iterator[pa.RecordBatch]:
    documents = [Document(id, text, Origin("f")) for id, text in rows]
    return (document_batch(documents[i : i + size], "s") for i in range(0, len(documents), size))


def decide(parts: list[list[tuple[str, str]]], partitions: int, and_text: bool, seed: int) -> Decided:
    blocks = [
        block
        for part, rows in enumerate(parts)
        for block in gather(sign_ids(part, batches(rows, 3), partitions, and_text), partitions)
    ]
    random.Random(seed).shuffle(blocks)
    found: Decided = {}
    for partition in range(partitions):
        held = [block for key, block in blocks if key == partition]
        for part, block in gather(decide_ids(held, len(parts)) if held else (), len(parts)):
            assert block.schema.names == ["row", "drop"]
            for row in block.to_pylist():
                assert (part, row["row"]) not in found
                found[part, row["row"]] = row["drop"]
    return found


PARTS = st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x", "y"])), max_size=8), max_size=4)


@given(PARTS, st.integers(1, 5), st.integers(0, 9), st.booleans())
def test_the_first_of_an_id_stays_and_the_others_as_their_texts_say(
    parts: list[list[tuple[str, str]]], partitions: int, seed: int, and_text: bool
) -> None:
    expected: Decided = {}
    ids: set[str] = set()
    documents: set[tuple[str, str]] = set()
    for part, rows in enumerate(parts):
        for row, (id, text) in enumerate(rows):
            if id in ids:
                expected[part, row] = not and_text or (id, text) in documents
            ids.add(id)
            documents.add((id, text))
    assert decide(parts, partitions, and_text, seed) == expected


@pytest.mark.parametrize("and_text", [False, True])
def test_a_signature_has_the_bytes_that_are_counted_on(and_text: bool) -> None:
    rows = [(str(n), "text") for n in range(1000)]
    given = sum(block.nbytes for _, block in sign_ids(0, batches(rows, 100), 4, and_text))
    assert given == 1000 * (BYTES_PER_DOCUMENT + 8 * and_text)


def test_rows_count_from_the_beginning_of_the_part() -> None:
    rows = [(str(n % 7), "") for n in range(20)]
    found = decide([rows], 3, False, 0)
    assert np.array_equal(sorted(row for _, row in found), np.arange(7, 20))
