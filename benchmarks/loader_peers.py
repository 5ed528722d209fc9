"""What benchmarks/loader.py measures of its peers, in an interpreter that has them. Imports nothing of this project.

    python benchmarks/loader_peers.py streaming|megatron WORK_FOLDER
    python benchmarks/loader_peers.py streaming-order|megatron-order WORK_FOLDER SEQUENCES

WORK_FOLDER/tokens holds our shards. Each prints one JSON object as its last line.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

LENGTH, BATCH = 2048, 2048


def shards(work: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(tokens, document offsets) of each of our shards; docs/tokens.md."""
    for path in sorted((work / "tokens").glob("*.tok")):
        data = np.memmap(path, np.uint8, "r")
        tokens, documents = data[-4096:-4080].view("<u8").tolist()
        after = (4096 + 2 * tokens + 7) // 8 * 8
        yield data[4096 : 4096 + 2 * tokens].view("<u2"), data[after : after + 8 * (documents + 1)].view("<u8")


def anonymous_mb() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1e3


def tokens_per_second(step: Callable[[], int]) -> float:
    """Of 20 batches after 5 that warm the page cache; a step gives its number of tokens, with the last labels."""
    for _ in range(5):
        step()
    began = time.perf_counter()
    total = sum(step() for _ in range(20))
    return total * LENGTH / (LENGTH + 1) / (time.perf_counter() - began)


def again(*words: str, ranks: int = 1) -> dict[str, Any]:
    """Runs this script in a new interpreter, or under torchrun, and gives its JSON."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)] if ranks > 1 else []
    done = subprocess.run([sys.executable, *launch, __file__, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit((done.stderr.strip() or "failed").splitlines()[-1])
    return json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))


def digest(windows: Any) -> list[int]:
    """What identifies a set of windows."""
    return sorted(int(row) for row in np.asarray(windows, np.int64) @ np.arange(1, LENGTH + 2, dtype=np.int64))


# MosaicML Streaming


def streaming(work: Path) -> dict[str, Any]:
    from streaming import MDSWriter

    out = work / "mds"
    if not (out / "index.json").exists():
        with MDSWriter(out=str(out), columns={"tokens": f"ndarray:uint16:{LENGTH + 1}"}) as writer:
            rest = np.empty(0, np.uint16)
            for tokens, _ in shards(work):
                joined = np.concatenate([rest, tokens])
                count = (len(joined) - 1) // LENGTH
                for number in range(count):
                    writer.write({"tokens": joined[number * LENGTH : (number + 1) * LENGTH + 1]})
                rest = joined[count * LENGTH :]
    first = again("streaming-first", str(work))
    resumed = again("streaming-resumed", str(work), json.dumps(first.pop("state")), ranks=2)
    same = first.pop("next") == resumed.pop("next")
    return {**first, **resumed, "same batch": same}


def open_streaming(work: Path, ranks: int) -> tuple[Any, Any]:
    from streaming import StreamingDataLoader, StreamingDataset

    dataset = StreamingDataset(
        local=str(work / "mds"), shuffle=True, num_canonical_nodes=1, batch_size=BATCH // ranks, shuffle_seed=1
    )
    return dataset, StreamingDataLoader(dataset, batch_size=BATCH // ranks, num_workers=0)


def streaming_first(work: Path) -> dict[str, Any]:
    from streaming.base.util import clean_stale_shared_memory

    clean_stale_shared_memory()
    held, began = anonymous_mb(), time.perf_counter()
    _, loader = open_streaming(work, 1)
    batches = iter(loader)
    next(batches)
    found: dict[str, Any] = {"start": time.perf_counter() - began}
    found["tokens/s"] = tokens_per_second(lambda: next(batches)["tokens"].numel())
    found |= {"memory MB": anonymous_mb() - held, "state": loader.state_dict(), "next": digest(next(batches)["tokens"])}
    return found


def streaming_resumed(work: Path, state: dict[str, Any]) -> dict[str, Any]:
    import streaming  # noqa: F401  before the clock starts

    def share(rank: int) -> Any:
        _, loader = open_streaming(work, 2)
        loader.load_state_dict(state)
        return next(iter(loader))["tokens"]

    return in_two_processes(share)


def in_two_processes(share: Callable[[int], Any]) -> dict[str, Any]:
    """Each of torchrun's two processes reads its share of the batch; the longer time, and what both read."""
    import torch.distributed as dist

    dist.init_process_group("gloo")
    began = time.perf_counter()
    windows = share(dist.get_rank())
    seconds = time.perf_counter() - began
    both: list[Any] = [None, None]
    dist.all_gather_object(both, (seconds, digest(windows)))
    if dist.get_rank():
        os._exit(0)  # rank 0 prints
    return {"resume": max(each for each, _ in both), "next": sorted(both[0][1] + both[1][1])}


