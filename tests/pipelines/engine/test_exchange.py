import pickle
import shutil
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest

from corpus.steps import grouping
from corpus.steps.grouping import RUN_BYTES, Group
from corpus.steps.spill import Spilled, SpilledPartition, WriteSpill
from pipelines.engine.exchange import Exchange
from pipelines.engine.partmap import PartMap, PartsFailed
from pipelines.engine.runner import Runner
from tests.pipelines.engine.functions import Again, BadPartition, Job, Marked, Numbers, SumUp

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
        ),
        str(tmp_path),
    )
    assert BASKETS["counts"] == [5] * 6  # one block a group of one task and partition, and no partition 4
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
            ),
            str(tmp_path),
        )
        outs.append(results(out))
    assert outs[0] == outs[1]
    assert sorted(outs[0]) == ["0.npy", "1.npy", "2.npy", "5.npy"]


def test_only_counts_cross_beam_with_a_pool(tmp_path: Path) -> None:
    produce = Numbers(200_000, 2)
    POOL.run(
        lambda pipeline: (
            pipeline
            | beam.Create([Group((Job(n),)) for n in range(3)])
            | "Spill" >> PartMap(WriteSpill(produce, 2, str(tmp_path)), POOL, "spill")
            | collect("spills")
        ),
        str(tmp_path),
    )
    POOL.run(
        lambda pipeline: (
            pipeline
            | beam.Create([Job(n) for n in range(3)])
            | "Exchange" >> Exchange(produce, 2, str(tmp_path), POOL, "exchange")
            | collect("partitions")
        ),
        str(tmp_path),
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


def regroup(tmp_path: Path, name: str, runner: Runner, gather: bool, size: int = 0) -> dict[str, bytes]:
    """Numbers of 30 tasks, to 40 partitions and back to the tasks they came from; parts 7 and 8 are not there."""
    out = tmp_path / "out" / name
    out.mkdir(parents=True)
    tasks = [Job(n) for n in range(30) if n not in (7, 8)]
    work = str(tmp_path / "work" / name)
    runner.run(
        lambda pipeline: (
            pipeline
            | beam.Create(tasks)
            | "Sign" >> Exchange(Numbers(300, 40), 40, f"{work}/1", runner, "sign", size, 30 * gather)
            | "Decide" >> Exchange(Again(), 30, f"{work}/2", runner, "decide", size, 40 * gather)
            | "Write" >> PartMap(SumUp(str(out)), runner, "write")
        ),
        str(tmp_path),
    )
    return results(out)


def test_any_grouping_gives_the_same_on_every_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = regroup(tmp_path, "alone", POOL, gather=False)
    assert len(expected) == 28
    assert len(list((tmp_path / "work/alone/1").iterdir())) == 28  # so few tasks are not gathered
    monkeypatch.setattr(grouping, "RUN_BYTES", 1 << 20)
    one, graph = Runner(workers=1, quiet=True), GRAPH
    for groups, few, size, runners in (
        (4, 10**6, 0, (POOL, graph)),  # one pass
        (4, 0, 0, (one, graph)),  # two passes
        (1, 0, 60 << 20, (POOL, graph)),  # a group for each task; on a cluster, slices in ten buckets
    ):
        monkeypatch.setattr(grouping, "LEAST_GROUPS", groups)
        monkeypatch.setattr(grouping, "FEW_SLICES", few)
        for runner in runners:
            name = f"{groups}-{few}-{size}-{runner.workers}"
            assert regroup(tmp_path, name, runner, True, size) == expected
            if runner.has_pool:
                work = tmp_path / "work" / name / "1"
                assert len(list(work.glob("*.spill"))) == (28 if size else groups)
                assert len(list(work.glob("40-by-*"))) == (few == 0)
    assert regroup(tmp_path, "not known", GRAPH, gather=False) == expected


def test_a_second_pass_is_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "LEAST_GROUPS", 3)
    monkeypatch.setattr(grouping, "FEW_SLICES", 0)
    expected = regroup(tmp_path, "run", POOL, gather=True)
    shutil.rmtree(tmp_path / "out")
    work = tmp_path / "work/run/1"
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*.spill")}
    (work / "40-by-7/part-00002.spill").unlink()
    (work / "40-by-7/part-00003.spill").write_bytes(b"cut")
    assert regroup(tmp_path, "run", POOL, gather=True) == expected
    changed = {path.name for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert changed == {"part-00002.spill", "part-00003.spill"}


def test_values_of_a_cluster_are_one_a_run_and_partition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "LEAST_GROUPS", 3)

    def blocks(tasks: int) -> list[int]:
        GRAPH.run(
            lambda pipeline: (
                pipeline
                | beam.Create([Job(n) for n in range(12)])
                | Exchange(Numbers(100, 2), 2, str(tmp_path), GRAPH, "numbers", tasks=tasks)
                | PartMap(SumUp(str(tmp_path)), GRAPH, "sum")
                | collect("counts")
            ),
            str(tmp_path),
        )
        return BASKETS["counts"]

    assert blocks(12) == [3, 3]
    assert blocks(0) == [12, 12]  # nothing is known of them


