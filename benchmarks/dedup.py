"""MinHash signatures by this project, datasketch, datatrove, daft and rensa on the same documents, and our other dedup
kernels.

    python benchmarks/dedup.py FILE...

The files are UTF-8 text; documents are runs of whole lines of about 4 kB. One core, CPU time, the best of three runs;
peers get a first part of the documents, since they are slower, and are compared by MB/s. A peer that is not installed
is named and left out. What near dedup finds and ships: `python -m benchmarks.near`.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import datasketch
import pyarrow as pa
import xxhash

from benchmarks.timing import best, first
from corpus.dedup.exact import Exact
from corpus.dedup.lines import Lines
from corpus.dedup.near import Near
from corpus.dedup.overlap import Overlap
from corpus.rules import Dedup, PartRef
from corpus.schema import Document, Origin, document_batch
from corpus.text.buffers import text_buffers
from corpus.text.hashing import hash_rows
from corpus.text.normalize import normalize_lines
from corpus.text.shingles import shingle_rows

OURS_BYTES = 32_000_000
PEER_BYTES = 2_000_000


def pieces(paths: list[str]) -> Iterator[str]:
    """Documents of about 4 kB from the files, over again until `OURS_BYTES` are given."""
    texts = [Path(path).read_text("utf-8", "replace") for path in paths]
    given = 0
    while given < OURS_BYTES:
        for text in texts:
            held: list[str] = []
            size = 0
            for line in text.splitlines(keepends=True):
                held.append(line)
                size += len(line)
                if size >= 4000:
                    given += size
                    yield "".join(held)
                    held, size = [], 0


def measure(name: str, run: Callable[[], object], size: int) -> float:
    """Prints and gives MB/s, the best of three runs after one to warm up."""
    run()
    taken = best(run)[0][0]
    print(f"{name:44}{size / taken / 1e6:10.1f} MB/s")
    return size / taken / 1e6


def with_datasketch(texts: list[str]) -> None:
    for text in texts:
        words = re.findall(r"[^\W_]+", text.lower())
        sketch = datasketch.MinHash(num_perm=112, hashfunc=xxhash.xxh32_intdigest)
        sketch.update_batch({" ".join(words[i : i + 5]).encode() for i in range(max(1, len(words) - 4))})


def with_datatrove() -> Callable[[list[str]], None] | None:
    try:
        from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
        from datatrove.utils.hashing import HashConfig

        # 14 buckets of 8, its defaults: 112 minima, like ours; SHA-1 as FineWeb, and its xxHash fails with xxhash 4
        config = MinhashConfig(num_buckets=14, hashes_per_bucket=8, hash_config=HashConfig(hash_fc="sha1"))
        step = MinhashDedupSignature("unused", config=config)
        step.get_shingles("It imports its word splitter when it is first used.")
    except ImportError as error:
        print(f"datatrove left out: {error}")
        return None

    def run(texts: list[str]) -> None:
        for text in texts:
            step.get_signature(step.get_shingles(text))

    return run


def with_daft() -> Callable[[list[str]], object] | None:
    """Words at single spaces, no lower case: less work than ours."""
    try:
        import daft
        from daft.functions import minhash
    except ImportError as error:
        print(f"daft left out: {error}")
        return None

    def run(texts: list[str]) -> object:
        signature = minhash(daft.col("text"), num_hashes=112, ngram_size=5, hash_function="xxhash")
        return daft.from_pydict({"text": texts}).select(signature).collect()

    return run


def with_rensa() -> Callable[[list[str]], None] | None:
    try:
        from rensa import RMinHash
    except ImportError as error:
        print(f"rensa left out: {error}")
        return None

    def run(texts: list[str]) -> None:
        for text in texts:
            words = re.findall(r"[^\W_]+", text.lower())
            RMinHash(num_perm=112, seed=1).update([" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))])

    return run


def sign(rule: Dedup, batches: list[pa.RecordBatch]) -> int:
    return sum(block.num_rows for _, block in rule.sign(PartRef(0), iter(batches), 16))


def main(paths: list[str]) -> None:
    texts = list(pieces(paths))
    batches = [
        document_batch([Document(f"b:{i + j}", t, Origin("f")) for j, t in enumerate(texts[i : i + 4000])], "b")
        for i in range(0, len(texts), 4000)
    ]
    columns = [batch.column("text") for batch in batches]
    size = sum(column.nbytes for column in columns)
    lines = [pa.array("".join(texts[:4000]).split("\n"), pa.large_string())]

    print("kernels")
    measure("  XXH64 of documents", lambda: [hash_rows(*text_buffers(c)) for c in columns], size)
    measure("  normalize_for_dedup of lines", lambda: [normalize_lines(c) for c in lines], lines[0].nbytes)
    measure("  token 5-gram hashes", lambda: [shingle_rows(*text_buffers(c), 5) for c in columns], size)
    print("sign, a part to blocks")
    for rule in (Lines(), Exact(), Overlap()):
        measure(f"  {type(rule).__name__}", lambda rule=rule: sign(rule, batches), size)
    ours = measure("  Near, 16 bands of 7", lambda: sign(Near(), batches), size)
    some = first(texts, PEER_BYTES)
    some_size = sum(len(text.encode()) for text in some)
    print("the same by peers")
    peer = measure("  datasketch signatures", lambda: with_datasketch(some), some_size)
    print(f"{'  ours / datasketch':44}{ours / peer:10.1f}")
    for name, run in (("datatrove", with_datatrove()), ("daft", with_daft()), ("rensa", with_rensa())):
        if run:
            peer = measure(f"  {name} signatures", lambda run=run: run(some), some_size)
            print(f"{f'  ours / {name}':44}{ours / peer:10.1f}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
