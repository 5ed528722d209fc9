"""A hash table that kernels read."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.hash_table import slot_of, table

KEYS = st.integers(1, 40) | st.integers(1, 2**64 - 1) | st.integers(1, 40).map(lambda key: key << 32)  # many collide


@given(st.dictionaries(KEYS, st.integers(-9, 9), max_size=30), st.lists(KEYS))
def test_every_key_gives_its_value(values: dict[int, int], others: list[int]) -> None:
    made = table(np.array([*values], np.uint64), np.array([*values.values()], np.int32))
    found = {key: int(slot_of(made.keys, np.uint64(key))) for key in (*values, *others)}
    assert all((slot >= 0) == (key in values) for key, slot in found.items())
    assert {key: int(made.values[found[key]]) for key in values} == values
    assert len(made.keys) >= 2 * len(values)
    assert len(made.keys).bit_count() == 1
