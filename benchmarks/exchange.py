"""What regrouping costs by the byte, from 100 to 10,000 parts at 1 to 4,096 partitions: one process, generated rows.

Usage: python -m benchmarks.exchange FOLDER [MB]

FOLDER is where the run files go; 400 MB of rows if nothing else is said. A row is that of a duplicate's id (two hashes,
part, row: 24 bytes), for a partition by its hash. The same rows are dealt to any number of parts. Printed for each:

- nanoseconds of processor time a byte to write the runs and to read every partition, both passes where there are two,
  without what making the rows takes;
- the same where every part is a run by itself, as `Exchange` did before it gathered parts, where that ends in time;
- files read (each slice of each run is one open), bytes on disk beside those of the columns, and peak memory.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from corpus.dedup.blocks import keyed, partition_of, record_batch
from corpus.rules import Block
from corpus.steps.grouping import Group, Grouping, groups_of
from corpus.steps.spill import CutAgain, Spilled, SpilledPartition, WriteSpill, cut_partitions, spilled_partitions

PARTS = (100, 1000, 10_000)
PARTITIONS = (1, 64, 1024, 4096)
ROW = 24
MOST_SLICES = 110_000
"""Of parts x partitions that are also tried with a run for each part: 100 x 1,024 takes a minute or two."""


@dataclass(frozen=True)
class Part:
    part: int


@dataclass(frozen=True)
class Rows:
    """Rows of a part: a slice of the same random hashes, so that all numbers of parts regroup the same."""

    hashes: np.ndarray
    parts: int
    partitions: int

    def __call__(self, task: Part) -> Iterator[Block]:
        start, end = (number * len(self.hashes) // self.parts for number in (task.part, task.part + 1))
        low = self.hashes[start:end]
        rows = np.arange(len(low), dtype=np.uint32)
        body = {"low": low, "high": low ^ np.uint64(1), "part": np.full(len(low), task.part, np.int32), "row": rows}
        yield from keyed(partition_of(low, self.partitions), record_batch(body))


@dataclass
class Regrouped:
    """What a regrouping took.

    Attributes:
        seconds: of processor time.
        opens: run files opened to read a slice.
        size: bytes on disk, of both passes.
        passes: 1 or 2.
    """

    seconds: float
    opens: int
    size: int
    passes: int


def regroup(rows: Rows, grouping: Grouping, groups: list[Group], folder: Path) -> Regrouped:
    """Writes and reads everything as `pipelines.engine.exchange.Exchange` does in a pool, one after another."""
    width, partitions = grouping.width, rows.partitions
    begun = time.process_time()
    spills = [WriteSpill(rows, partitions, str(folder), width)(group) for group in groups]
    written = list(spills)
    found: Iterator[SpilledPartition] = spilled_partitions(spills, str(folder), partitions, width)
    opens = 0
    if width > 1:
        slices = list(found)
        opens += sum(map(_files, slices))
        write = WriteSpill(CutAgain(partitions, width), width, str(folder / "again"))
        again: list[Spilled] = [write(Group((some,))) for some in slices]
        written += again
        found = cut_partitions(again, str(folder / "again"), partitions, width)
    count = 0
    for partition in found:
        opens += _files(partition)
        count += sum(block.num_rows for block in partition.blocks())
    seconds = time.process_time() - begun
    assert count == len(rows.hashes), f"{count} rows came back of {len(rows.hashes)}"
    shutil.rmtree(folder)
    return Regrouped(seconds, opens, sum(spill.size for spill in written), 1 if width == 1 else 2)


def _files(partition: SpilledPartition) -> int:
    return sum(1 + pieces for _, pieces in partition.runs)


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main(folder: Path, size: int) -> None:
    hashes = np.random.default_rng(1).integers(0, 2**64, size // ROW, dtype=np.uint64)
    size = len(hashes) * ROW
    process = psutil.Process()
    print(f"{size / 1e6:.0f} MB of rows; {process.memory_info().rss / 2**20:.0f} MiB before")
    print("| parts x partitions | passes | ns a byte | with a run a part | opens | framing | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    regroup(Rows(hashes[:1000], 1, 1), Grouping(1, 1), [Group((Part(0),))], folder / "first")  # loads what it uses
    for parts in PARTS:
        tasks = [Part(number) for number in range(parts)]
        for partitions in PARTITIONS:
            rows = Rows(hashes, parts, partitions)
            grouping = Grouping(parts, partitions, size)
            making = seconds_of(lambda rows=rows, tasks=tasks: [list(rows(task)) and None for task in tasks])
            _reset_peak()
            took = regroup(rows, grouping, groups_of(tasks, grouping), folder / "runs")
            peak = _peak()
            alone = ""
            if parts * partitions <= MOST_SLICES:
                one_pass = Grouping(parts, 1, size)
                before = regroup(rows, one_pass, [Group((task,)) for task in tasks], folder / "alone")
                alone = f"{(before.seconds - making) / size * 1e9:.1f}"
            data = size * took.passes
            nanoseconds = f"{(took.seconds - making) / size * 1e9:.1f}"
            framing = f"{(took.size - data) / data:.2%}"
            cells = f"{parts:,} x {partitions:,} | {took.passes} | {nanoseconds} | {alone} | {took.opens:,} | {framing}"
            print(f"| {cells} | {peak / 2**20:.0f} |", flush=True)


def _reset_peak() -> None:
    """Linux: the peak of this process's resident memory counts from now."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    pa.set_cpu_count(1)
    main(Path(sys.argv[1]), int(sys.argv[2] if len(sys.argv) > 2 else 400) * 10**6)
