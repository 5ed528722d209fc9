"""Messages: every row arrives once where it was sent, with its sender, through what a spill file does to a block."""

import random

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.messages import SENDER, receive, send
from corpus.steps.spill import decode_block, encode_block, gather

rows = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2**32 - 1), st.booleans(), st.binary(max_size=3)), max_size=8
)
Rows = list[tuple[int, int, bool, bytes]]


def tables(one: Rows, two: Rows) -> dict[str, tuple[np.ndarray, pa.RecordBatch]]:
    numbers = pa.RecordBatch.from_arrays(
        [pa.array([r[1] for r in one], pa.uint32()), pa.array([r[2] for r in one], pa.bool_())],
        names=["number", "flag"],
    )
    bodies = pa.RecordBatch.from_arrays([pa.array([r[3] for r in two], pa.large_binary())], names=["body"])
    to = [np.array([r[0] for r in some], np.int64) for some in (one, two)]
    return {"one": (to[0], numbers), "two": (to[1], bodies)}


@given(st.lists(st.tuples(rows, rows), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_every_row_arrives_once(senders: list[tuple[Rows, Rows]], order: random.Random) -> None:
    held: dict[int, list[pa.RecordBatch]] = {}
    for sender, (one, two) in enumerate(senders):
        for part, block in gather(send(sender, tables(one, two)), 6):
            held.setdefault(part, []).append(decode_block(encode_block(block)))
    numbers: list[tuple[int, int, int, bool]] = []
    bodies: list[tuple[int, int, bytes]] = []
    for part, blocks in held.items():
        order.shuffle(blocks)
        first, second = receive(blocks, "one"), receive(blocks, "two")
        assert (first["number"].dtype, first["flag"].dtype) == (np.uint32, np.bool_)
        columns = (first[SENDER].tolist(), first["number"].tolist(), first["flag"].tolist())
        numbers += [(sender, part, number, flag) for sender, number, flag in zip(*columns, strict=True)]
        columns = (second[SENDER].tolist(), second["body"].to_pylist())
        bodies += [(sender, part, body) for sender, body in zip(*columns, strict=True)]
    assert sorted(numbers) == sorted((s, r[0], r[1], r[2]) for s, (one, _) in enumerate(senders) for r in one)
    assert sorted(bodies) == sorted((s, r[0], r[3]) for s, (_, two) in enumerate(senders) for r in two)


def test_empty_tables_and_senders_cost_nothing_beside_the_rows() -> None:
    one = [(n % 2, n, False, b"") for n in range(1000)]
    blocks = list(gather(send(3, tables(one, [])), 2))
    assert [part for part, _ in blocks] == [0, 1]
    assert sum(block.nbytes for _, block in blocks) < 1000 * 4 + 1000 / 8 + 200
