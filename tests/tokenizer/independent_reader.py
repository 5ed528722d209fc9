"""A reader of token folders and mixtures, written from docs/tokens.md alone: it imports nothing of ours."""

import hashlib
import json
import posixpath
import struct
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

M64 = (1 << 64) - 1


class IndependentShard(NamedTuple):
    vocab_size: int
    bos: int
    eos: int
    tokenizer: str
    dataset: str
    tokens: list[int]
    offsets: list[int]
    rows: list[int]
    parts: list[tuple[int, int]]
    text_bytes: int

    def document(self, token: int) -> tuple[int, int, int]:
        """(document, part, row) of a token."""
        document = max(d for d in range(len(self.rows)) if self.offsets[d] <= token)
        part = max(number for number, first in self.parts if first <= document)
        return document, part, self.rows[document]


def read_shard(path: Path) -> IndependentShard:
    data = path.read_bytes()
    magic, version, header_bytes, width, vocab_size, bos, eos = struct.unpack_from("<8sIIIIii", data, 0)
    assert (magic, version, header_bytes) == (bytes.fromhex("89544F4B454E530A"), 1, 4096)
    assert width == (2 if vocab_size <= 65536 else 4)
    assert data[96:4088] == bytes(3992)
    assert struct.unpack_from("<Q", data, 4088)[0] == xxhash.xxh3_64_intdigest(data[:4088], seed=0)

    foot = data[-4096:]
    tokens, documents, parts, text_bytes, blocks = struct.unpack_from("<5Q", foot)
    assert foot[40:4080] == bytes(4040)
    assert struct.unpack_from("<Q", foot, 4080)[0] == xxhash.xxh3_64_intdigest(foot[:4080])
    assert foot[4088:] == bytes.fromhex("0A534E454B4F5489")

    at = 4096
    found = []
    for kind, count in (
        (f"{'H' if width == 2 else 'I'}", tokens),
        ("Q", documents + 1),
        ("I", documents),
        ("Q", 2 * parts),
    ):
        found.append(struct.unpack_from(f"<{count}{kind}", data, at))
        end = at + struct.calcsize(f"<{count}{kind}")
        at = (end + 7) // 8 * 8
        assert data[end:at] == bytes(at - end)
    sums = struct.unpack_from(f"<{blocks}Q", data, at)
    starts = range(4096, at, 1 << 20)
    assert len(starts) == blocks
    for start, expected in zip(starts, sums, strict=True):
        assert xxhash.xxh3_64_intdigest(data[start : min(start + (1 << 20), at)]) == expected
    assert at + 8 * blocks + 4096 == len(data)
    pairs = list(zip(found[3][::2], found[3][1::2], strict=True))
    return IndependentShard(
        vocab_size, bos, eos, data[32:64].hex(), data[64:96].hex(), list(found[0]), list(found[1]), list(found[2]),
        pairs, text_bytes,
    )  # fmt: skip


def read_index(folder: Path) -> dict[str, Any]:
    """index.json, with every digest and count compared with the files."""
    index: dict[str, Any] = json.loads((folder / "index.json").read_text())
    assert index["format"] == 1
    for entry in index["shards"] + index["heldout"]:
        file = folder / entry["name"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == entry["digest"]
        shard = read_shard(file)
        assert (len(shard.tokens), len(shard.rows), shard.text_bytes) == (
            entry["tokens"], entry["documents"], entry["text_bytes"]
        )  # fmt: skip
        assert {key: getattr(shard, key) for key in index["header"]} == index["header"]
    return index


def is_held_out(document: str, one_in: int) -> bool:
    return xxhash.xxh64_intdigest(document.encode(), seed=0) % one_in == 0


def permuted(i: int, n: int, seed: int, epoch: int, source: str) -> int:
    keys = struct.unpack("<8Q", hashlib.sha512(f"{seed}:{epoch}:{source}".encode()).digest())
    b = 1
    while 4**b < n:
        b += 1
    mask = (1 << b) - 1
    while True:
        left, right = i >> b, i & mask
        for key in keys:
            x = (right + key) & M64
            x ^= x >> 30
            x = x * 0xBF58476D1CE4E5B9 & M64
            x ^= x >> 27
            x = x * 0x94D049BB133111EB & M64
            x ^= x >> 31
            left, right = right, left ^ (x & mask)
        i = left << b | right
        if i < n:
            return i


def read_sequences(path: Path) -> list[list[int]]:
    """Every sequence of the run of a manifest.json, in training order."""
    manifest = json.loads(path.read_text())
    length, seed, sources = manifest["sequence_length"], manifest["seed"], manifest["sources"]
    whole = []
    for source in sources:
        folder = Path(posixpath.normpath(path.parent / source["folder"]))
        assert read_index(folder) == {"format": 1, **source["index"]}
        shards = [read_shard(folder / entry["name"]) for entry in source["index"]["shards"]]
        whole.append([token for shard in shards for token in shard.tokens])
    identity = {
        "seed": seed,
        "sequence_length": length,
        "sources": [
            {"name": s["name"], "share": s["share"], "shards": [e["digest"] for e in s["index"]["shards"]]}
            for s in sources
        ],
        "tokenizer": sources[0]["index"]["header"]["tokenizer"],
    }
    text = json.dumps(identity, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    assert hashlib.sha256(text.encode()).hexdigest() == manifest["fingerprint"]

    shares = [Fraction(source["share"]) for source in sources]
    period = lcm(*(share.denominator for share in shares))
    each = [int(share * period) for share in shares]
    taken = [0] * len(sources)
    steps = []
    for k in range(period):
        due = [(-(-(taken[s] + 1) * period // a), s) for s, a in enumerate(each) if taken[s] * period < (k + 1) * a]
        s = min(due)[1]
        steps.append((s, taken[s]))
        taken[s] += 1

    sequences = []
    for k in range(manifest["sequences"]):
        s, turn = steps[k % period]
        turn += k // period * each[s]
        n = (len(whole[s]) - 1) // length
        i = permuted(turn % n, n, seed, turn // n, sources[s]["name"])
        sequences.append(whole[s][i * length : i * length + length + 1])
    return sequences