def marks(folder: Path) -> list[int]:
    return sorted(int(path.name.split("-")[0]) for path in folder.iterdir())


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def test_parts_of_a_group_fail_alone(
    tmp_path: Path, marked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(grouping, "LEAST_GROUPS", 2)
    runner = Runner(workers=2)

    def run() -> None:
        runner.run(
            lambda pipeline: (
                pipeline
                | beam.Create([Job(n, str(marked)) for n in range(10)])
                | Exchange(Marked(Numbers(100, 4), failing=(1, 3, 9)), 4, str(tmp_path / "work"), runner, "numbers")
                | PartMap(SumUp(str(tmp_path)), runner, "sum")
            ),
            str(tmp_path),
        )

    with pytest.raises(PartsFailed) as caught:
        run()
    assert str(caught.value) == (
        "numbers: 3 of 10 parts failed, the others are finished; mend the cause and run again to do only what is "
        "missing: part-00001: Unpicklable: of part 1; part-00003: Unpicklable: of part 3; part-00009: Unpicklable: of "
        "part 9"
    )
    shown = capsys.readouterr().err
    assert "7/10 parts, 3 failed" in shown
    assert 'raise Unpicklable("of part", str(task.part))' in shown
    assert marks(marked) == list(range(10))
    run()
    assert marks(marked) == sorted([*range(10), 1, 3, 9])
    assert "10/10 parts (7 reused)" in capsys.readouterr().err
    assert np.frombuffer((tmp_path / "3.npy").read_bytes(), np.uint64).size == 250


def test_a_group_goes_on_behind_its_last_whole_run(
    tmp_path: Path, marked: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A worker that is killed with its third task: the first is in a run, as the second came to more than one holds."""
    monkeypatch.setattr(grouping, "LEAST_GROUPS", 1)
    rows = RUN_BYTES * 5 // 8 // 16
    POOL.run(
        lambda pipeline: (
            pipeline
            | beam.Create([Job(n, str(marked)) for n in range(4)])
            | Exchange(Marked(Numbers(rows, 2), killed=2), 2, str(tmp_path / "work"), POOL, "numbers")
            | collect("partitions")
        ),
        str(tmp_path),
    )
    said = "ended by SIGKILL (out of memory?) while it held part-00000 and the 3 after it; trying it once more, alone"
    assert said in capfd.readouterr().err
    assert marks(marked) == [0, 1, 2, 2, 3]
    assert [partition.runs for partition in BASKETS["partitions"]] == [((0, 0), (1, 0), (2, 0), (3, 0))] * 2


def test_a_restart_uses_the_spill_files_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runner = Runner(workers=2)

    def run(rows: int) -> None:
        runner.run(
            lambda pipeline: (
                pipeline
                | beam.Create([Job(n) for n in range(3)])
                | Exchange(Numbers(rows, 4), 4, str(tmp_path), runner, "numbers")
            ),
            str(tmp_path),
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
            ),
            str(tmp_path),
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
        ),
        str(tmp_path),
    )
    assert BASKETS["found"] == []
