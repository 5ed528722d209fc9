"""Start-up, seek, resume and speed of the training loader, alone at full size and beside its peers on the same tokens.

    python -m benchmarks.loader WORK_FOLDER [--peers PYTHON] [--sequences 1000000]

(From the root of the checkout, and with -m: benchmarks/tokenizer.py would hide the package `tokenizer`.)

At full size: 10,000 shards of 10^10 sequences of 2,048 tokens (20 T tokens, 41 TB) of seven sources, whose token
sections are holes; this needs 120 MB of a file system with sparse files and is refused on another. Headers, footers
and the manifest are real. They are dropped from the page cache first, so that each opening reads the disk.

Beside MosaicML Streaming and Megatron Core: random tokens in documents of 1,000 on average, as our shards, as MDS and
as .bin/.idx, written by each project's own code: 13 GB for 10^6 sequences. The peers run in an interpreter of their
own, of a virtual environment that is thrown away afterwards:

    python -m venv /tmp/peers && /tmp/peers/bin/pip install mosaicml-streaming megatron-core
    python -m benchmarks.loader /tmp/loader --peers /tmp/peers/bin/python

A peer that is not installed there is named and left out. Every figure is of new interpreters without worker processes,
one but for the resume, from after the imports on. Our start-up holds about 0.4 s of CPU in which numba sets itself up,
at any size, and ours reads in a thread, where a peer without workers reads in the loop: its tokens/s grow with workers.
"memory" is what the process itself holds (RssAnon), not mapped files.

Nothing is removed: a second run finds what the first one wrote.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loader_peers import BATCH, LENGTH, anonymous_mb, digest, in_two_processes, tokens_per_second
from corpus.llama import TABLE_1
from corpus.storage import commit, write_json
from tokenizer.index import HELD_OUT, IndexedShard, TokenIndex, heldout_name, shard_name
from tokenizer.mixture import make_mixture, write_manifest
from tokenizer.shards import BLOCK_BYTES, HEADER_BYTES, ShardCounts, ShardHeader, ShardWriter, _layout

SHARDS, SEQUENCES = 10_000, 10**10
HEADER = ShardHeader(32000, "ab" * 32, "cd" * 32, 1, 2)
REAL_SHARDS = 8
MEAN_DOCUMENT = 1000


def say(text: str) -> None:
    print(text, flush=True)


# What is measured


def write_sparse_shard(path: Path, tokens: int) -> None:
    """A shard with one document, none for 0 tokens; its tokens and checksums are holes."""
    documents = min(tokens, 1)
    held = HEADER_BYTES + 2 * tokens
    checksums = -(-held // BLOCK_BYTES)
    counts = ShardCounts(tokens, documents, documents, 4 * tokens, checksums)
    layout = _layout(HEADER, counts)
    with path.open("wb") as file:
        file.truncate(layout.end)
        file.write(HEADER.pack())
        file.seek(layout.documents)
        file.write(np.array([0, tokens][: documents + 1], "<u8").tobytes())
        file.seek(layout.footer)
        file.write(counts.pack())


def make_sparse(work: Path) -> str:
    """The manifest of the full-size mixture; its shards are made where they are missing."""
    found = sorted(work.glob("sparse/mixture-*/manifest.json"))
    if found:
        return str(found[0])
    probe = work / "probe"
    write_sparse_shard(probe, 10**8)
    if probe.stat().st_blocks * 512 > 1 << 20:
        sys.exit(f"error: {work} is on a file system without sparse files: give a folder on ext4, xfs or tmpfs")
    probe.unlink()
    folders = {}
    for name, paper in TABLE_1.items():
        home = work / "sparse" / name
        (home / HELD_OUT).mkdir(parents=True, exist_ok=True)
        part = Fraction(paper.share.rstrip("%")) / 100
        shards, held = [], []
        for number in range(int(part * SHARDS)):
            tokens = SEQUENCES // SHARDS * LENGTH + (number == 0)
            write_sparse_shard(home / shard_name(number), tokens)
            digest = hashlib.sha256(f"{name}:{number}".encode()).hexdigest()
            shards.append(IndexedShard(shard_name(number), tokens, 1, 4 * tokens, digest))
            held.append(IndexedShard(heldout_name(number), 0, 0, 0, digest))
        write_json(str(home / "index.json"), asdict(TokenIndex(HEADER, tuple(shards), tuple(held), 1000)))
        folders[name] = str(home)
    os.sync()
    shares = {name: str(Fraction(paper.share.rstrip("%")) / 100) for name, paper in TABLE_1.items()}
    return write_manifest(make_mixture(shares, folders, SEQUENCES * LENGTH, LENGTH), str(work / "sparse"))


def make_real(work: Path, sequences: int) -> str:
    """The manifest of a mixture of one source of real random tokens."""
    root = work / f"real-{sequences}"
    found = sorted(root.glob("mixture-*/manifest.json"))
    if found:
        return str(found[0])
    home = root / "tokens"
    home.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    entries = []
    for number in range(REAL_SHARDS):
        tokens = sequences // REAL_SHARDS * LENGTH + (number == REAL_SHARDS - 1)
        ends = np.unique(np.append(random.integers(1, tokens, tokens // MEAN_DOCUMENT), tokens))
        offsets = np.concatenate([[0], ends]).astype(np.int64)
        ids = random.integers(3, HEADER.vocab_size, tokens, dtype=np.uint16)

        def write(sink: Any, ids: Any = ids, offsets: Any = offsets) -> None:
            writer = ShardWriter(sink, HEADER)
            writer.write(0, np.arange(len(offsets) - 1, dtype=np.uint32), ids, offsets, 0)
            writer.close()

        digest = commit(str(home / shard_name(number)), write)
        entries.append(IndexedShard(shard_name(number), tokens, len(offsets) - 1, 0, digest))
    write_json(str(home / "index.json"), asdict(TokenIndex(HEADER, tuple(entries), (), 1000)))
    return write_manifest(make_mixture({"tokens": 1}, {"tokens": str(home)}, sequences * LENGTH, LENGTH), str(root))


# Measuring, in a new interpreter


def drop_from_cache(folder: Path) -> None:
    for path in [*folder.rglob("*.tok"), *folder.rglob("*.json")]:
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def full_size(manifest: str) -> dict[str, float]:
    from tokenizer.reader import TokenReader
    from trainer.loader import Loader

    held = anonymous_mb()
    began, cpu = time.perf_counter(), time.process_time()
    reader = TokenReader(manifest)
    opened = time.perf_counter() - began
    loader = Loader(reader, BATCH, rank=0, ranks=256)
    next(iter(loader))
    loader.close()
    found = {"open": opened, "start": time.perf_counter() - began, "start cpu": time.process_time() - cpu}

    began = time.perf_counter()
    loader = Loader(reader, BATCH, rank=0, ranks=1)
    next(iter(loader))
    found["first whole batch"] = time.perf_counter() - began
    loader.close()

    steps = np.random.default_rng(1).integers(0, reader.sequences // BATCH, 100)
    seeks = []
    for step in steps.tolist():
        began = time.perf_counter()
        reader.batch(step * BATCH, BATCH // 256)
        seeks.append(time.perf_counter() - began)
    found |= {"seek p50": float(np.median(seeks)), "seek max": max(seeks)}

    began = time.perf_counter()
    resumed = Loader(reader, BATCH, rank=5, ranks=512)
    resumed.load_state_dict({"sequence": reader.sequences // 2, "fingerprint": reader.fingerprint})
    next(iter(resumed))
    found["resume"] = time.perf_counter() - began
    resumed.close()

    began = time.perf_counter()
    for step in steps.tolist()[:5]:
        reader.batch(step * BATCH, BATCH)
    found["tokens/s"] = 5 * BATCH * LENGTH / (time.perf_counter() - began)
    handles = [os.readlink(entry.path) for entry in os.scandir("/proc/self/fd") if os.path.islink(entry.path)]
    maps = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(".tok")}
    found["files open"] = sum(name.endswith(".tok") for name in handles)
    found["files mapped"] = len(maps)
    found["memory MB"] = anonymous_mb() - held
    return found


def real_size(manifest: str) -> dict[str, Any]:
    from tokenizer.reader import TokenReader
    from trainer.loader import Loader

    held = anonymous_mb()
    began = time.perf_counter()
    loader = Loader(TokenReader(manifest), BATCH, rank=0, ranks=1)
    batches = iter(loader)
    next(batches)
    found: dict[str, Any] = {"start": time.perf_counter() - began}
    found["tokens/s"] = tokens_per_second(lambda: next(batches).numel())
    found["memory MB"] = anonymous_mb() - held
    found["state"] = loader.state_dict()
    found["next"] = digest(next(batches))
    loader.close()
    return found


def resumed(manifest: str, state: str) -> dict[str, Any]:
    from tokenizer.reader import TokenReader
    from trainer.loader import Loader

    def share(rank: int) -> Any:
        loader = Loader(TokenReader(manifest), BATCH, rank=rank, ranks=2)
        loader.load_state_dict(json.loads(state))
        return next(iter(loader))

    return in_two_processes(share)


def order(sequences: str) -> dict[str, float]:
    """The order of an epoch: there is nothing to build, so this is the time of ten places of it."""
    from tokenizer.order import permute, round_keys

    count = int(sequences)
    keys = round_keys(0, "tokens", 0)
    permute(np.arange(10), 10, keys)
    began = time.perf_counter()
    permute(np.arange(10), count, keys)
    return {"seconds": time.perf_counter() - began, "bytes": 0.0}


def child(*words: str, ranks: int = 1) -> dict[str, Any]:
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)] if ranks > 1 else []
    found = last_line([sys.executable, *launch, "-m", "benchmarks.loader", "--measure", *words])
    if "missing" in found:
        sys.exit(f"--measure {words[0]} failed: {found['missing']}")
    return found


def beside(manifest: str) -> dict[str, Any]:
    """Ours, as `loader_peers.py` gives a peer's."""
    first = child("real", manifest)
    after = child("resumed", manifest, json.dumps(first["state"]), ranks=2)
    return {**first, **after, "same batch": first["next"] == after["next"]}


