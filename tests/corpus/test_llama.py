"""The numbers of the paper fit each other."""

import pytest

from corpus.llama import BYTES_PER_TOKEN, TABLE_1, TOKENS
from corpus.registry import sources


def test_table_1_has_a_row_for_each_source_of_the_paper() -> None:
    assert set(TABLE_1) <= {source.name for source in sources()}
    assert sum(float(row.share.rstrip("%")) for row in TABLE_1.values()) == pytest.approx(100)


def test_disk_sizes_and_epochs_give_the_tokens() -> None:
    """Tokens of one epoch x epochs are the 1.4T of the paper's training."""
    unique = {name: row.disk_bytes / row.bytes_per_token for name, row in TABLE_1.items()}
    assert sum(unique[name] * float(row.epochs) for name, row in TABLE_1.items()) == pytest.approx(TOKENS)
    assert sum(row.disk_bytes for row in TABLE_1.values()) / sum(unique.values()) == pytest.approx(BYTES_PER_TOKEN)
    assert TABLE_1["c4"].bytes_per_token == pytest.approx(783e9 * 1.06 / (0.15 * 1.4e12))
    assert all(2.5 < row.bytes_per_token < 4.2 for row in TABLE_1.values())  # as of text in a vocabulary of 32,000