def streaming_order(work: Path, count: int) -> dict[str, float]:
    """What each start of an epoch and each resume computes, of shards of the usual 64 MB."""
    from streaming.base.partition import get_partitions
    from streaming.base.shuffle import get_shuffle

    per_shard = (1 << 26) // (2 * LENGTH)
    sizes = np.full(-(-count // per_shard), per_shard, np.int64)
    sizes[-1] = count - per_shard * (len(sizes) - 1)
    began = time.perf_counter()
    places = get_partitions("relaxed", count, 1, 1, 1, 1, BATCH)
    shuffle = get_shuffle("py1e", sizes, 1, 1, 0)
    ids = np.where(places != -1, shuffle[places], -1)
    return {"seconds": time.perf_counter() - began, "bytes": float(places.nbytes + shuffle.nbytes + ids.nbytes)}


# Megatron Core


class Tokenizer:
    """As much of a tokenizer as a GPTDataset asks for."""

    vocab_size = 32000
    eod = 2
    unique_identifiers = {"class": "none"}  # noqa: RUF012

    @property
    def pad(self) -> int:
        return 0


def open_megatron(prefix: str, samples: int, cache: Path) -> Any:
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
    from megatron.core.datasets.utils import Split

    config = GPTDatasetConfig(
        random_seed=1, sequence_length=LENGTH, blend=([prefix], None), split="1,0,0", path_to_cache=str(cache),
        tokenizer=Tokenizer(), reset_position_ids=False, reset_attention_mask=False, eod_mask_loss=False,
        create_attention_mask=False,
    )  # fmt: skip
    data = GPTDataset.build_low_level_dataset(prefix, config)
    indices = np.arange(GPTDataset.numel_low_level_dataset(data), dtype=np.int32)
    return GPTDataset(data, prefix, indices, samples, Split.train, config)


def megatron(work: Path) -> dict[str, Any]:
    import shutil

    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    prefix = str(work / "megatron")
    if not Path(f"{prefix}.idx").exists():
        builder = IndexedDatasetBuilder(f"{prefix}.bin", dtype=np.uint16)
        for tokens, offsets in shards(work):
            builder.add_document(tokens, np.diff(offsets).tolist())
        builder.finalize(f"{prefix}.idx")
    shutil.rmtree(work / "megatron-cache", ignore_errors=True)
    built = again("megatron-first", str(work))
    first = again("megatron-first", str(work))
    resumed = again("megatron-resumed", str(work), "26", ranks=2)
    same = first.pop("next") == resumed.pop("next")
    built.pop("next")
    return {**first, "build": built["opened"], "resume": resumed["resume"], "same batch": same}


def megatron_samples(work: Path) -> int:
    return sum(len(tokens) for tokens, _ in shards(work)) // LENGTH - 1


def megatron_batches(dataset: Any, step: int, rank: int, ranks: int) -> Iterator[Any]:
    """Through a DataLoader whose batches are numbers in order, as Megatron's own sampler gives them."""
    from torch.utils.data import DataLoader

    share = BATCH // ranks
    first = step * BATCH + rank * share
    numbers = (range(start, start + share) for start in range(first, len(dataset) - BATCH, BATCH))
    return iter(DataLoader(dataset, batch_sampler=numbers, num_workers=0))  # type: ignore[arg-type]


def joined(batch: Any) -> np.ndarray:
    return np.concatenate([batch["tokens"].numpy(), batch["labels"].numpy()[:, -1:]], axis=1)


def megatron_first(work: Path) -> dict[str, Any]:
    import megatron.core.datasets.gpt_dataset  # noqa: F401  before the clock starts

    held, began = anonymous_mb(), time.perf_counter()
    dataset = open_megatron(str(work / "megatron"), megatron_samples(work), work / "megatron-cache")
    found: dict[str, Any] = {"opened": time.perf_counter() - began}
    batches = megatron_batches(dataset, 0, 0, 1)
    next(batches)
    found["start"] = time.perf_counter() - began
    found["tokens/s"] = tokens_per_second(lambda: next(batches)["tokens"].shape[0] * (LENGTH + 1))
    found |= {"memory MB": anonymous_mb() - held, "next": digest(joined(next(batches)))}
    return found


def megatron_resumed(work: Path, step: int) -> dict[str, Any]:
    import megatron.core.datasets.gpt_dataset  # noqa: F401  before the clock starts

    def share(rank: int) -> Any:
        dataset = open_megatron(str(work / "megatron"), megatron_samples(work), work / "megatron-cache")
        return joined(next(megatron_batches(dataset, step, rank, 2)))

    return in_two_processes(share)


def megatron_order(work: Path, count: int) -> dict[str, float]:
    """The index of documents of 1,000 tokens whose .bin is a hole, with what it writes to the cache."""
    import shutil

    import megatron.core.datasets.gpt_dataset  # noqa: F401  before the clock starts
    from megatron.core.datasets.indexed_dataset import _IndexWriter

    root = work / "megatron-order"
    root.mkdir(exist_ok=True)
    documents = count * LENGTH // 1000 + 1
    with open(root / "data.bin", "wb") as file:
        file.truncate(documents * 2000)
    lengths = np.full(documents, 1000, np.int32)
    with _IndexWriter(str(root / "data.idx"), np.uint16) as writer:
        writer._sequence_pointers = lambda each: np.arange(len(each), dtype=np.int64) * 2000  # not a loop of minutes
        writer.write(lengths, None, np.arange(documents + 1))
    shutil.rmtree(root / "cache", ignore_errors=True)
    began = time.perf_counter()
    open_megatron(str(root / "data"), count - 1, root / "cache")
    seconds = time.perf_counter() - began
    size = sum(path.stat().st_size for path in (root / "cache").iterdir())
    shutil.rmtree(root)
    return {"seconds": seconds, "bytes": float(size)}


def main() -> None:
    what, work, *rest = sys.argv[1:]
    function = globals()[what.replace("-", "_")]
    print(json.dumps(function(Path(work), *(json.loads(word) for word in rest))), flush=True)
    if what.startswith("streaming"):
        os._exit(0)  # its threads need not be waited for


if __name__ == "__main__":
    main()
