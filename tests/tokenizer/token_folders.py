"""Token folders of random documents, written without a tokenizer, for tests of what reads them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from corpus.storage import commit, join, write_json
from tokenizer.index import IndexedShard, TokenIndex, heldout_name, shard_name
from tokenizer.mixture import make_mixture, write_manifest
from tokenizer.shards import Shard, ShardHeader, ShardWriter

HEADER = ShardHeader(32000, "ab" * 32, "cd" * 32, 1, 2)


def write_shard(path: str, documents: Sequence[int], seed: int, header: ShardHeader = HEADER) -> str:
    """Documents of so many tokens each; returns the digest of the file."""
    rng = np.random.default_rng(seed)

    def write(sink: io.BytesIO) -> None:
        writer = ShardWriter(sink, header)
        ids = rng.integers(3, header.vocab_size, sum(documents)).astype(header.dtype)
        writer.write(0, np.arange(len(documents), dtype=np.uint32), ids, np.cumsum([0, *documents]), 4 * len(ids))
        writer.close()

    return commit(path, write)


def write_folder(folder: str, shards: Sequence[Sequence[int]], held_out: Sequence[Sequence[int]] = ()) -> str:
    """A finished token folder whose shards have documents of so many tokens; returns `folder`."""

    def entries(of: Sequence[Sequence[int]], name: str, seed: int) -> list[IndexedShard]:
        names = [heldout_name(n) if name == "heldout" else shard_name(n) for n in range(len(of))]
        digests = [write_shard(join(folder, names[n]), sizes, seed + n) for n, sizes in enumerate(of)]
        return [
            IndexedShard(names[n], sum(sizes), len(sizes), 4 * sum(sizes), digests[n]) for n, sizes in enumerate(of)
        ]

    seed = sum(map(ord, folder.rpartition("/")[2]))
    index = TokenIndex(HEADER, tuple(entries(shards, "", seed)), tuple(entries(held_out, "heldout", seed + 1000)), 1000)
    write_json(join(folder, "index.json"), asdict(index))
    return folder


def write_run(run: str, length: int = 16, sequences: int | None = None) -> str:
    """Three sources: one with empty and tiny shards, one taken for 2.5 epochs, one for a fraction of its only one.

    Returns the path of the order's manifest.
    """
    rng = np.random.default_rng(5)

    def documents(tokens: int) -> list[int]:
        cuts = np.sort(rng.integers(0, tokens + 1, tokens // 40))
        return np.diff([0, *cuts, tokens]).tolist()

    held = [documents(300), [], documents(200)]
    shards = {
        "books": [documents(n) for n in (5000, 0, 3, 1, 0, 2, 1700, 9)],
        "c4": [documents(n) for n in (9000, 8000)],
        "wiki": [documents(2200)],
    }
    folders = {name: write_folder(join(run, "tokens", name), some, held) for name, some in shards.items()}
    return manifest_of(run, folders, {"books": "0.3", "c4": "0.2", "wiki": "0.5"}, length, sequences)


def manifest_of(
    run: str, folders: Mapping[str, str], shares: Mapping[str, str], length: int = 16, sequences: int | None = None
) -> str:
    tokens = None if sequences is None else sequences * length
    return write_manifest(make_mixture(shares, folders, tokens, length, seed=3, max_epochs=2.5), run)


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x20
    path.write_bytes(data)


def tokens_of(path: str) -> list[int]:
    return list(map(int, Shard(path).tokens))
