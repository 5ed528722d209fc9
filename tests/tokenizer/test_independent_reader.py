"""docs/tokens.md says enough to write a reader: `independent_reader` is one."""

import ast
from pathlib import Path

import numpy as np
import pytest

from tests.tokenizer import independent_reader
from tests.tokenizer.folders import HELD, run, write_parts
from tests.tokenizer.independent_reader import is_held_out, read_index, read_sequences, read_shard
from tokenizer.mixture import make_mixture, write_manifest
from tokenizer.reader import TokenReader
from tokenizer.shards import BLOCK_BYTES, Shard, ShardHeader, ShardWriter


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, model_path: str) -> Path:
    home = tmp_path_factory.mktemp("run")
    for name, sizes, groups in (("books", [60, 0, 45, 1], [[0, 1], [2, 3]]), ("code", [25], [[0]])):
        (home / name).mkdir()
        run(write_parts(home / name, sizes), str(home / "tokens" / name), model_path, groups)
    return home


def test_it_imports_nothing_of_ours() -> None:
    tree = ast.parse(Path(independent_reader.__file__).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert modules == {
        "hashlib", "json", "posixpath", "struct", "fractions", "math", "pathlib", "typing", "xxhash"
    }  # fmt: skip


def same(path: Path) -> None:
    ours, theirs = Shard(str(path)), read_shard(path)
    assert ours.tokens.tolist() == theirs.tokens
    assert ours.document_offsets.tolist() == theirs.offsets
    assert ours.rows.tolist() == theirs.rows
    assert [tuple(pair) for pair in ours.parts.tolist()] == theirs.parts
    assert ours.counts.text_bytes == theirs.text_bytes
    for token in range(0, ours.counts.tokens, 997):
        assert ours.locate(token)[:3] == theirs.document(token)


def test_shards_and_their_index(home: Path) -> None:
    for folder in (home / "tokens").iterdir():
        for entry in (index := read_index(folder))["shards"] + index["heldout"]:
            same(folder / entry["name"])
        for number, entry in enumerate(index["shards"]):
            for held, name in ((False, entry["name"]), (True, index["heldout"][number]["name"])):
                shard = read_shard(folder / name)
                for token in shard.offsets[:-1]:
                    _, part, row = shard.document(token)
                    assert is_held_out(f"books:test:{part}/{row}", HELD) == held


@pytest.mark.parametrize("vocab_size", [32000, 100_000])
def test_a_shard_of_several_blocks(tmp_path: Path, vocab_size: int) -> None:
    header = ShardHeader(vocab_size, "ab" * 32, "cd" * 32, 1, -1)
    ids = np.random.default_rng(0).integers(0, vocab_size, 1_300_001).astype(header.dtype)
    path = tmp_path / "shard.tok"
    with path.open("wb") as sink:
        writer = ShardWriter(sink, header)
        for part, size in ((3, 800_000), (9, 500_001)):
            cut = np.array([0, 7, size])
            writer.write(part, np.array([part, 2 * part], np.uint32), ids[:size], cut, size)
        writer.close()
    assert path.stat().st_size > 2 * BLOCK_BYTES
    same(path)


def test_the_sequences_of_a_run(home: Path) -> None:
    folders = {name: str(home / "tokens" / name) for name in ("books", "code")}
    path = write_manifest(make_mixture({"books": "0.65", "code": "0.35"}, folders, None, 16, seed=7), str(home))
    reader = TokenReader(path)
    assert read_sequences(Path(path)) == reader.batch(0, reader.sequences).tolist()
