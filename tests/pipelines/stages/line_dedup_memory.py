"""A line dedup over generated lines in a process of its own, whose whole tree's peak memory it prints.

Usage: python line_dedup_memory.py FOLDER PARTS (1,000,000 distinct lines a part)
"""

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from corpus.dataset import StepFolder, finish
from corpus.dedup.lines import Lines
from corpus.parts import dataset_digest, write_part
from corpus.schema import ORIGIN_TYPE, SCHEMA
from corpus.steps.identity import Step
from corpus.steps.rule import NamedRule
from corpus.storage import write_json
from corpus.text.buffers import text_array

LINES_A_PART, LINES_A_DOCUMENT, WIDTH = 1_000_000, 250, 16


def texts(part: int) -> pa.Array:
    """Documents of 250 lines of 15 letters: the number of the line in base 16, so that none comes twice."""
    numbers = np.arange(part * LINES_A_PART, (part + 1) * LINES_A_PART, dtype=np.uint64)
    # An odd multiplier permutes the numbers, so that neighbours share no prefix.
    numbers = (numbers * np.uint64(0x9E3779B97F4A7C15)) & np.uint64(2**60 - 1)
    shifts = np.arange(WIDTH - 1, dtype=np.uint64) * np.uint64(4)
    letters = ((numbers[:, None] >> shifts) & np.uint64(15)).astype(np.uint8) + ord("a")
    lines = np.concatenate([letters, np.full((LINES_A_PART, 1), ord("\n"), np.uint8)], axis=1)
    size = LINES_A_DOCUMENT * WIDTH
    return text_array(lines.reshape(-1), np.arange(0, lines.size + 1, size, dtype=np.int64))


def make_input(folder: StepFolder, parts: int) -> None:
    bodies = []
    for part in range(parts):
        text = texts(part)
        count = len(text)
        columns = {
            "id": pa.array([f"{part}:{row}" for row in range(count)]),
            "text": text,
            "source": pa.array(["commoncrawl"] * count),
            "origin": pa.array([{"file": "f", "record": row} for row in range(count)], ORIGIN_TYPE),
        }
        arrays = [columns.get(f.name, pa.nulls(count, f.type)) for f in SCHEMA]
        batch = pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
        body = {
            "step": "generated",
            "input": "",
            "part": part,
            "group": "",
            "data": {"digest": write_part(folder.data(part), SCHEMA, iter([batch]))},
            "documents": {"in": count, "out": count},
            "text_bytes": {"in": count * LINES_A_DOCUMENT * WIDTH, "out": count * LINES_A_DOCUMENT * WIDTH},
            "dropped": {},
            "seen": {},
            "dataset_digest": f"{dataset_digest(batch):016x}",
        }
        write_json(folder.sidecar(part), body)
        bodies.append(body)
    header = {"step": "extract", "digest": "generated", "source": "commoncrawl", "input": "generated"}
    finish(folder, {**header, "rules": [], "dedup": None, "score_keys": {}, "versions": {}}, bodies)


def tree_rss() -> int:
    """Resident bytes of this process and all below it."""
    total = 0
    me = psutil.Process()
    for process in [me, *me.children(recursive=True)]:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def main() -> None:
    from pipelines.engine.runner import Runner
    from pipelines.stages.given import Given
    from pipelines.stages.process import Process

    root, parts = Path(sys.argv[1]), int(sys.argv[2])
    source = StepFolder(str(root / "10-extract-generated"))
    make_input(source, parts)
    peak, spill, done = 0, 0, False
    work = root / ".work"

    def watch() -> None:
        nonlocal peak, spill
        while not done:
            peak = max(peak, tree_rss())
            spill = max(spill, sum(p.stat().st_size for p in work.rglob("*.spill")) if work.exists() else 0)
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    step = Step(20, NamedRule("lines", Lines()), ())
    stage = Process(step, ("commoncrawl",), (Given(source),), (str(root),))
    stage.run(Runner("local", 2), str(work))
    done = True
    watcher.join()
    documents = stage.documents("commoncrawl").manifest()["documents"]
    print(json.dumps({"peak": peak, "spill": spill, "in": documents["in"], "out": documents["out"]}))


if __name__ == "__main__":
    main()