def peer(python: str, *words: str) -> dict[str, Any]:
    return last_line([python, str(Path(__file__).with_name("loader_peers.py")), *words])


def last_line(command: list[str]) -> dict[str, Any]:
    """The JSON that a command prints last; {"missing": why} where it fails."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[1], check=False
    )
    if done.returncode:
        return {"missing": (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]}
    return json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))


# Telling


def table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        say("  ".join(cells).rstrip())


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.1f} ms"


def tell_full_size(found: Mapping[str, float]) -> None:
    limits = {"start": 1.0, "seek max": 0.05, "files open": 256, "files mapped": 256}
    names = {
        "open": "manifest read",
        "start": "start-up: manifest and first batch of 1 of 256 ranks",
        "start cpu": "the same, CPU time, with the batches read ahead",
        "first whole batch": "first whole batch of 2,048 sequences, 1 rank",
        "seek p50": "seek to a random step, 8 sequences: median of 100",
        "seek max": "the same, longest",
        "resume": "resume in the middle, 1 of 512 ranks",
        "tokens/s": "tokens/s of whole batches, each sequence of a shard that must be opened",
        "files open": "shards open",
        "files mapped": "shards mapped",
        "memory MB": "memory, MB",
    }
    rows = [("full size: 10,000 shards, 10^10 sequences", "found", "limit")]
    for key, name in names.items():
        value, limit = found[key], limits.get(key)
        if key in ("tokens/s", "files open", "files mapped", "memory MB"):
            rows.append((name, f"{value:,.0f}", "" if limit is None else f"{limit:,.0f}"))
        else:
            rows.append((name, seconds(value), "" if limit is None else seconds(limit)))
    table(rows)
    over = [names[key] for key, limit in limits.items() if found[key] > limit]
    say(f"over the limit: {'; '.join(over)}" if over else "all limits hold")


def tell_beside(results: Mapping[str, dict[str, Any]], sequences: int) -> None:
    ours = results["this"]
    shown = {
        "build": "index built, once",
        "start": "start-up to the first batch of 2,048 sequences",
        "resume": "resume in two processes, to the first batch",
        "tokens/s": "tokens/s",
        "memory MB": "memory, MB",
    }
    heading = [f"same tokens, {sequences:,} sequences"]
    for name in results:
        heading += [name, "ratio"] if name != "this" else [name]
    rows = [tuple(heading)]
    for key, label in shown.items():
        row = [label]
        for name, found in results.items():
            value = found.get(key)
            plain = f"{value:,.0f}" if key in ("tokens/s", "memory MB") and value else seconds(value) if value else "-"
            row.append(plain)
            if name != "this":
                row.append(f"{value / ours[key]:.2f}" if value and ours.get(key) else "")
        rows.append(tuple(row))
    same = ["the same global batch after that resume"]
    for name, found in results.items():
        same += ["yes" if found["same batch"] else "no"] + ([""] if name != "this" else [])
    rows.append(tuple(same))
    table(rows)


def tell_orders(orders: Mapping[int, Mapping[str, dict[str, Any]]]) -> None:
    rows = [("order of an epoch of", "this", *(f"{n}, {what}" for n in PEERS for what in ("time", "memory or files")))]
    for count, found in orders.items():
        row = [f"{count:,} sequences", seconds(found["this"]["seconds"])]
        for name in PEERS:
            answer = found.get(name)
            row += [seconds(answer["seconds"]), f"{answer['bytes'] / 1e6:,.0f} MB"] if answer else ["-", "-"]
        rows.append(tuple(row))
    largest, last = max(orders), orders[max(orders)]
    scaled = [f"{SEQUENCES:,}, by the row above", seconds(child("order", str(SEQUENCES))["seconds"]) + " measured"]
    for name in PEERS:
        factor = SEQUENCES / largest
        scaled += (
            [f"{last[name]['seconds'] * factor:,.0f} s", f"{last[name]['bytes'] * factor / 1e9:,.0f} GB"]
            if name in last
            else ["-", "-"]
        )
    table([*rows, tuple(scaled)])


PEERS = ("streaming", "megatron")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", help="a Python interpreter with mosaicml-streaming and megatron-core")
    parser.add_argument("--sequences", type=int, default=1_000_000, help="beside the peers (default: %(default)s)")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)

    began = time.perf_counter()
    manifest = make_sparse(folder)
    say(f"sparse shards there after {time.perf_counter() - began:.1f} s")
    child("full", manifest)  # compiles what is not in numba's cache yet
    drop_from_cache(folder / "sparse")
    tell_full_size(child("full", manifest))

    say("")
    real = make_real(folder, arguments.sequences)
    results, orders = {"this": beside(real)}, {count: {"this": child("order", str(count))} for count in COUNTS}
    for name in PEERS:
        if arguments.peers is None:
            say(f"{name}: left out, as --peers is not given")
            continue
        data = str(Path(real).parents[1])
        found = peer(arguments.peers, name, data)
        if "missing" in found:
            say(f"{name}: left out: {found['missing']}")
            continue
        results[name] = found
        for count in COUNTS:
            answer = peer(arguments.peers, f"{name}-order", data, str(count))
            if "missing" not in answer:
                orders[count][name] = answer
    tell_beside(results, arguments.sequences)
    say("")
    tell_orders(orders)
    say(f"largest memory of a child process: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3:,.0f} MB")


COUNTS = (10**6, 10**7)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measures: dict[str, Callable[..., dict[str, Any]]] = {
            "full": full_size, "real": real_size, "resumed": resumed, "order": order
        }  # fmt: skip
        print(json.dumps(measures[sys.argv[2]](*sys.argv[3:])))
    else:
        main()
