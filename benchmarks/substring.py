"""Exact substrings: ours and Google's suffix array on the same documents, and whether both find the same passages.

    python -m benchmarks.substring FILE... [--peer dedup_dataset] [--length 500]

A file is a document of UTF-8 text, or the documents of a Parquet file with a column `text`, as the parts of a finished
step. Ours is the whole rule on documents in memory, the best of three runs on one core. The peer is the program of
github.com/google-research/deduplicate-text-datasets (`cargo build --release`), with its files and one thread, once: it
makes the suffix array (`make`), finds repeats (`self-similar`) and joins them (`collect`). What repeats by its suffix
array is then compared with what ours finds, byte by byte: the windows of which an equal one comes before, in the order
of documents, and does not overlap them. (What the program itself gives is all copies, also the first, and passages over
the borders of documents.)
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.in_memory import decided
from benchmarks.timing import RUNS
from corpus.dedup.passages import of_windows, union, whole_characters
from corpus.dedup.substring import Substring
from corpus.kernel import kernel
from corpus.schema import Document, Origin, document_batch
from corpus.text.buffers import text_buffers
from corpus.text.hashing import hash_rows

PARTS = 4


def texts_of(paths: list[str]) -> list[str]:
    texts: list[str] = []
    for path in paths:
        if path.endswith(".parquet"):
            texts += pq.read_table(path, columns=["text"]).column("text").to_pylist()
        else:
            texts.append(Path(path).read_text("utf-8", "replace"))
    return texts


def identity(number: int) -> str:
    """The id of a document. The order in which copies compete is that of the hashes of ids."""
    return str(number)


def ours(texts: list[str], length: int) -> tuple[set[tuple[int, int, int]], int, float]:
    """((document, start, end) of what is repeated, bytes shipped, seconds)."""
    documents = [Document(identity(n), text, Origin("f")) for n, text in enumerate(texts)]
    parts = [[document_batch(documents[n::PARTS], "s")] for n in range(PARTS)]
    rule = Substring(length=length)
    runs = [decided(rule, parts) for _ in range(1 + RUNS)]
    blocks, shipped, _ = runs[0]
    found = {
        (row["row"] * PARTS + part, row["start"], row["end"]) for part, block in blocks for row in block.to_pylist()
    }
    return found, shipped, min(seconds for _, _, seconds in runs[1:])


def run_peer(program: str, folder: str, data: bytes, length: int) -> tuple[npt.NDArray[np.int64], float]:
    """(the suffix array, seconds)."""
    file, cache = f"{folder}/data", f"{folder}/cache"
    Path(file).write_bytes(data)
    Path(cache).mkdir()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    settings = ["--length-threshold", str(length), "--cache-dir", cache]
    for command in (["make"], ["self-similar", *settings, "--num-threads", "1"], ["collect", *settings]):
        subprocess.run([program, *command, "--data-file", file], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    width = Path(f"{file}.table.bin").stat().st_size // len(data)
    table = np.fromfile(f"{file}.table.bin", np.uint8).reshape(-1, width)
    suffixes = np.zeros((len(table), 8), np.uint8)
    suffixes[:, :width] = table
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return suffixes.view(np.int64).ravel(), seconds


@kernel
def later_windows(data: Any, suffixes: Any, document: Any, ends: Any, length: Any) -> Any:
    """Whether a window at each byte, in one document alone, has an equal one before it that does not overlap it: equal
    windows are neighbours in the suffix array."""
    later = np.zeros(len(data), np.bool_)
    begin = 0
    while begin < len(suffixes):
        first = suffixes[begin]
        end = begin + 1
        while end < len(suffixes):
            a, b = suffixes[end - 1], suffixes[end]
            size = 0
            while size < length and a + size < len(data) and b + size < len(data) and data[a + size] == data[b + size]:
                size += 1
            if size < length:
                break
            first = min(first, b)
            end += 1
        for i in range(begin, end):
            place = suffixes[i]
            if place + length <= ends[document[place]]:
                later[place] = document[place] != document[first] or place - first >= length
        begin = end
    return later


def passages(texts: list[str], program: str, length: int) -> tuple[set[tuple[int, int, int]], float]:
    """What is repeated by the peer's suffix array: ((document, start, end), seconds of the peer)."""
    order = np.argsort(hash_rows(*text_buffers(pa.array([identity(n) for n in range(len(texts))]))))
    bodies = [texts[n].encode() for n in order]
    separators = [b"\xff\xff" + n.to_bytes(4, "little") for n in range(len(bodies))]  # theirs: bytes of no text
    data = b"".join(piece for both in zip(separators, bodies, strict=True) for piece in both)
    starts = np.cumsum([6 + len(body) for body in bodies]) - [len(body) for body in bodies]
    ends = starts + [len(body) for body in bodies]
    with tempfile.TemporaryDirectory() as folder:
        suffixes, seconds = run_peer(program, folder, data, length)
    document = np.repeat(np.arange(len(bodies)), [6 + len(body) for body in bodies])
    place = np.flatnonzero(later_windows(np.frombuffer(data, np.uint8), suffixes, document, ends, length))
    place = place[place >= starts[document[place]]]  # zeros at the end of a separator are not its own
    owner = document[place]
    found = union(*of_windows(owner, place - starts[owner], length))
    column = pa.array([body.decode() for body in bodies], pa.large_string())
    found = whole_characters(*text_buffers(column), found)
    return set(zip(order[found.row].tolist(), found.start.tolist(), found.stop.tolist(), strict=True)), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--peer")
    parser.add_argument("--length", type=int, default=500)
    arguments = parser.parse_args()
    texts = texts_of(arguments.files)
    size = sum(len(text.encode()) for text in texts)
    found, shipped, seconds = ours(texts, arguments.length)
    repeated = sum(end - start for _, start, end in found)
    print(f"{len(texts):,} documents, {size / 1e6:.1f} MB, passages of {arguments.length} bytes and more")
    print(f"ours: {len(found):,} passages, {repeated / size:.1%} of the text is repeated")
    print(f"ours: {size / seconds / 1e6:.1f} MB/s, {shipped / size:.3f} bytes through regroupings a byte of text")
    if arguments.peer is None:
        print("peer left out: name its program by --peer")
        return
    theirs, slower = passages(texts, arguments.peer, arguments.length)
    print(f"peer: {size / slower / 1e6:.1f} MB/s; ours / peer {slower / seconds:.1f}")
    if found != theirs:
        sys.exit(
            f"not the same: {len(found - theirs):,} only in ours, {len(theirs - found):,} only in the suffix array"
        )
    print("the same passages by its suffix array")


if __name__ == "__main__":
    main()
