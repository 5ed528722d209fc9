import pickle
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest

from corpus.steps.spill import Spilled, SpilledPartition, WriteSpill
from pipelines.engine.exchange import Exchange
from pipelines.engine.partmap import PartMap, PartsFailed
from pipelines.engine.runner import Runner
from tests.pipelines.engine.functions import Again, BadPartition, Job, Numbers, SumUp

POOL = Runner(workers=2, quiet=True)
GRAPH = Runner(workers=0, quiet=True)
"""The cluster's graph, in this process."""


BASKETS: dict[str, list[Any]] = {}


def put(element: object, basket: str) -> None:
    BASKETS[basket].append(element)


def collect(basket: str) -> beam.PTransform:
    """Both runners run DoFns in this process: elements can be looked at in BASKETS afterwards."""
    BASKETS[basket] = []
    return beam.Map(put, basket)


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("runner", [POOL, GRAPH], ids=["pool", "graph"])
def test_every_partition_gets_its_blocks(tmp_path: Path, runner: Runner) -> None:
    out = tmp_path / "out"
    out.mkdir()
    runner.run(
        lambda pipeline: (
            pipeline
            | beam.Create([Job(n) for n in range(5)])
            | Exchange(Numbers(1000, 7, skip=4), 7, str(tmp_path / "work"), runner, "numbers")
            | PartMap(SumUp(str(out)), runner, "sum")
            | collect("counts")
        )
    )
    assert BASKETS["counts"] == [5] * 6  # one block a task and partition, and no partition 4
    for partition in (0, 1, 2, 3, 5, 6):
        expected = np.arange(partition, 5000, 7, dtype=np.uint64) << np.uint64(32)
        assert np.array_equal(np.frombuffer((out / f"{partition}.npy").read_bytes(), np.uint64), expected)
    assert len(results(out)) == 6


def test_a_chain_of_exchanges_is_equal_both_ways(tmp_path: Path) -> None:
    outs = []
    for name, runner in (("pool", POOL), ("graph", GRAPH)):
        out = tmp_path / name
        out.mkdir()
        runner.run(
            lambda pipeline, name=name, runner=runner, out=out: (
                pipeline
                | beam.Create([Job(n) for n in (0, 1, 2, 5)])
                | "Sign" >> Exchange(Numbers(500, 9), 9, str(tmp_path / "work" / name / "1"), runner, "sign")
                | "Decide" >> Exchange(Again(), 6, str(tmp_path / "work" / name / "2"), runner, "decide")
                | "Write" >> PartMap(SumUp(str(out)), runner, "write")
            )
        )
        outs.append(results(out))
    assert outs[0] == outs[1]
    assert sorted(outs[0]) == ["0.npy", "1.npy", "2.npy", "5.npy"]


def test_only_counts_cross_beam_with_a_pool(tmp_path: Path) -> None:
    produce = Numbers(200_000, 2)
    POOL.run(
        lambda pipeline: (
            pipeline
            | beam.Create([Job(n) for n in range(3)])
            | "Spill" >> PartMap(WriteSpill(produce, 2, str(tmp_path)), POOL, "spill")
            | collect("spills")
        )
    )
    POOL.run(
        lambda pipeline: (
            pipeline
            | beam.Create([Job(n) for n in range(3)])
            | "Exchange" >> Exchange(produce, 2, str(tmp_path), POOL, "exchange")
            | collect("partitions")
        )
    )
    assert sum(spill.size for spill in BASKETS["spills"]) > 3 * 200_000 * 8
    assert [type(element) for element in BASKETS["spills"]] == [Spilled] * 3
    assert [type(element) for element in BASKETS["partitions"]] == [SpilledPartition] * 2
    crossed = [pickle.dumps(element) for name in ("spills", "partitions") for element in BASKETS[name]]
    assert max(map(len, crossed)) < 500


def test_grouped_blocks_are_not_shuffled_twice(tmp_path: Path) -> None:
    pipeline = GRAPH._pipeline()
    (
        pipeline
        | beam.Create([Job(0)])
        | "One" >> Exchange(Numbers(10, 2), 2, str(tmp_path), GRAPH, "one")
        | "Two" >> Exchange(Again(), 2, str(tmp_path), GRAPH, "two")
        | "Map" >> PartMap(SumUp(str(tmp_path)), GRAPH, "map")
    )
    labels = []

    class Look(beam.pipeline.PipelineVisitor):
        def enter_composite_transform(self, node) -> None:  # type: ignore[no-untyped-def]
            labels.append(node.full_label)

        def visit_transform(self, node) -> None:  # type: ignore[no-untyped-def]
            labels.append(node.full_label)

    pipeline.visit(Look())
    assert [label for label in labels if label.endswith("/Spread")] == ["One/Spread"]
    assert [label for label in labels if label.endswith("/Group")] == ["One/Group", "Two/Group"]


def test_a_restart_uses_the_spill_files_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runner = Runner(workers=2)

    def run(rows: int) -> None:
        runner.run(
            lambda pipeline: (
                pipeline
                | beam.Create([Job(n) for n in range(3)])
                | Exchange(Numbers(rows, 4), 4, str(tmp_path), runner, "numbers")
            )
        )

    run(100)
    spilled = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert f"numbers: spilled {spilled} bytes in 3 files" in capsys.readouterr().err.splitlines()
    (tmp_path / "part-00001.spill").write_bytes(b"cut")
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    run(100)
    changed = [path.name for path in tmp_path.iterdir() if path.stat().st_mtime_ns != before[path.name]]
    assert changed == ["part-00001.spill"]
    assert "3/3 parts (2 reused)" in capsys.readouterr().err


@pytest.mark.parametrize("runner", [POOL, GRAPH], ids=["pool", "graph"])
def test_a_failing_producer_is_named(tmp_path: Path, runner: Runner) -> None:
    with pytest.raises(PartsFailed, match=r"part-00003.*partition 99, and there are 4"):
        runner.run(
            lambda pipeline: (
                pipeline | beam.Create([Job(3)]) | Exchange(BadPartition(), 4, str(tmp_path), runner, "bad")
            )
        )


@pytest.mark.parametrize("runner", [POOL, GRAPH], ids=["pool", "graph"])
def test_no_tasks_give_no_partitions(tmp_path: Path, runner: Runner) -> None:
    runner.run(
        lambda pipeline: (
            pipeline
            | beam.Create([])
            | Exchange(Numbers(10, 2), 2, str(tmp_path), runner, "none")
            | PartMap(SumUp(str(tmp_path)), runner, "sum")
            | collect("found")
        )
    )
    assert BASKETS["found"] == []
