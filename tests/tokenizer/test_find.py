"""Tokens and sequences of documents: the way of `tokenizer.trace` backwards."""

from pathlib import Path

import numpy as np
import pytest

from tests.tokenizer.token_folders import manifest_of, write_folder, write_run
from tokenizer.find import find_tokens, sequences_with
from tokenizer.index import read_index
from tokenizer.reader import TokenReader
from tokenizer.shards import Shard


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_run(str(tmp_path_factory.mktemp("find")))


def test_every_sequence_of_every_document(manifest: str) -> None:
    """Documents of no token, of one, over several sequences and shards; epochs of 2.5 and of a fraction."""
    reader = TokenReader(manifest)
    held: dict[tuple[str, str, int], set[int]] = {}
    for k in range(reader.sequences):
        trace = reader.trace(k)
        for span in trace.spans:
            held.setdefault((trace.source, span.shard, span.row), set()).add(k)
    for number, source in enumerate(reader.mixture.sources):
        position = 0
        for entry in read_index(source.folder).shards:
            path = f"{source.folder}/{entry.name}"
            sizes = np.diff(Shard(path).document_offsets.astype(np.int64)).tolist()
            for row, size in enumerate(sizes):
                found = sequences_with(reader.mixture, number, position, size).tolist()
                assert found == sorted(held.get((source.name, path, row), ()))
                position += size


def test_where_documents_lie(tmp_path: Path) -> None:
    folder = write_folder(str(tmp_path / "tokens"), [[3, 0, 5], [], [4]], [[2, 6]])
    shard = [f"{folder}/shard-0000{n}.tok" for n in range(3)]
    found = list(find_tokens(folder, [(0, 2), (0, 1), (0, 9), (7, 0), (0, 0)]))  # all shards are of part 0 here
    assert [(one.row, one.shard, one.first, one.count, one.position) for one in found] == [
        (0, shard[0], 0, 3, 0),
        (1, shard[0], 3, 0, 3),
        (2, shard[0], 3, 5, 3),
        (0, shard[2], 0, 4, 8),
        (0, f"{folder}/heldout/shard-00000.tok", 0, 2, None),
        (1, f"{folder}/heldout/shard-00000.tok", 2, 6, None),
    ]
    assert list(find_tokens(folder, [])) == []


def test_a_document_in_the_tail_that_fills_no_sequence(tmp_path: Path) -> None:
    folder = write_folder(str(tmp_path / "tokens"), [[40, 3]])
    mixture = TokenReader(manifest_of(str(tmp_path), {"a": folder}, {"a": "1"}, length=16)).mixture
    assert mixture.available == (2,)
    assert sequences_with(mixture, 0, 40, 3).tolist() == []
    both = set(sequences_with(mixture, 0, 0, 40).tolist())
    assert both == set(range(mixture.sequences))
    first = set(sequences_with(mixture, 0, 0, 1).tolist())
    last_label = set(sequences_with(mixture, 0, 32, 1).tolist())
    assert first | last_label == both
    assert set(sequences_with(mixture, 0, 16, 1).tolist()) == both  # a label of one, the first token of the other
